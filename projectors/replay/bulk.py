"""One partition into new generations at full speed: fold in memory, COPY, one transaction.

Runs in worker processes, a partition at a time. A partition is built whole or not at all, so what
was interrupted is simply built again.
"""

import asyncio
from collections.abc import Iterator, MutableSequence, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from domain.events import Recorded
from eventlog.log import Undecodable
from eventlog.reader import LogReader
from projectors import checkpoints, folding
from projectors.checkpoints import Step
from projectors.database import Connection, connect
from projectors.engine import Engine, document_row
from projectors.kinds import Append, Document, Fold, Projection, Row, Tally
from projectors.read_models.times import moment
from runtime.settings import DatabaseSettings, LogSettings

HOT_DOCUMENTS_MAX = 50_000
"""So many documents stay as they are in memory; the others wait as JSON, about 1 KB each."""

_UPSERT_ROWS = 10_000


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


class _FoldBuilder:
    """Keeps the orders of a partition, those that were not touched lately as JSON."""

    def __init__(self, projection: Fold, engine: Engine, partition: int) -> None:
        self._projection, self._engine, self._partition = projection, engine, partition
        self._hot: dict[str, Document] = {}
        self._cold: dict[str, bytes] = {}

    async def add(self, _: Connection, records: Sequence[Recorded]) -> None:
        hot, cold = self._hot, self._cold
        if cold:
            for order_id in {recorded.order_id for recorded in records} - hot.keys():
                packed = cold.pop(order_id, None)
                if packed is not None:
                    hot[order_id] = orjson.loads(packed)
        folding.fold(self._projection, hot, records)
        if len(hot) > HOT_DOCUMENTS_MAX:
            cold.update((order_id, orjson.dumps(document)) for order_id, document in hot.items())
            hot.clear()

    async def finish(self, connection: Connection) -> None:
        await self._engine.copy(connection, self._rows())

    def _rows(self) -> Iterator[Row]:
        for packed in self._cold.values():
            yield self._projection.row(orjson.loads(packed), packed.decode(), self._partition)
        for document in self._hot.values():
            yield document_row(self._projection, document, self._partition)


class _AppendBuilder:
    """Writes rows as they come."""

    def __init__(self, projection: Append, engine: Engine) -> None:
        self._projection, self._engine = projection, engine

    async def add(self, connection: Connection, records: Sequence[Recorded]) -> None:
        await self._engine.copy(connection, folding.rows(self._projection, records))

    async def finish(self, _: Connection) -> None:
        """Nothing is kept back."""


class _TallyBuilder:
    """Sums the partition up, then adds it to the sums of the other partitions."""

    def __init__(self, projection: Tally, engine: Engine) -> None:
        self._projection, self._engine = projection, engine
        self._sums: folding.Amounts = {}

    async def add(self, _: Connection, records: Sequence[Recorded]) -> None:
        folding.tally(self._projection, self._sums, records)

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


async def build(job: Job) -> None:
    """Replay one partition into its targets. Blocks the event loop while it reads.

    Raises:
        Undecodable, IntegrityError: the log cannot be read on; nothing of the partition is built.
    """
    connection = await connect(job.database, statement_timeout_ms=0)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = off")
            await _replay(connection, job)
    finally:
        await connection.close()


async def _replay(connection: Connection, job: Job) -> None:
    engines = [Engine(t.projection, t.generation, "building") for t in job.targets]
    builders = [
        _builder(target.projection, engine, job.partition)
        for target, engine in zip(job.targets, engines, strict=True)
    ]
    last: dict[int, Recorded] = {}
    with LogReader(job.log) as reader:
        for batch in reader.read_range(job.partition, 0, max(t.end for t in job.targets)):
            decoded = folding.decode(batch)
            if decoded.fault is not None and any(decoded.next_offset < t.end for t in job.targets):
                raise Undecodable(decoded.fault)
            for number, (target, builder) in enumerate(zip(job.targets, builders, strict=True)):
                records = _below(decoded.records, target.end)
                if records:
                    await builder.add(connection, records)
                    last[number] = records[-1]
            if len(_done):
                _done[job.partition] = batch.next_offset
    for number, (target, engine, builder) in enumerate(
        zip(job.targets, engines, builders, strict=True)
    ):
        await builder.finish(connection)
        recorded_at = moment(last[number].recorded_at_us) if number in last else None
        step = Step(job.partition, 0, target.end, recorded_at)
        await checkpoints.advance(connection, engine.place, [step])


def _below(records: Sequence[Recorded], end: int) -> Sequence[Recorded]:
    if not records or records[-1].offset < end:
        return records
    return [recorded for recorded in records if recorded.offset < end]


def _builder(projection: Projection, engine: Engine, partition: int) -> _Builder:
    if isinstance(projection, Fold):
        return _FoldBuilder(projection, engine, partition)
    if isinstance(projection, Append):
        return _AppendBuilder(projection, engine)
    return _TallyBuilder(projection, engine)
