"""What a projection's pure function makes of events. Live, rebuild and verify all use this."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

from domain.events import Recorded
from eventlog import codec
from eventlog.log import Batch, IntegrityError, Undecodable
from projectors.kinds import Append, Document, Fold, Key, Row, Tally

Amounts = MutableMapping[Key, list[int]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch of one partition as facts, control records passed over.

    `fault` says why the record at `next_offset` cannot be read; None: the batch is whole.
    """

    partition: int
    records: tuple[Recorded, ...]
    next_offset: int
    fault: str | None = None


def decode(batch: Batch) -> Decoded:
    """Decode each event once; stop before the first record that this release cannot read."""
    records = []
    for record in batch.records:
        if not codec.is_event(record.key):
            continue
        try:
            records.append(codec.decode(record))
        except Undecodable as error:
            return Decoded(batch.partition, tuple(records), record.offset, str(error))
    return Decoded(batch.partition, tuple(records), batch.next_offset)


def fold(
    projection: Fold, documents: MutableMapping[str, Document], records: Iterable[Recorded]
) -> None:
    """Bring the documents (by order id) up to date; those that are missing are new orders.

    Raises:
        IntegrityError: an event does not follow the one before. Stop: a person must look.
    """
    evolve = projection.evolve
    for recorded in records:
        before = documents.get(recorded.order_id)
        version = 0 if before is None else before["version"]
        if recorded.version != version + 1:
            raise IntegrityError(
                f"order {recorded.order_id} at partition {recorded.partition} offset "
                f"{recorded.offset}: version {recorded.version} follows version {version}"
            )
        documents[recorded.order_id] = evolve(before, recorded)


def rows(projection: Append, records: Iterable[Recorded]) -> list[Row]:
    """Return the rows that the events add."""
    return [row for recorded in records for row in projection.rows(recorded)]


def tally(projection: Tally, sums: Amounts, records: Iterable[Recorded]) -> None:
    """Add to `sums` what the events add up to, per key."""
    for recorded in records:
        for key, amounts in projection.deltas(recorded).items():
            before = sums.get(key)
            if before is None:
                sums[key] = list(amounts)
            else:
                for place, amount in enumerate(amounts):
                    before[place] += amount


def tally_rows(sums: Amounts) -> list[Row]:
    """Return the sums as rows, sorted by key so that writers never wait for each other in a ring.

    Keys whose amounts are all zero are rows too: live and rebuild must agree.
    """
    keys = sorted(sums, key=lambda key: tuple(map(str, key)))
    return [(*key, *sums[key]) for key in keys]
