"""A rebuild of everything while commands and queries go on, on a stack of its own.

`python -m benchmarks.under_traffic` fills a log, builds the read models, and rebuilds them under
an open loop of commands and one of reads. It ends by itself: 0, or 1 when a read failed, a row
differs, or an event is not accounted for. BENCH_EVENTS, BENCH_RATE (a second, of each of the two),
BENCH_WORKERS and BENCH_PARTITIONS change what is done.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import uvloop

from benchmarks.asked import machine, number
from benchmarks.asking import Commands, Reads
from benchmarks.processes import wait_for
from benchmarks.read_rows import until_applied
from benchmarks.read_servers import ReadServers, connect
from benchmarks.traffic import Answers, OpenLoop

EVENTS = number("BENCH_EVENTS", 1_000_000)
RATE = number("BENCH_RATE", 500)
WORKERS = number("BENCH_WORKERS", 2)
PARTITIONS = number("BENCH_PARTITIONS", 4)
_BEFORE_S = 30
_AFTER_S = 5
_LOOK_S = 0.5
_REBUILD_S = 3_600
_READ_ORDERS = 10_000


@dataclass(slots=True)
class Rebuilt:
    """A rebuild from its start to its end, and the most memory that its processes held at once."""

    start_s: float
    end_s: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What went on before the rebuild, during it, and in all."""

    rebuilt: Rebuilt
    reads: dict[str, Answers]
    commands: dict[str, Answers]


async def _rebuild(process: "subprocess.Popen[bytes]") -> Rebuilt:
    """Look at the processes of a rebuild until it ends."""
    seen = Rebuilt(monotonic())
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        if monotonic() - seen.start_s > _REBUILD_S:
            process.kill()
        held = 0
        for one in (parent, *_children(parent)):
            try:
                held += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        seen.peak_bytes = max(seen.peak_bytes, held)
        await asyncio.sleep(_LOOK_S)
    seen.end_s = monotonic()
    return seen


def _children(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return parent.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


async def _with_traffic(servers: ReadServers, url: str) -> tuple[Seen, Any]:
    """Rebuild under traffic; return what was seen, and the process that rebuilt."""
    reads = OpenLoop(servers.query_port, RATE, Reads(await _orders(url)).next)
    commands = OpenLoop(servers.command_port, RATE, Commands().next)
    stop = asyncio.Event()
    traffic = asyncio.gather(reads.run(stop), commands.run(stop))
    started_s = monotonic()
    await asyncio.sleep(_BEFORE_S)
    process = servers.begin(url, "rebuild", "--workers", str(WORKERS))
    rebuilt = await _rebuild(process)
    await asyncio.sleep(_AFTER_S)
    stop.set()
    await traffic
    times = {
        "before": (started_s, rebuilt.start_s),
        "during": (rebuilt.start_s, rebuilt.end_s),
        "in all": (started_s, monotonic()),
    }
    return Seen(
        rebuilt,
        {name: reads.between(*between) for name, between in times.items()},
        {name: commands.between(*between) for name, between in times.items()},
    ), process


async def _orders(url: str) -> list[tuple[str, str]]:
    connection = await connect(url)
    rows = await connection.fetch(
        "SELECT order_id::text, customer_id FROM read_models.orders "
        "ORDER BY md5(order_id::text) LIMIT $1",
        _READ_ORDERS,
    )
    await connection.close()
    return [tuple(row) for row in rows]


async def _counts(url: str) -> tuple[int, int]:
    """Return how many orders and events are served."""
    connection = await connect(url)
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM read_models.orders), "
        "(SELECT count(*) FROM read_models.timeline)"
    )
    await connection.close()
    return tuple(row or (0, 0))


def _prepare(servers: ReadServers, url: str) -> "list[subprocess.Popen[bytes]]":
    """Fill the log, build the first generations, start what serves; return the processes."""
    seconds = servers.fill(EVENTS)
    filled = servers.filled
    print(
        f"log: {filled.events:,} events of {filled.orders:,} orders in {seconds:.0f} s", flush=True
    )
    started = monotonic()
    servers.printed(servers.begin(url, "rebuild", "--workers", str(WORKERS)))
    seconds = monotonic() - started
    rate = filled.events / seconds
    print(f"first build, nothing else running: {seconds:.0f} s, {rate:,.0f} events/s", flush=True)
    started = monotonic()
    command = servers.serve(url, "command")
    print(f"command node: ready after {monotonic() - started:.0f} s", flush=True)
    project = servers.start(url, "project")
    uvloop.run(until_applied(url, servers.ends(), project))
    query = servers.serve(url, "query")
    wait_for(f"http://127.0.0.1:{servers.query_port}/readyz", query)
    return [command, project, query]


def _tell(servers: ReadServers, seen: Seen) -> None:
    """Print what was seen."""
    rebuilt = seen.rebuilt
    seconds = rebuilt.end_s - rebuilt.start_s
    events = servers.filled.events
    print(
        f"rebuild under traffic, {WORKERS} workers: {events:,} events and what came meanwhile in "
        f"{seconds / 60:.1f} min, {events / seconds:,.0f} events/s; "
        f"memory of its processes at most {rebuilt.peak_bytes / 2**20:,.0f} MiB"
    )
    print("| | due/s | good/s | good | not good, by status | not sent | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, parts in (("commands", seen.commands), ("reads", seen.reads)):
        for when, part in parts.items():
            print(
                f"| {kind} {when} | {RATE} | {part.good / part.seconds:,.0f} | {part.good:,} | "
                f"{part.bad() or 0} | {part.held_back:,} | {part.percentile_ms(0.5):,.1f} | "
                f"{part.percentile_ms(0.99):,.1f} |",
                flush=True,
            )


def _wrong(servers: ReadServers, url: str, seen: Seen, process: Any) -> list[str]:
    """Say what is not as it must be; prints what is."""
    found = []
    try:
        built = servers.printed(process)
        print(f"rebuild says: {built}")
        if not all(one["is_live"] and one["is_equal"] for one in built):
            found.append("the rebuilt generations are not equal and live")
    except RuntimeError as error:
        found.append(str(error))
    if seen.reads["in all"].bad():
        found.append(f"reads have failed: {seen.reads['in all'].bad()}")
    commands = seen.commands["in all"]
    added = uvloop.run(_counts(url))[1] - servers.filled.events
    unknown = sum(commands.bad().values())
    print(f"{commands.good:,} commands were accepted; the timeline has {added:,} events more")
    if not commands.good <= added <= commands.good + unknown:
        found.append(f"{added} events came of {commands.good} commands that were accepted")
    try:
        verified = servers.printed(servers.begin(url, "verify", "--all", "--workers", str(WORKERS)))
        print(f"verify --all says: {verified}", flush=True)
    except RuntimeError as error:
        found.append(str(error))
    return found


def main() -> int:
    """Do it all; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Whoever ends us ends our processes.
    print(f"{machine()}; {PARTITIONS} partitions, {RATE}/s of commands and {RATE}/s of reads")
    with (
        tempfile.TemporaryDirectory() as folder,
        ReadServers(Path(folder), PARTITIONS) as servers,
    ):
        url = servers.database()
        command, project, _ = _prepare(servers, url)
        seen, process = uvloop.run(_with_traffic(servers, url))
        _tell(servers, seen)
        servers.processes.end(command)
        uvloop.run(until_applied(url, servers.ends(), project))
        wrong = _wrong(servers, url, seen, process)
    for one in wrong:
        print(f"WRONG: {one}")
    print("everything is equal, and no read has failed" if not wrong else "see above")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
