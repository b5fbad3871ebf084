"""Random but valid histories as the log stores them, and the rows that they come to."""

import random
import uuid
from contextlib import suppress
from functools import partial

from domain import commands
from domain.decide import DECIDER
from domain.errors import Refused
from domain.values import (
    Actor,
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    Line,
    LineQuantity,
    ReceivedLine,
    Shipping,
    Tax,
)
from eventlog import codec
from eventlog.log import Batch, Record, StoredRecord
from eventlog.partitioner import partition_of
from projectors import folding
from projectors.engine import document_row
from projectors.kinds import Append, Fold, Projection
from projectors.parked.parking import Parking

START_US = 1_790_000_000_000_000
MOST_US = 86_400_000_000 * 3
LINES = ("1", "2")


def place(rng: random.Random) -> commands.PlaceOrder:
    taxes = (Tax("VAT", "0.19", 19, included=True), Tax("ECO", "0.01", 3, included=False))
    return commands.PlaceOrder(
        customer_id=f"c-{rng.randrange(4)}",
        currency=rng.choice(["EUR", "USD"]),
        lines=(
            Line("A", rng.randint(1, 5), rng.randint(100, 900), taxes=taxes[: rng.randrange(3)]),
            Line("B", rng.randint(1, 3), rng.randint(0, 900), name="Cup ☕"),
        ),
        discounts=(Discount("d", rng.randrange(90), rng.choice([None, "1"])),),
        shipping=rng.choice([None, Shipping("standard", 490)]),
        contact=rng.choice([None, Contact("Zoë", "z@example.org", "")]),
        ship_to=Address("Zoë", ("Weg 1",), "10115", "Berlin", "", "DE"),
        bill_to=None,
    )


