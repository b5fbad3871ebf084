"""Rebuild: generation N+1 beside the live one, caught up, compared, and switched to."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from eventlog.log import LogIdentity, LogUnavailable
from eventlog.topics import Topics
from projectors import binding, checkpoints, generations
from projectors.database import Connection, Incompatible, connect
from projectors.engine import ORDERS_PARKED_MAX
from projectors.kinds import Projection
from projectors.replay import catching_up, parity, workers
from projectors.replay.built import Built, RebuildRefused
from projectors.replay.bulk import Job, Target
from projectors.replay.gate import Gate
from projectors.replay.workers import Report
from runtime.settings import DatabaseSettings, LogSettings

_LOCK = 0x6F726C72
"""The advisory lock's first half: 'orlr' as a number. One rebuild per projection at a time."""


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
            Incompatible: see `binding.bind` and `binding.require_same`.
            RebuildRefused: another rebuild is running.
            ParityFailed: the new rows are not the live rows; see there.
            Undecodable: this release would park orders that are served now.
            TooManyParked, IntegrityError: the log holds what this release cannot apply.
        """
        async with AsyncExitStack() as stack:
            control, work = [await stack.enter_async_context(self._connection()) for _ in range(2)]
            identity = await binding.bind(control, self._log)
            for projection in self._projections:
                await self._lock(control, projection.name)
            ends = await asyncio.to_thread(Topics(self._log).ends, identity.partitions)
            built = [await self._prepare(control, p, ends) for p in self._projections]
            try:
                await self._fill(work, built)
            except LogUnavailable:
                await binding.require_same(Topics(self._log), identity)
                raise
            await _side_by_side(self._index(one) for one in built)
            await catching_up.follow(self._log, work, built, self._parked_max)
            await _side_by_side(
                self._finish(one, identity, is_switching=is_switching) for one in built
            )
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
        if building:
            # It is ahead when nothing was live as it was built, or after a rollback.
            built = await checkpoints.load(control, building.place)
            is_ahead = live is not None and any(built[p] > end for p, end in targets.items())
            if is_ahead or building.function_version != projection.function_version:
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

    async def _index(self, one: Built) -> None:
        async with self._connection() as connection:
            await generations.create_indexes(connection, one.projection, one.place.generation)
            table = one.projection.table(one.place.generation)
            await connection.execute(f"ANALYZE {table.schema}.{table.name}")

    async def _finish(self, one: Built, identity: LogIdentity, *, is_switching: bool) -> None:
        async with Gate(self._log, self._connection, one, self._parked_max) as gate:
            await gate.compare()
            if is_switching:
                await gate.switch(identity)


async def _side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once; the first error ends the rest."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
