"""`make bench`: what a command costs, and what reading costs, against what the tutorials show.

Rows are those of docs/performance.md. Every comparison is interleaved in this one run; a figure is
the median of the ratios taken inside each round, with the least and the greatest. A wrong or
missing answer or row ends the run: nothing is measured that is not correct.

BENCH_ROWS (write, read or all) chooses what is done; BENCH_ROUNDS, BENCH_REQUESTS, BENCH_ORDERS,
BENCH_EVENTS, BENCH_GUIDE_EVENTS and BENCH_PARTITIONS change how much.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks import rows
from benchmarks.asked import choice, machine, number
from benchmarks.queries import Queries
from benchmarks.read_rows import ReadSide
from benchmarks.read_servers import ReadServers
from benchmarks.servers import Servers

ROWS = choice("BENCH_ROWS", ("all", "write", "read"), "all")
ROUNDS = number("BENCH_ROUNDS", 5)
REQUESTS = number("BENCH_REQUESTS", 16_000)
ORDERS = number("BENCH_ORDERS", 100_000)
EVENTS = number("BENCH_EVENTS", 400_000)
GUIDE_EVENTS = number("BENCH_GUIDE_EVENTS", 5_000)
PARTITIONS = number("BENCH_PARTITIONS", 4)
_CONNECTIONS = 64


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


def replay(servers: ReadServers) -> str:
    """Rows 6 to 9; return the address of the database that then holds everything."""
    seconds = servers.fill(EVENTS)
    filled = servers.filled
    print(f"  {filled.events:,} events of {filled.orders:,} orders, written in {seconds:.0f} s")
    side = ReadSide(servers, GUIDE_EVENTS)
    side.live()  # The rows that the rebuilds are compared with.
    measures: dict[str, Callable[[], float]] = {
        "tutorial": side.guide,
        "live": side.live,
        "rebuild, 1 worker": lambda: side.rebuild(1),
        "rebuild, 2 workers": lambda: side.rebuild(2),
        "rebuild of orders, 2 workers": lambda: side.rebuild(2, "orders"),
        "COPY of orders": side.raw,
    }
    found: list[dict[str, float]] = []
    for number_of_round in range(ROUNDS):
        first = number_of_round % len(measures)
        turns = list(measures)[first:] + list(measures)[:first]
        found.append({name: measures[name]() for name in turns})
        rates = (f"{name} {rate:,.0f}" for name, rate in found[-1].items())
        print(f"  events/s: {', '.join(rates)}", flush=True)

    def over(name: str, other: str) -> list[float]:
        return [rates[name] / rates[other] for rates in found]

    of_all, of_orders = "rebuild, 2 workers", "rebuild of orders, 2 workers"
    say("6", "rebuild of all read models / tutorial projector", over(of_all, "tutorial"), ">= 30")
    say("7", "rebuild of orders / COPY and indexes", over(of_orders, "COPY of orders"), ">= 0.10")
    say("8", "rebuild, 2 workers / 1 worker", over(of_all, "rebuild, 1 worker"), ">= 1.4")
    say("9", "live projection / tutorial projector", over("live", "tutorial"), ">= 10")
    return side.url


def ask(servers: ReadServers, url: str) -> None:
    """Row 11: one order at a time."""
    queries = Queries(servers, url, _CONNECTIONS)

    def ratio(number_of_round: int) -> float:
        ours, guide = queries.both(REQUESTS, is_ours_first=number_of_round % 2 == 0)
        print(f"  GET: ours {ours.rate:,.0f}/s, guide {guide.rate:,.0f}/s", flush=True)
        return ours.rate / guide.rate

    say("11", f"GET /v1/orders/{{id}} / guide, {_CONNECTIONS} connections", rounds(ratio), ">= 2")
    queries.close()


def main() -> None:
    """Start what is to be measured and what it is compared with, measure, stop them."""
    print(f"{machine()}; {PARTITIONS} partitions, {ROUNDS} rounds of {REQUESTS:,} requests")
    print("| # | figure | median (min .. max) | must reach |\n|---|---|---|---|", flush=True)
    if ROWS != "read":
        with tempfile.TemporaryDirectory() as folder, Servers(Path(folder), PARTITIONS) as servers:
            compare(servers)
            grow(servers)
    if ROWS != "write":
        with (
            tempfile.TemporaryDirectory() as folder,
            ReadServers(Path(folder), PARTITIONS) as read_servers,
        ):
            ask(read_servers, replay(read_servers))


if __name__ == "__main__":
    main()
