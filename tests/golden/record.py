"""Write the golden bytes of this release: `python tests/golden/record.py`, before it is tagged.

A file that exists is never written again. Bytes of a release stay here for ever, and every later
release must read them (tests/golden/test_golden.py).
"""

import json
import shutil
import sys
from dataclasses import replace as replace_event
from importlib.metadata import version
from pathlib import Path

from msgspec.structs import replace

from domain import events, values
from eventlog import codec
from eventlog.log import StoredRecord

HERE = Path(__file__).parent
SCHEMA = "orders/v1/events.proto"
ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
TAXES = (
    values.Tax("VAT", "0.19", 415, included=True),
    values.Tax("ECO", "0.01", 3, included=False),
)
ADDRESS = values.Address("Zoë", ("Weg 1", "Hof"), "10115", "Berlin", "BE", "DE")
CONTACT = values.Contact("Zoë", "z@example.org", "+49 30 1")
LINES = (
    values.PlacedLine("1", "A-1", "Cup ☕", 2, 1299, TAXES, 100, 418, 2501),
    values.PlacedLine("2", "B-1", "", 1, 0, (), 0, 0, 0),
)
PIECES = (values.LineQuantity("1", 1), values.LineQuantity("2", 1))
FULL = [
    events.OrderPlaced(
        "c-1",
        "EUR",
        LINES,
        (values.Discount("d-1", 90, None), values.Discount("d-2", 10, "1")),
        values.Shipping("standard", 490),
        CONTACT,
        ADDRESS,
        ADDRESS,
        2598,
        100,
        418,
        490,
        2991,
        "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e10",
    ),
    events.OrderAccepted(),
    events.OrderRejected("We do not deliver there."),
    events.OrderCancelled("ordered by mistake", 2991, "EUR", "c-1"),
    events.LinesCancelled(PIECES, "out of stock", 1250, "EUR", "c-1"),
    events.NoteAdded("n-1", "Please ring twice.\nThank you."),
    events.PaymentAuthorisationRequested("p-1", 2991, "card"),
    events.PaymentAuthorised("p-1", "psp-1", 2991, 1_790_604_800_000_000),
    events.PaymentAuthorisationFailed("p-1", "psp-1", "insufficient funds"),
    events.CaptureRequested("p-1", "k-1", 2991),
    events.PaymentCaptured("p-1", "k-1", "psp-2", 2991, "EUR", "c-1"),
    events.ShipmentCreated("s-1", PIECES, "DHL"),
    events.ShipmentDispatched("s-1", "T-1"),
    events.ShipmentDelivered("s-1"),
    events.OrderExpired(),
    events.OrderHeld("h-1", "fraud", "Two cards, one address."),
    events.OrderHoldReleased("h-1"),
    events.OrderCompleted(),
    events.OrderArchived(),
    events.ContactCorrected(CONTACT),
    events.CustomerDataErased(),
    events.OrderImported(
        "old shop",
        "COMPLETED",
        "c-1",
        "EUR",
        LINES,
        (values.ImportedLine("1", 1, 1, 1), values.ImportedLine("2", 0, 1, 0)),
        (values.ImportedPayment("p-1", "psp-1", "card", 2991, 2991, 1250),),
        (values.Discount("d-1", 90, None),),
        values.Shipping("standard", 490),
        CONTACT,
        ADDRESS,
        ADDRESS,
        2598,
        100,
        418,
        490,
        2991,
        1250,
        1251,
    ),
    events.PaymentAuthorisationExpired("p-1", 2991),
    events.PaymentVoided("p-1", 2991),
    events.CaptureFailed("p-1", "k-1", "psp-3", "insufficient funds"),
    events.RefundRequested("f-1", "p-1", 1250, "broken"),
    events.RefundCompleted("f-1", "p-1", "psp-4", 1250, "EUR", "c-1"),
    events.RefundFailed("f-1", "p-1", "psp-5", "account closed"),
    events.ChargebackRecorded("p-1", "psp-6", 2991, "EUR", "c-1"),
    events.ShipmentTrackingUpdated("s-1", "T-2", "in transit"),
    events.ShipmentDeliveryFailed("s-1", "nobody at home"),
    events.ShipmentCancelled("s-1"),
    events.LinesAllocated(PIECES),
    events.LinesBackordered(PIECES),
    events.ReturnRequested("e-1", PIECES, "too small"),
    events.ReturnApproved("e-1"),
    events.ReturnRejected("e-1", "worn"),
    events.ReturnItemsReceived(
        "e-1",
        (
            values.ReceivedLine("1", 1, "as new", restock=True),
            values.ReceivedLine("2", 1, "broken", restock=False),
        ),
        1250,
        "EUR",
        "c-1",
    ),
    events.ReturnClosed("e-1"),
    events.OrderDrafted("c-1", "EUR"),
    events.LineAdded("1", "A-1", "Cup ☕", 2, 1299, TAXES),
    events.LineQuantityChanged("1", 3),
    events.LineRemoved("1"),
    events.AddressesSet(ADDRESS, ADDRESS, CONTACT),
    events.ShippingSelected("standard", 490),
    events.DiscountApplied("d-1", 90, "1"),
    events.DiscountRemoved("d-1"),
    events.OrderRepriced(
        (values.RepricedLine("1", 1199, TAXES), values.RepricedLine("2", 1, ())),
    ),
    events.AmendmentProposed("a-1", LINES, -1250, "fewer cups"),
    events.AmendmentApplied("a-1", LINES, -1250, "EUR", "c-1"),
    events.AmendmentDeclined("a-1"),
    events.AmendmentWithdrawn("a-1"),
]
SPARSE = [
    events.OrderPlaced("c", "JPY", LINES[1:], (), None, None, None, None, 0, 0, 0, 0, 0),
    events.OrderCancelled(None, 0, "JPY", "c"),
    events.LinesCancelled(PIECES[:1], None, 0, "JPY", "c"),
    events.PaymentAuthorisationRequested("p", 1, None),
    events.PaymentAuthorised("p", "r", 0, None),
    events.ShipmentCreated("s", PIECES[:1], None),
    events.ShipmentDispatched("s", None),
    events.OrderHeld("h", "fraud", None),
    events.OrderImported(
        "old",
        "PLACED",
        "c",
        "JPY",
        LINES[1:],
        (),
        (values.ImportedPayment("p", "r", None, 0, 0, 0),),
        (),
        None,
        None,
        None,
        None,
        *(0,) * 7,
    ),
    events.RefundRequested("f", "p", 1, None),
    events.RefundCompleted("f", None, "r", 0, "JPY", "c"),
    events.RefundFailed("f", None, "r", ""),
    events.ShipmentTrackingUpdated("s", "T", None),
    events.ReturnRequested("e", PIECES[:1], None),
    events.LineAdded("1", "A", "", 1, 0, ()),
    events.AddressesSet(None, None, None),
    events.DiscountApplied("d", 0, None),
    events.AmendmentProposed("a", (), 0, None),
]
SEAL = values.Sealed("sealed1:" + "Zm9yZ2V0LW1lLW5vdA" * 7)
SEALED = [
    events.ContactCorrected(SEAL),
    events.AddressesSet(SEAL, None, SEAL),
    events.NoteAdded("n-1", SEAL),
    replace_event(FULL[0], contact=SEAL, ship_to=SEAL, bill_to=SEAL),
]
ENVELOPE = codec.Envelope(
    event_id="0193a5c0-7a2b-7c3d-8e4f-000000000001",
    tenant_id="default",
    order_id=ORDER,
    version=1,
    occurred_at_us=1_790_000_000_000_000,
    recorded_at_us=1_790_000_000_000_001,
    command_id="key-1",
    fingerprint=bytes(range(32)),
    correlation_id="corr-1",
    causation_id="key-1",
    reason="as asked",
    actor=values.Actor("user", "u-1"),
    prev_hash=codec.FIRST_PREV_HASH,
    command_index=0,
    command_size=1,
)


def main() -> None:
    """Write one file per event type and form, and the schema, into the release's folder."""
    folder = HERE / version("orderlog")
    (folder / SCHEMA).parent.mkdir(parents=True, exist_ok=True)
    if not (folder / SCHEMA).exists():
        shutil.copyfile(HERE.parents[1] / "proto" / SCHEMA, folder / SCHEMA)
    for form, facts in (("full", FULL), ("sparse", SPARSE), ("sealed", SEALED)):
        for number, event in enumerate(facts, 1):
            name = type(event).__name__
            path = folder / f"{name}.{form}.json"
            if path.exists():
                continue
            envelope = replace(ENVELOPE, version=number)
            value = codec.encode(envelope, event)
            stored = StoredRecord(0, 0, 0, codec.event_key(ORDER, number), value)
            golden = {
                "key": stored.key.decode(),
                "value": value.hex(),
                "event": codec.to_json(codec.decode(stored)),
            }
            path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
            sys.stdout.write(f"{path.relative_to(HERE)}\n")


if __name__ == "__main__":
    main()
