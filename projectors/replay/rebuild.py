"""Rebuild: generation N+1 beside the live one, caught up, compared, and switched to."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from eventlog.log import Undecodable
from eventlog.reader import LogReader
from eventlog.topics import Topics
from projectors import binding, checkpoints, generations
from projectors.checkpoints import Place
from projectors.database import Connection, Incompatible, connect
from projectors.engine import ORDERS_PARKED_MAX, Engine, Move
from projectors.follow import read_between
from projectors.kinds import Projection, Tally
from projectors.parked.settling import settle
from projectors.replay import parity, workers
from projectors.replay.bulk import Job, Target
from projectors.replay.workers import Report
from runtime.settings import DatabaseSettings, LogSettings

_LOCK = 0x6F726C72
"""The advisory lock's first half: 'orlr' as a number. One rebuild per projection at a time."""
_NEAR_OFFSETS = 500
_ROUNDS_MAX = 100


class RebuildRefused(Exception):  # noqa: N818 - the name is the state
    """Another rebuild of the projection is running, or the live projector cannot be caught."""


class ParityFailed(Exception):  # noqa: N818
    """The new generation differs from the live one though its function has not changed.

    It was dropped; the live one is untouched. `report` has the rows.
    """

    def __init__(self, report: parity.Report) -> None:
        super().__init__(
            f"the rebuilt {report.projection} differs from the live one: {report.old_rows} rows "
            f"live, {report.new_rows} rows rebuilt, {report.differing_buckets} of 256 groups of "
            "keys differ. The live one is still served. If the function was changed on purpose, "
            "raise its version; if not, either the function or the live rows are wrong: run "
            "`orderlog verify --all`"
        )
        self.report = report


@dataclass(slots=True)
class Built:
    """One projection's rebuild. `old` None: there was nothing live to compare with."""

    projection: Projection
    place: Place
    old: generations.Generation | None
    targets: Mapping[int, int]
    report: parity.Report | None = None
    is_live: bool = False

    @property
    def is_comparable(self) -> bool:
        """Tell whether the rows must be the same: of one function, and of the same orders.

        Sums over orders cannot be told apart by order, so those that were parked make them differ.
        """
        is_same = self.old is not None and (
            self.old.function_version == self.projection.function_version
        )
        has_more = self.report is not None and bool(self.report.taken_up)
        return is_same and not (has_more and isinstance(self.projection, Tally))


