"""An order's events, straight from its partition of the log, and whether its hash chain holds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.events import Recorded
from eventlog.codec import FIRST_PREV_HASH, decode, event_hash
from eventlog.log import EventLog
from eventlog.partitioner import partition_of


async def history(log: EventLog, order_id: str) -> tuple[Recorded, ...]:
    """Return what was committed of an order until now, oldest first; only it is decoded.

    Raises:
        Undecodable: an event of the order needs a newer release.
        LogUnavailable, IntegrityError, TopicMismatch: see the port.
    """
    partition = partition_of(order_id, (await log.identity()).partitions)
    prefix = f"{order_id}/".encode()
    found: list[Recorded] = []
    async for batch in log.read(partition, 0, await log.end(partition)):
        found += [decode(record) for record in batch.records if record.key.startswith(prefix)]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Link:
    """One event in the chain of its order. `trouble` says how it does not fit; empty: it fits."""

    recorded: Recorded
    hash: str
    prev_hash: str
    trouble: str


def chain(events: Iterable[Recorded]) -> Iterator[Link]:
    """Yield how each event follows from the one before it."""
    version, before = 0, FIRST_PREV_HASH
    for recorded in events:
        value_hash = event_hash(recorded.value)
        trouble = ""
        if recorded.version != version + 1:
            trouble = f"it follows version {version}: events are missing, moved or repeated"
        elif recorded.prev_hash != before:
            trouble = (
                "the previous hash is not that of the event before: one of the two was changed"
                if version
                else "the previous hash of a first event is not zero"
            )
        yield Link(recorded, value_hash.hex(), recorded.prev_hash.hex(), trouble)
        version, before = recorded.version, value_hash
