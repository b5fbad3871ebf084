"""`make bench`: what a command costs, against the guide's endpoint, on the same broker.

Rows are those of docs/performance.md. Every comparison is interleaved in this one run; a figure is
the median of the ratios taken inside each round, with the least and the greatest. A wrong or
missing answer ends the run: nothing is measured that is not correct.

BENCH_ROUNDS, BENCH_REQUESTS, BENCH_ORDERS and BENCH_PARTITIONS change how much is done.
"""

import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks import rows
from benchmarks.servers import Servers


def _number(name: str, default: int) -> int:
    said = os.environ.get(name, str(default))
    if not said.isdecimal() or not int(said):
        sys.exit(f"{name} is {said!r}: set it to a whole number above 0, or leave it out")
    return int(said)


ROUNDS = _number("BENCH_ROUNDS", 5)
REQUESTS = _number("BENCH_REQUESTS", 4_000)
ORDERS = _number("BENCH_ORDERS", 100_000)
PARTITIONS = _number("BENCH_PARTITIONS", 4)


def say(row: str, what: str, ratios: list[float], goal: str, unit: str = "x") -> None:
    """Print one row of the table."""
    middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
    print(f"| {row} | {what} | {middle:.2f}{unit} ({low:.2f} .. {high:.2f}) | {goal} |", flush=True)


def rounds(measure: Callable[[int], float]) -> list[float]:
    """Measure once to warm up, and then for the figure."""
    measure(0)
    return [measure(number) for number in range(1, ROUNDS + 1)]


def compare(servers: Servers) -> None:
    """Rows 1 to 5, the lone command first: nothing is left over from load."""
    ratios = rounds(lambda _: uvloop.run(rows.lone_over_bare(servers)))
    say("5", "p99 of a lone command / of a bare transaction", ratios, "<= 1.5")
    tails: list[float] = []
    for row, connections, goal in (("1", 256, ">= 3"), ("2", 64, ">= 2")):

        def ratio(number: int, connections: int = connections) -> float:
            ours, guide = rows.both(servers, connections, REQUESTS, is_ours_first=number % 2 == 0)
            print(
                f"  {connections}: ours {ours.rate:,.0f}/s, guide {guide.rate:,.0f}/s", flush=True
            )
            if number and connections == 256:  # noqa: PLR2004 - the connections of row 3
                tails.append(ours.percentile_s(0.99) / guide.percentile_s(0.99))
            return ours.rate / guide.rate

        say(row, f"POST /v1/orders / guide, {connections} connections", rounds(ratio), goal)
    say("3", "p99 / guide's p99, 256 connections", tails, "<= 0.4")
    ratios = rounds(lambda _: rows.batch_over_single(servers, REQUESTS))
    say("4", "orders in batches of 100 / single", ratios, ">= 3")
    ratios = rounds(lambda _: rows.goodput(servers, REQUESTS))
    say("-", "orders/s at twice the rate that can be taken / that rate", ratios, ">= 0.9")


def grow(servers: Servers) -> None:
    """Rows 10, 12 and 13: what history costs."""
    few_rate = rows.place_many(servers, ORDERS // 10)
    before = servers.memory_bytes()
    rows.place_many(servers, ORDERS - ORDERS // 10)
    added = (servers.memory_bytes() - before) / (ORDERS - ORDERS // 10)
    many_rate = rows.place_many(servers, ORDERS // 10)
    say("10", "memory per million orders", [added * 1e6 / 2**30], "<= 1", " GiB")
    say("12", "orders/s after ten times the history", [many_rate / few_rate], ">= 0.9")
    plain_s = rows.consume_s(servers)
    ready_s = servers.restart_after_kill()
    say("13", "ready after kill -9 / plain consumption", [ready_s / plain_s], "<= 1.5")


def main() -> None:
    """Start a broker and both servers, measure, stop them."""
    where = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
    print(f"{where}; {PARTITIONS} partitions, {ROUNDS} rounds of {REQUESTS:,} requests")
    print("| # | figure | median (min .. max) | must reach |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, Servers(Path(folder), PARTITIONS) as servers:
        compare(servers)
        grow(servers)


if __name__ == "__main__":
    sys.exit(main())