class Rebuild:
    """One run over some projections. Interrupt it at any time: a second run goes on."""

    def __init__(
        self,
        log: LogSettings,
        database: DatabaseSettings,
        projections: Sequence[Projection],
        *,
        workers_max: int = 1,
        parked_max: int = ORDERS_PARKED_MAX,
        report: Report = lambda *_: None,
    ) -> None:
        self._log, self._database = log, database
        self._projections = projections
        self._workers_max = workers_max
        self._parked_max = parked_max
        self._report = report

    async def run(self, *, is_switching: bool = True) -> list[Built]:
        """Build, compare, and switch unless told not to; return what was built.

        A generation that was built and not switched is brought up to date and used by the next
        run, unless the function's version has changed since.

        Raises:
            Incompatible: see `binding.bind`.
            RebuildRefused: another rebuild is running.
            ParityFailed: the new rows are not the live rows; see there.
            Undecodable: this release would park orders that are served now.
            TooManyParked, IntegrityError: the log holds what this release cannot apply.
        """
        async with AsyncExitStack() as stack:
            control, work, gate = [
                await stack.enter_async_context(self._connection()) for _ in range(3)
            ]
            identity = await binding.bind(control, self._log)
            for projection in self._projections:
                await self._lock(control, projection.name)
            ends = await asyncio.to_thread(Topics(self._log).ends, identity.partitions)
            built = [await self._prepare(control, p, ends) for p in self._projections]
            await self._fill(work, built)
            await self._index_all(built)
            for one in built:
                await self._compare(control, work, gate, one)
                if is_switching:
                    await self._switch(control, work, one)
            return built

    async def compare_only(self) -> parity.Report:
        """Build the one projection beside the live generation, compare, and remove what was built.

        A generation that an earlier `rebuild --no-switch` has left is brought up to date and kept.

        Raises:
            ParityFailed: the live rows are not what the log says; the report has the rows.
            Incompatible: nothing is live yet, or it was made by another function version.
            RebuildRefused, Undecodable, IntegrityError: see `run`.
        """
        (projection,) = self._projections
        async with self._connection() as connection:
            live = await generations.require_live(connection, projection.name)
            kept = await generations.find(connection, projection.name, "building")
            if live.function_version != projection.function_version:
                raise Incompatible(
                    f"the live {projection.name} was made by function version "
                    f"{live.function_version}, this release has {projection.function_version}: run "
                    f"`orderlog rebuild --projection {projection.name}` first"
                )
            (built,) = await self.run(is_switching=False)
            if kept is None:
                await generations.drop(connection, projection, built.place.generation)
        return built.report or parity.Report(projection.name)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await connect(self._database, statement_timeout_ms=0)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    async def _lock(self, control: Connection, name: str) -> None:
        if not await control.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK, name):
            raise RebuildRefused(f"another rebuild of {name} is running: wait for it, or end it")

    async def _prepare(
        self, control: Connection, projection: Projection, ends: Mapping[int, int]
    ) -> Built:
        """Find or make the generation to build, and say up to where.

        That is the live checkpoint, so that both can be compared; where nothing is live yet, it is
        the end of the log.
        """
        live = await generations.find(control, projection.name, "live")
        targets = dict(ends)
        if live is not None:
            at = await checkpoints.load(control, live.place)
            if any(at.values()):
                targets = at
            else:
                live = None
        building = await generations.find(control, projection.name, "building")
        if building and building.function_version != projection.function_version:
            await generations.drop(control, projection, building.generation)
            building = None
        place = (
            building.place if building else await generations.create(control, projection, len(ends))
        )
        return Built(projection, place, live, targets)

    async def _fill(self, work: Connection, built: Sequence[Built]) -> None:
        """Build the partitions that are not built yet, in parallel."""
        jobs: dict[int, list[Target]] = {}
        for one in built:
            at = await checkpoints.load(work, one.place)
            for partition, end in one.targets.items():
                if not at[partition] and end:
                    target = Target(one.projection, one.place.generation, end)
                    jobs.setdefault(partition, []).append(target)
        await workers.run(
            [
                Job(partition, tuple(targets), self._log, self._database, self._parked_max)
                for partition, targets in jobs.items()
            ],
            workers=self._workers_max,
            report=self._report,
        )

    async def _index_all(self, built: Sequence[Built]) -> None:
        """Make all indexes side by side; the first error ends the others."""
        tasks = [asyncio.create_task(self._index(one)) for one in built]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _index(self, one: Built) -> None:
        async with self._connection() as connection:
            await generations.create_indexes(connection, one.projection, one.place.generation)
            table = one.projection.table(one.place.generation)
            await connection.execute(f"ANALYZE {table.schema}.{table.name}")

    async def _compare(
        self, control: Connection, work: Connection, gate: Connection, one: Built
    ) -> None:
        """Hold the live projector for a moment, take a snapshot of both, and compare at leisure."""
        if one.old is None:
            return
        await self._catch_up(control, work, one)
        async with gate.transaction(isolation="repeatable_read", readonly=True):
            async with control.transaction():
                await self._hold(control, work, one)
                await gate.fetchval("SELECT 1")  # From here on, this is what the gate sees.
            generation = one.place.generation
            one.report = await parity.compare(gate, one.projection, one.old.generation, generation)
            parked = await parity.parked_only_in(
                gate, one.projection.name, generation, one.old.generation
            )
        if parked:
            await generations.drop(work, one.projection, generation)
            raise Undecodable(
                f"the rebuilt {one.projection.name} would park {len(parked)} orders that are "
                f"served now, the first because: {next(iter(parked.values()))}. It was "
                "dropped; the live one is still served"
            )
        if one.is_comparable and not one.report.is_equal:
            await generations.drop(work, one.projection, generation)
            raise ParityFailed(one.report)

    async def _switch(self, control: Connection, work: Connection, one: Built) -> None:
        """Put the views on the new generation, when it is exactly as far as the live one."""
        if one.old is not None:
            await self._catch_up(control, work, one)
        async with control.transaction():
            await self._hold(control, work, one)
            await generations.switch(control, one.projection, one.place.generation)
        one.is_live = True
        await generations.prune(control, one.projection)

    async def _catch_up(self, control: Connection, work: Connection, one: Built) -> None:
        """Follow the live checkpoint until it is near."""
        for _ in range(_ROUNDS_MAX):
            if await self._advance(control, work, one) <= _NEAR_OFFSETS:
                return
        raise RebuildRefused(
            f"the live projector of {one.projection.name} is faster than the rebuild: run it again "
            "when there is less traffic"
        )

    async def _hold(self, control: Connection, work: Connection, one: Built) -> None:
        """Stop the live projector until the end of the transaction; reach its checkpoint."""
        await control.execute(
            "SELECT 1 FROM orderlog.generations WHERE projection = $1 AND state = 'live' "
            "FOR UPDATE",
            one.projection.name,
        )
        await self._advance(control, work, one)

    async def _advance(self, control: Connection, work: Connection, one: Built) -> int:
        """Apply what the live generation has and the new one has not; return how many offsets."""
        live = await generations.find(control, one.projection.name, "live")
        if live is None:
            return 0
        engine = Engine(one.projection, one.place.generation, one.place.state, self._parked_max)
        await engine.load(work)
        at, goal = [await checkpoints.load(work, place) for place in (one.place, live.place)]
        behind = sum(max(0, end - at[partition]) for partition, end in goal.items())
        if not behind:
            return 0

        async def apply(moves: Sequence[Move]) -> None:
            await engine.apply(work, moves)

        with LogReader(self._log) as reader:
            for decoded in read_between(reader, at, goal, self._log.request_timeout_ms / 1000):
                old, at[decoded.partition] = at[decoded.partition], decoded.next_offset
                move = Move(decoded.partition, old, decoded.next_offset, decoded.records)
                await settle([move], apply, _give_up)
        return behind


async def _give_up(_: Move, error: Exception) -> None:
    raise error
