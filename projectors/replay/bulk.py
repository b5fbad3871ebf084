"""One partition into new generations at full speed: fold in memory, COPY, one transaction.

Runs in worker processes, a partition at a time. A partition is built whole or not at all, so what
was interrupted is simply built again. Only when Postgres refuses a value is it built in steps, as
the live projector does it, to find the orders that must be parked.
"""

import asyncio
import gc
from collections.abc import Iterator, MutableSequence, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeAlias

import orjson

from eventlog.reader import LogReader
from projectors import checkpoints, folding, generations
from projectors.checkpoints import Step
from projectors.database import Connection, connect
from projectors.engine import Engine, Move, document_row
from projectors.kinds import Append, Document, Fold, Projection, Row, Tally
from projectors.parked import parking
from projectors.parked.parking import Item, Parking
from projectors.parked.settling import settle
from projectors.read_models.times import moment
from runtime.settings import DatabaseSettings, LogSettings

HOT_DOCUMENTS_MAX = 50_000
"""So many documents stay as they are in memory; the others wait as JSON, about 1 KB each."""

_UPSERT_ROWS = 10_000
_STEPS_LOCK = 0x6F726C73
"""The advisory lock of those who build in steps: 'orls' as a number."""


@dataclass(frozen=True, slots=True)
class Target:
    """A generation that is building, and the offset up to which it is to be built."""

    projection: Projection
    generation: int
    end: int


@dataclass(frozen=True, slots=True)
class Job:
    """One partition into all generations that want it."""

    partition: int
    targets: tuple[Target, ...]
    log: LogSettings
    database: DatabaseSettings
    parked_max: int


class _FoldBuilder:
    """Keeps the orders of a partition, those that were not touched lately as JSON."""

    def __init__(self, projection: Fold, engine: Engine, partition: int) -> None:
        self._projection, self._engine, self._partition = projection, engine, partition
        self.parking = Parking()
        self._hot: dict[str, Document] = {}
        self._cold: dict[str, bytes] = {}

    async def add(self, _: Connection, records: Sequence[Item]) -> None:
        hot, cold = self._hot, self._cold
        if cold:
            for order_id in {item.order_id for item in records} - hot.keys():
                packed = cold.pop(order_id, None)
                if packed is not None:
                    hot[order_id] = orjson.loads(packed)
        folding.fold(self._projection, hot, records, self.parking)
        if len(hot) > HOT_DOCUMENTS_MAX:
            cold.update((order_id, orjson.dumps(document)) for order_id, document in hot.items())
            hot.clear()

    async def finish(self, connection: Connection) -> None:
        await self._engine.copy(connection, self._rows())

    def _rows(self) -> Iterator[Row]:
        for document in chain(map(orjson.loads, self._cold.values()), self._hot.values()):
            yield document_row(self._projection, document, self._partition)


class _AppendBuilder:
    """Writes rows as they come."""

    def __init__(self, projection: Append, engine: Engine) -> None:
        self._projection, self._engine = projection, engine
        self.parking = Parking()

    async def add(self, connection: Connection, records: Sequence[Item]) -> None:
        rows = folding.rows(self._projection, records, self.parking)
        await self._engine.copy(connection, rows)

    async def finish(self, _: Connection) -> None:
        """Nothing is kept back."""


class _TallyBuilder:
    """Sums the partition up, then adds it to the sums of the other partitions."""

    def __init__(self, projection: Tally, engine: Engine) -> None:
        self._projection, self._engine = projection, engine
        self._sums: folding.Amounts = {}
        self.parking = Parking()

    async def add(self, _: Connection, records: Sequence[Item]) -> None:
        folding.tally(self._projection, self._sums, records, self.parking)

    async def finish(self, connection: Connection) -> None:
        rows = folding.tally_rows(self._sums)
        for start in range(0, len(rows), _UPSERT_ROWS):
            await self._engine.upsert(connection, rows[start : start + _UPSERT_ROWS])


