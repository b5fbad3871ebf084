"""What a projection's pure function makes of events. Live, rebuild and verify all use this."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

from domain.events import Recorded
from eventlog import codec
from eventlog.log import Batch, IntegrityError, StoredRecord, Undecodable
from projectors.kinds import Append, Document, Fold, Key, Row, Tally
from projectors.parked.parking import Item, Parking, Unreadable
from projectors.read_models.times import FIRST_US, LAST_US

_SHOWN_BYTES = 64

Amounts = MutableMapping[Key, list[int]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch of one partition as facts, control records passed over."""

    partition: int
    records: tuple[Item, ...]
    next_offset: int


def decode(batch: Batch) -> Decoded:
    """Decode each event once; what this release cannot read stays in its place."""
    records = [item(record) for record in batch.records if codec.is_event(record.key)]
    return Decoded(batch.partition, tuple(records), batch.next_offset)


def item(record: StoredRecord) -> Item:
    """Return the fact in an event's record, or that it cannot be read, and why.

    A key that names no order, or a time that no calendar has, is none of ours: such an event is
    parked by its place and the broker's time, since neither could be kept.
    """
    order_id = codec.order_of(record.key)
    try:
        recorded = codec.decode(record)
    except Undecodable as error:
        why = str(error)
    else:
        if order_id is not None and FIRST_US <= recorded.recorded_at_us <= LAST_US:
            return recorded
        why = (
            f"the event at partition {record.partition} offset {record.offset} is none of "
            f"orderlog's, by its key {record.key[:_SHOWN_BYTES]!r} or its time "
            f"{recorded.recorded_at_us}: find out who else may write to the topic"
        )
    place = order_id or f"record {record.partition}/{record.offset}"
    return Unreadable(record.partition, record.offset, place, record.timestamp_ms * 1000, why)


def fold(
    projection: Fold,
    documents: MutableMapping[str, Document],
    records: Iterable[Item],
    parking: Parking,
) -> None:
    """Bring the documents (by order id) up to date; those that are missing are new orders.

    An event that does not follow the one before parks its order.
    """
    evolve = projection.evolve

    def apply(recorded: Recorded) -> None:
        before = documents.get(recorded.order_id)
        version = 0 if before is None else before["version"]
        if recorded.version != version + 1:
            raise IntegrityError(f"version {recorded.version} follows version {version}")
        documents[recorded.order_id] = evolve(before, recorded)

    parking.each(records, apply)


def rows(projection: Append, records: Iterable[Item], parking: Parking) -> list[Row]:
    """Return the rows that the events add."""
    found: list[Row] = []
    parking.each(records, lambda recorded: found.extend(projection.rows(recorded)))
    return found


def tally(projection: Tally, sums: Amounts, records: Iterable[Item], parking: Parking) -> None:
    """Add to `sums` what the events add up to, per key."""

    def apply(recorded: Recorded) -> None:
        for key, amounts in projection.deltas(recorded).items():
            before = sums.get(key)
            if before is None:
                sums[key] = list(amounts)
            else:
                for place, amount in enumerate(amounts):
                    before[place] += amount

    parking.each(records, apply)


def tally_rows(sums: Amounts) -> list[Row]:
    """Return the sums as rows, sorted by key so that writers never wait for each other in a ring.

    Keys whose amounts are all zero are rows too: live and rebuild must agree.
    """
    keys = sorted(sums, key=lambda key: tuple(map(str, key)))
    return [(*key, *sums[key]) for key in keys]
