"""`make chaos`: three brokers, three command nodes, clients, faults by seed, and the checkers.

Ends by itself. Exit code 1: a guarantee did not hold; the history is kept for whoever looks.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from .checkers import violations
from .clients import Clients, Tally
from .history import Operation, write
from .nemesis import Nemesis
from .world import World

_EVERY_S = 5.0
_SETTLE_S = 120.0


@dataclass
class Report:
    """What a run came to."""

    seed: int
    seconds: float
    injected: dict[str, int]
    acknowledged: int
    refused: int
    unknown: int
    had_happened: int
    events: int
    in_blackout: int
    wrong: list[str]

    def lines(self) -> list[str]:
        """Return the report for people."""

        def count(*marks: str) -> int:
            return sum(any(mark in one for mark in marks) for one in self.wrong)

        faults = ", ".join(f"{kind} {number}" for kind, number in sorted(self.injected.items()))
        sums = {
            "lost": count("C1"),
            "doubled": count("C5"),
            "torn": count("C4"),
            "zombie appends": count("C3", "C7"),
            "aborted reads": count("C2"),
            "not linear": count("C8"),
            "2xx while two of three were down": self.in_blackout,
        }
        return [
            f"seed {self.seed}, {self.seconds:.0f} s, {sum(self.injected.values())} faults",
            f"faults: {faults}",
            f"commands acknowledged {self.acknowledged:,}, refused {self.refused:,}",
            f"events in the log {self.events:,}",
            f"unknown at first {self.unknown:,}, of which {self.had_happened:,} had happened",
            ", ".join(f"{name} = {number}" for name, number in sums.items()),
            *self.wrong[:20],
        ]


async def live(
    folder: Path,
    seed: int,
    clients: int,
    faults: Callable[[Nemesis], Awaitable[None]],
    say: Callable[[str], None],
) -> Report:
    """Run clients while `faults` happen; heal, settle what is unknown, and check."""
    async with World(folder) as world:
        crowd = Clients(world.urls, seed, clients)
        nemesis = Nemesis(world, random.Random(seed))
        started = time.monotonic()
        running = asyncio.create_task(crowd.run())
        telling = asyncio.create_task(_tell(crowd, nemesis, started, say))
        try:
            await faults(nemesis)
            await world.until_served()
        finally:
            crowd.until.set()
            telling.cancel()
            await running
        seconds = time.monotonic() - started
        await crowd.settle(_SETTLE_S)
        log = await world.log()
        unknown = [one for one in crowd.operations if one.unknown_s]
        write(crowd.operations, folder / "history.jsonl")
        return Report(
            seed,
            seconds,
            dict(nemesis.injected),
            sum(bool(one.accepted) for one in crowd.operations),
            sum(bool(one.answers) and not one.accepted for one in crowd.operations),
            len(unknown),
            sum(bool(one.answers[0].body.get("replayed")) for one in unknown),
            len(log.events),
            _in_blackout(crowd.operations, nemesis.blackouts),
            violations(crowd.operations, log),
        )


async def _tell(
    clients: Clients, nemesis: Nemesis, started: float, say: Callable[[str], None]
) -> None:
    while True:
        clients.tally = Tally()
        await asyncio.sleep(_EVERY_S)
        last = clients.tally
        say(
            f"{time.monotonic() - started:5.0f} s  {last.accepted / _EVERY_S:6.0f} 2xx/s  "
            f"{last.refused / _EVERY_S:6.0f} 4xx/s  {last.unknown / _EVERY_S:6.0f} unknown/s  "
            f"{', '.join(sorted(nemesis.active))}"
        )


def _in_blackout(operations: list[Operation], blackouts: list[tuple[float, float]]) -> int:
    """Count commands that were sent and newly accepted while nothing could be replicated."""
    return sum(
        began < answer.sent_s and answer.at_s < ended
        for one in operations
        for answer in one.accepted
        if answer.body["events"] and not answer.body["replayed"]
        for began, ended in blackouts
    )


def main() -> int:
    """Read the command line, run, print, judge."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--clients", type=int, default=16)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="orderlog-chaos-"))

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    say(f"seed {given.seed}; logs and history: {folder}")

    async def faults(nemesis: Nemesis) -> None:
        await nemesis.run(given.minutes * 60)

    report = asyncio.run(live(folder, given.seed, given.clients, faults, say))
    say("\n".join(report.lines()))
    return 1 if report.wrong or report.in_blackout else 0


if __name__ == "__main__":
    sys.exit(main())
