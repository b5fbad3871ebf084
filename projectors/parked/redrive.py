"""Parked orders looked at, taken up again with today's code, or given up: `orderlog parked`."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventlog.log import IntegrityError, StoredRecord
from eventlog.reader import LogReader
from projectors import checkpoints, folding, generations
from projectors.checkpoints import Place
from projectors.database import Connection, Incompatible
from projectors.engine import Engine
from projectors.kinds import Projection
from projectors.parked import parking
from projectors.parked.parking import Item, Parking, Unreadable
from projectors.read_models.times import moment
from runtime.settings import LogSettings

_FIND = """
SELECT projection, generation, order_id, partition, offsets, error, stale_since, parked_at,
    tried_at, discarded_at, discard_reason
FROM orderlog.live_parked
WHERE ($1::text IS NULL OR projection = $1) AND ($2::text IS NULL OR order_id = $2)
ORDER BY projection, partition, offsets[1]
"""
_KEY = "projection = $1 AND generation = $2 AND order_id = $3"
_OFFSETS = f"SELECT offsets FROM orderlog.parked WHERE {_KEY} FOR UPDATE"
_TAKE_UP = f"DELETE FROM orderlog.parked WHERE {_KEY}"
_LEAVE = f"""
UPDATE orderlog.parked SET offsets = $4, error = $5, stale_since = $6, tried_at = now()
WHERE {_KEY}
"""
_DISCARD = f"""
UPDATE orderlog.parked SET discarded_at = now(), discard_reason = $4
WHERE {_KEY} AND discarded_at IS NULL RETURNING partition
"""
_TOGETHER_OFFSETS = 1_000
"""Offsets no further apart than this are read in one go."""
_TRIES = 10


@dataclass(frozen=True, slots=True)
class ParkedOrder:
    """An order of a live read model whose events wait; `offsets[0]` cannot be applied."""

    projection: str
    generation: int
    order_id: str
    partition: int
    offsets: tuple[int, ...]
    error: str
    stale_since: datetime
    parked_at: datetime
    tried_at: datetime | None
    discarded_at: datetime | None
    discard_reason: str | None

    @property
    def place(self) -> Place:
        """Where it is parked."""
        return Place(self.projection, self.generation, "live")


async def find(
    connection: Connection, projection: str | None = None, order_id: str | None = None
) -> list[ParkedOrder]:
    """Return what is parked in live read models, in the order of the log."""
    found = await connection.fetch(_FIND, projection, order_id)
    return [ParkedOrder(**{**row, "offsets": tuple(row["offsets"])}) for row in found]


async def records(log: LogSettings, order: ParkedOrder) -> list[StoredRecord]:
    """Read the events that wait.

    Raises:
        IntegrityError: the log does not hold one of them any more.
        LogUnavailable: the brokers do not answer.
    """
    return await asyncio.to_thread(lambda: list(_read(log, order)))


def _read(log: LogSettings, order: ParkedOrder) -> Iterator[StoredRecord]:
    wanted = set(order.offsets)
    with LogReader(log) as reader:
        for first, last in _ranges(order.offsets):
            for batch in reader.read_range(order.partition, first, last + 1):
                for record in batch.records:
                    if record.offset in wanted:
                        wanted.remove(record.offset)
                        yield record
    if wanted:
        raise IntegrityError(
            f"partition {order.partition} does not hold offset {min(wanted)} any more, which order "
            f"{order.order_id} of {order.projection} waits for"
        )


def _ranges(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = offsets[0]
    for offset in offsets:
        if offset - last > _TOGETHER_OFFSETS:
            yield first, last
            first = offset
        last = offset
    yield first, last


async def retry(
    connection: Connection, log: LogSettings, projection: Projection, order: ParkedOrder
) -> ParkedOrder | None:
    """Apply what waits, in order, as far as it goes. None: nothing waits any more.

    What could be applied is, even when a later event cannot. Events that come meanwhile wait too.

    Raises:
        Incompatible: the live rows were made by another version of the function: rebuild.
        GenerationChanged: another generation went live meanwhile: look again.
        IntegrityError, LogUnavailable: see `records`.
    """
    live = await generations.require_live(connection, projection.name)
    if live.function_version != projection.function_version:
        raise Incompatible(
            f"the live {projection.name} was made by function version {live.function_version}, "
            f"this release has {projection.function_version}: run "
            f"`orderlog rebuild --projection {projection.name}`, which parks nothing that it can "
            "apply"
        )
    engine = Engine(projection, order.generation)
    current: ParkedOrder | None = order
    for _ in range(_TRIES):
        if current is None:
            return None
        items = [folding.item(record) for record in await records(log, current)]
        if await _take_up(connection, engine, current, items):
            break
        current = await _again(connection, order)
    return await _again(connection, order)


async def _again(connection: Connection, order: ParkedOrder) -> ParkedOrder | None:
    found = await find(connection, order.projection, order.order_id)
    return found[0] if found else None


async def _take_up(
    connection: Connection, engine: Engine, order: ParkedOrder, items: Sequence[Item]
) -> bool:
    """Apply the items; False: others wait by now, and nothing was done."""
    key = (order.projection, order.generation, order.order_id)
    async with connection.transaction():
        await checkpoints.hold(connection, order.place, order.partition)
        if await connection.fetchval(_OFFSETS, *key) != list(order.offsets):
            return False
        for number, item in enumerate(items):
            error = await _refusal(connection, engine, item)
            if error is not None:
                left = list(order.offsets[number:])
                await connection.execute(_LEAVE, *key, left, error, moment(item.recorded_at_us))
                break
        else:
            await connection.execute(_TAKE_UP, *key)
            if order.discarded_at is None:
                await parking.count(connection, order.place, order.partition, -1)
        await engine.notify(connection)
    return True


async def _refusal(connection: Connection, engine: Engine, item: Item) -> str | None:
    """Apply one event, or say why it cannot be."""
    batch = Parking()
    try:
        async with connection.transaction():
            await engine.write(connection, [item], batch)
    except Exception as error:
        if not parking.is_refusal(error) or isinstance(item, Unreadable):
            raise
        return parking.sentence(item, error)
    return next((parked.error for parked in batch.fresh.values()), None)


async def discard(connection: Connection, order: ParkedOrder, reason: str) -> bool:
    """Give an order up: its rows stay as they are, marked as stale, and no alarm counts it.

    Its events go on waiting, so that a later `retry` or `rebuild` has all of them. False: it was
    discarded before, or is not parked any more.

    Raises:
        GenerationChanged: another generation went live meanwhile: look again.
    """
    key = (order.projection, order.generation, order.order_id)
    async with connection.transaction():
        await checkpoints.hold(connection, order.place, order.partition)
        partition = await connection.fetchval(_DISCARD, *key, reason)
        if partition is not None:
            await parking.count(connection, order.place, partition, -1)
    return partition is not None