def some(rng: random.Random) -> commands.OrderCommand:
    """Most of these are refused, depending on what came before."""
    payment, capture = f"p-{rng.randrange(2)}", f"k-{rng.randrange(3)}"
    reference, shipment = f"r-{rng.randrange(4)}", f"s-{rng.randrange(3)}"
    amount = rng.choice([100, 700, 2_000])
    pieces = tuple(LineQuantity(line, rng.randint(1, 2)) for line in LINES[: rng.randint(1, 2)])
    choices = [
        commands.Accept,
        commands.Accept,
        partial(commands.Reject, "sold out"),
        partial(commands.RequestAuthorisation, payment, amount, "card"),
        partial(commands.RecordAuthorisation, payment, reference, amount, START_US),
        partial(commands.RecordAuthorisation, payment, reference, amount),
        partial(commands.RecordAuthorisationFailure, payment, reference, "no"),
        partial(commands.RequestCapture, payment, capture, amount // 2),
        partial(commands.RecordCapture, payment, capture, reference, amount),
        partial(commands.CreateShipment, shipment, pieces, "DHL"),
        partial(commands.CreateShipment, shipment, pieces),
        partial(commands.DispatchShipment, shipment, "T-1"),
        partial(commands.DispatchShipment, shipment),
        partial(commands.RecordDelivery, shipment),
        partial(commands.CancelLines, pieces, "changed my mind"),
        partial(commands.Cancel, "too late") if rng.random() < 0.2 else commands.Accept,
        partial(commands.AddNote, f"n-{rng.randrange(3)}", "a\x00\nb"),
    ]
    return rng.choice([*choices, *_rarer(rng, payment, reference, shipment, pieces)])()


def _rarer(rng: random.Random, payment: str, reference: str, shipment: str, pieces: tuple) -> list:
    """What happens to some orders: holds, refunds, returns, amendments, stock, ends."""
    some_id, line = f"x-{rng.randrange(3)}", Line("C", rng.randint(1, 2), 250)
    received = tuple(ReceivedLine(one.line_id, one.quantity, "new", restock=True) for one in pieces)
    ends = [commands.Complete, commands.Archive, commands.Expire, commands.EraseCustomerData]
    return [
        partial(commands.Hold, some_id, "fraud"),
        partial(commands.ReleaseHold, some_id),
        partial(commands.ProposeAmendment, some_id, (line,), pieces, "called"),
        partial(commands.ApproveAmendment, some_id),
        partial(commands.WithdrawAmendment, some_id),
        partial(commands.VoidAuthorisation, payment),
        partial(commands.RecordCaptureFailure, payment, "k-1", reference, "no"),
        partial(commands.RequestRefund, some_id, payment, rng.choice([50, 400])),
        partial(commands.RecordRefund, some_id, reference, rng.choice([50, 400])),
        partial(commands.RecordRefundFailure, some_id, reference, "no"),
        partial(commands.RecordChargeback, payment, reference, 70),
        partial(commands.RecordAllocation, pieces),
        partial(commands.RecordBackorder, pieces),
        partial(commands.UpdateTracking, shipment, "T-2", "moving"),
        partial(commands.RecordDeliveryFailure, shipment, "nobody"),
        partial(commands.CancelShipment, shipment),
        partial(commands.RequestReturn, some_id, pieces),
        partial(commands.ApproveReturn, some_id),
        partial(commands.ReceiveReturnItems, some_id, received),
        partial(commands.CloseReturn, some_id),
        partial(commands.CorrectContact, Contact("Zoe", "", "")),
        partial(commands.AddLine, "C", 1, 300),
        partial(commands.ApplyDiscount, some_id, 10),
        partial(commands.SelectShipping, "express", 990),
        commands.Place,
        rng.choice(ends) if rng.random() < 0.2 else commands.Accept,
    ]


def imported(rng: random.Random) -> commands.ImportOrder:
    return commands.ImportOrder(
        "old shop",
        "ACCEPTED",
        f"c-{rng.randrange(4)}",
        "EUR",
        (Line("A", 3, 333, "1"), Line("B", 1, 500, "2")),
        (ImportedLine("1", rng.randrange(2), 2, rng.randrange(3)),),
        (ImportedPayment("p-0", "r-0", None, 1_499, 999, rng.choice([0, 100])),),
    )


def begin(rng: random.Random) -> commands.OrderCommand:
    """Most orders are placed in one call; some are drafts, some have a past elsewhere."""
    draft = commands.CreateDraft(f"c-{rng.randrange(4)}", "EUR")
    return rng.choice([place, place, place, imported, lambda _: draft])(rng)


class Histories:
    """Orders that live through random commands; what they become goes to `commit`, in groups."""

    def __init__(self, seed: int, partitions: int = 4) -> None:
        self.rng = random.Random(seed)
        self.partitions = partitions
        self._orders: dict[str, tuple] = {}
        self._now_us = START_US

    def groups(self, commands_count: int, orders_max: int = 30) -> list[tuple[int, list[Record]]]:
        """Return what transactions would append: (partition, records)."""
        groups: dict[int, list[Record]] = {}
        done = []
        for _ in range(commands_count):
            partition, records = self._command(orders_max)
            groups.setdefault(partition, []).extend(records)
            if len(groups[partition]) > self.rng.randrange(12):
                done.append((partition, groups.pop(partition)))
        return [group for group in (*done, *groups.items()) if group[1]]

    def group(self) -> tuple[int, list[Record]]:
        """Return what the next command that is not refused appends."""
        while True:
            partition, records = self._command(30)
            if records:
                return partition, records

    def _command(self, orders_max: int) -> tuple[int, list[Record]]:
        rng = self.rng
        if (len(self._orders) < orders_max and rng.random() < 0.3) or not self._orders:
            order_id, command = str(uuid.UUID(int=rng.getrandbits(128), version=4)), begin(rng)
        else:
            order_id, command = rng.choice(list(self._orders)), some(rng)
        state, version, value = self._orders.get(order_id, (DECIDER.initial, 0, None))
        events = []
        with suppress(Refused):
            events = DECIDER.decide(state, command)
        records = []
        for index, event in enumerate(events):
            self._now_us += rng.randrange(MOST_US // 400)
            version += 1
            envelope = codec.Envelope(
                event_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                tenant_id="default",
                order_id=order_id,
                version=version,
                occurred_at_us=self._now_us - rng.randrange(1_000),
                recorded_at_us=self._now_us,
                command_id=f"key-{rng.getrandbits(64)}",
                fingerprint=bytes(32),
                correlation_id="corr",
                causation_id="cause",
                reason="",
                actor=Actor("user", "u-1"),
                prev_hash=codec.event_hash(value) if value else codec.FIRST_PREV_HASH,
                command_index=index,
                command_size=len(events),
            )
            value = codec.encode(envelope, event)
            state = DECIDER.evolve(state, event)
            records.append(Record(codec.event_key(order_id, version), value))
        if version:
            self._orders[order_id] = (state, version, value)
        return partition_of(order_id, self.partitions), records

    def batches(self, commands_count: int, orders_max: int = 30) -> list[Batch]:
        """Return the log as batches, with ownership records and transaction markers."""
        ends = dict.fromkeys(range(self.partitions), 0)
        found = []
        for partition, records in self.groups(commands_count, orders_max):
            if self.rng.random() < 0.1:
                owner = codec.ownership_record(partition, epoch=1, node="n", acquired_at_us=1)
                records = [owner, *records]  # noqa: PLW2901
            stored = tuple(
                StoredRecord(partition, offset, 0, record.key, record.value)
                for offset, record in enumerate(records, ends[partition])
            )
            ends[partition] += len(records) + 1
            found.append(Batch(partition, stored, ends[partition]))
        return found


def pure(projection: Projection, decoded: list[folding.Decoded]) -> list[tuple]:
    """Return the rows that a projection must have after these batches: from the functions alone."""
    records = [recorded for batch in decoded for recorded in batch.records]
    if isinstance(projection, Append):
        return folding.rows(projection, records, Parking())
    if isinstance(projection, Fold):
        documents, partitions = {}, {}
        folding.fold(projection, documents, records, Parking())
        for recorded in records:
            partitions[recorded.order_id] = recorded.partition
        return [
            document_row(projection, document, partitions[order_id])
            for order_id, document in documents.items()
        ]
    sums: folding.Amounts = {}
    folding.tally(projection, sums, records, Parking())
    return folding.tally_rows(sums)


def plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    return int(value) if type(value).__name__ == "Decimal" else value