_Builder: TypeAlias = _FoldBuilder | _AppendBuilder | _TallyBuilder

_done: MutableSequence[int] = []
"""Per partition the offset that was reached; shared with the process that shows the progress."""


def begin(done: MutableSequence[int]) -> None:
    """Set a worker process up: `done` has one place per partition."""
    globals()["_done"] = done


def work(job: Job) -> None:
    """Do a job in a worker process; see `build`."""
    asyncio.run(build(job))
    gc.collect()


async def build(job: Job) -> None:
    """Replay one partition into its targets. Blocks the event loop while it reads.

    Raises:
        TooManyParked: more than single orders cannot be applied; nothing is built.
        IntegrityError: the log cannot be read on; nothing of the partition is built.
    """
    connection = await connect(job.database, statement_timeout_ms=0)
    engines = [Engine(t.projection, t.generation, "building", job.parked_max) for t in job.targets]
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = off")
            try:
                async with connection.transaction():
                    await _replay(connection, job, engines)
            except Exception as error:
                if not parking.is_refusal(error):
                    raise
                await _replay_in_steps(connection, job, engines)
    finally:
        await connection.close()


async def _replay(connection: Connection, job: Job, engines: Sequence[Engine]) -> None:
    builders = [
        _builder(target.projection, engine, job.partition)
        for target, engine in zip(job.targets, engines, strict=True)
    ]
    last: dict[int, Item] = {}
    for decoded in _decoded(job):
        for number, (target, builder) in enumerate(zip(job.targets, builders, strict=True)):
            records = _below(decoded.records, target.end)
            if records:
                await builder.add(connection, records)
                last[number] = records[-1]
    for number, (target, engine, builder) in enumerate(
        zip(job.targets, engines, builders, strict=True)
    ):
        await builder.finish(connection)
        recorded_at = moment(last[number].recorded_at_us) if number in last else None
        step = Step(job.partition, 0, target.end, recorded_at)
        await checkpoints.advance(connection, engine.place, [step])
        await builder.parking.save(connection, engine.place, job.parked_max)


async def _replay_in_steps(connection: Connection, job: Job, engines: Sequence[Engine]) -> None:
    """Do what the live projector does, within the one transaction of the partition.

    It needs the keys that are otherwise made at the end, so one partition after the other does it.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _STEPS_LOCK)
    for target in job.targets:
        await generations.create_indexes(connection, target.projection, target.generation)

    async def give_up(_: Move, error: Exception) -> None:
        raise error

    at = dict.fromkeys(range(len(engines)), 0)
    for decoded in _decoded(job):
        for number, (target, engine) in enumerate(zip(job.targets, engines, strict=True)):
            new = min(decoded.next_offset, target.end)
            if at[number] < new:
                records = tuple(_below(decoded.records, target.end))
                move = Move(job.partition, at[number], new, records)
                await settle([move], partial(_apply, connection, engine), give_up)
                at[number] = new


async def _apply(connection: Connection, engine: Engine, moves: Sequence[Move]) -> None:
    await engine.apply(connection, moves)


def _decoded(job: Job) -> Iterator[folding.Decoded]:
    """Read the partition; tell the process that shows the progress."""
    with LogReader(job.log) as reader:
        for batch in reader.read_range(job.partition, 0, max(t.end for t in job.targets)):
            yield folding.decode(batch)
            if len(_done):
                _done[job.partition] = batch.next_offset


def _below(records: Sequence[Item], end: int) -> Sequence[Item]:
    if not records or records[-1].offset < end:
        return records
    return [item for item in records if item.offset < end]


def _builder(projection: Projection, engine: Engine, partition: int) -> _Builder:
    if isinstance(projection, Fold):
        return _FoldBuilder(projection, engine, partition)
    if isinstance(projection, Append):
        return _AppendBuilder(projection, engine)
    return _TallyBuilder(projection, engine)
