"""How each figure of the read side is taken: on real processes, and only where all rows are there.

A figure begins when the database shows that a process has begun its work, so that nobody's
imports are measured.
"""

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
import uvloop

from benchmarks.guide_projector import TABLE as GUIDE_TABLE
from benchmarks.read_servers import ReadServers, connect
from projectors.read_models import PROJECTIONS

_PATIENCE_S = 3_600
_POLL_S = 0.01
_RAW = "orders_raw"


class ReadSide:
    """A database whose live generations hold the whole log, and others that come and go."""

    def __init__(self, servers: ReadServers, guide_events: int) -> None:
        self._servers = servers
        self._guide_events = guide_events
        self.url = servers.database()
        """Where everything is live; filled by the first `live`."""
        self._is_live = False

    def live(self) -> float:
        """Return the events a second of a projector that catches up from offset zero."""
        servers = self._servers
        url = servers.database() if self._is_live else self.url
        process = servers.start(url, "project")
        seconds = uvloop.run(until_applied(url, servers.ends(), process))
        servers.processes.end(process)
        uvloop.run(_check(url, servers))
        if self._is_live:
            servers.drop(url)
        self._is_live = True
        return servers.filled.events / seconds

    def rebuild(self, workers: int, *projections: str) -> float:
        """Return the events a second of a rebuild, compared and switched; none named: of all."""
        servers = self._servers
        names = [part for name in projections for part in ("--projection", name)]
        process = servers.begin(self.url, "rebuild", "--workers", str(workers), *names)
        started = uvloop.run(_until_building(self.url, process))
        built = servers.printed(process)
        seconds = time.perf_counter() - started
        if {one["projection"] for one in built} != set(projections or PROJECTIONS):
            raise AssertionError(f"not what was to be built: {built}")
        if not all(one["is_live"] and one["is_equal"] for one in built):
            raise AssertionError(f"not built, equal and live: {built}")
        uvloop.run(_check(self.url, servers))
        return servers.filled.events / seconds

    def raw(self) -> float:
        """Return the events a second of a plain COPY of the final rows of `orders`, and indexes."""
        return self._servers.filled.events / uvloop.run(_raw_s(self.url, self._servers))

    def guide(self) -> float:
        """Return the events a second of the tutorial's projector."""
        servers, events = self._servers, min(self._guide_events, self._servers.filled.events)
        settings = servers.settings
        where = [settings.kafka_bootstrap, settings.kafka_topic, str(settings.partitions)]
        process = servers.processes.start(
            [sys.executable, "-m", "benchmarks.guide_projector", *where, self.url, str(events)],
            {},
            is_heard=True,
        )
        seconds = float(servers.printed(process))
        uvloop.run(_check_guide(self.url, events))
        return events / seconds


async def _check(url: str, servers: ReadServers) -> None:
    """Make sure that every event is accounted for: one row of the timeline, one version."""
    filled = servers.filled
    connection = await connect(url)
    orders, versions = await connection.fetchrow(
        "SELECT count(*), sum(version)::bigint FROM read_models.orders"
    ) or (0, 0)
    timeline = await connection.fetchval("SELECT count(*) FROM read_models.timeline")
    await connection.close()
    if (orders, versions, timeline) != (filled.orders, filled.events, filled.events):
        raise AssertionError(f"{orders} orders, {versions} versions, {timeline} rows; not {filled}")


async def until_applied(
    url: str, ends: Mapping[int, int], process: "subprocess.Popen[bytes]"
) -> float:
    """Return the seconds from the first generations to the end of the log in all projections."""
    connection = await connect(url)
    wanted = {(name, partition): end for name in PROJECTIONS for partition, end in ends.items()}
    started = 0.0

    async def is_done() -> bool:
        nonlocal started
        found = await connection.fetch(
            "SELECT projection, partition, next_offset FROM orderlog.live_checkpoints"
        )
        started = started or (time.perf_counter() if found else 0.0)
        return {(name, partition): offset for name, partition, offset in found} == wanted

    await _until(is_done, process, "the end of the log")
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds


async def _until_building(url: str, process: "subprocess.Popen[bytes]") -> float:
    """Return the moment in which the first generation is there that is building."""
    connection = await connect(url)

    async def is_building() -> bool:
        found: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM orderlog.generations WHERE state = 'building')"
        )
        return found

    await _until(is_building, process, "a generation that is building")
    started = time.perf_counter()
    await connection.close()
    return started


async def _until(
    condition: Callable[[], Awaitable[bool]], process: "subprocess.Popen[bytes]", what: str
) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not await condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not reach {what}")
        await asyncio.sleep(_POLL_S)


async def _raw_s(url: str, servers: ReadServers) -> float:
    """Return the seconds that COPY into a fresh table and the same indexes take."""
    connection = await connect(url)
    live = await connection.fetchval(
        "SELECT generation FROM orderlog.generations WHERE projection = 'orders' AND state = 'live'"
    )
    table = f"orders_g{live}"
    rows = io.BytesIO()
    await connection.copy_from_table(table, schema_name="read_models", output=rows, format="binary")
    rows.seek(0)
    made = await connection.fetch(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'read_models' AND tablename = $1", table
    )
    indexes = [row[0].replace(table, _RAW) for row in made]
    drop = f"DROP TABLE IF EXISTS read_models.{_RAW}"
    await connection.execute(drop)
    started = time.perf_counter()
    await connection.execute(f"CREATE TABLE read_models.{_RAW} (LIKE read_models.{table})")
    await connection.copy_to_table(_RAW, schema_name="read_models", source=rows, format="binary")
    for statement in indexes:
        await connection.execute(statement)
    seconds = time.perf_counter() - started
    found = await connection.fetchval(f"SELECT count(*) FROM read_models.{_RAW}")
    await connection.execute(drop)
    await connection.close()
    if found != servers.filled.orders:
        raise AssertionError(f"{found} rows were copied, there are {servers.filled.orders} orders")
    return seconds


async def _check_guide(url: str, events: int) -> None:
    """Make sure that the tutorial's projector has applied every event: each is one version.

    An order that has come as far as ours must be the same row.
    """
    connection = await asyncpg.connect(url)  # The owner's table, not the projectors'.
    versions = await connection.fetchval(f"SELECT sum(version)::bigint FROM {GUIDE_TABLE}")
    different = await connection.fetchval(
        f"SELECT count(*) FROM {GUIDE_TABLE} g JOIN read_models.orders o USING (order_id, version) "
        "WHERE g::text <> o::text"
    )
    await connection.close()
    if versions != events or different:
        raise AssertionError(f"{versions} events of {events}; {different} rows differ from ours")
