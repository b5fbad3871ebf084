"""What a writer is told to do, what waits for it, whose turn it is, and what it has done."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from prometheus_client import Histogram

from eventlog.log import Fenced
from eventlog.submission import Outcome, Submission
from runtime.telemetry import LATENCY_BUCKETS_S

TRANSACTION_SECONDS = Histogram(
    "orderlog_transaction_seconds",
    "From the begin of a group's transaction to its commit.",
    buckets=LATENCY_BUCKETS_S,
)
GROUP_COMMANDS = Histogram(
    "orderlog_group_commands",
    "Commands that were decided and answered together.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
)
DOUBT_SECONDS = Histogram(
    "orderlog_doubt_seconds",
    "From the doubt about a transaction to serving again.",
    buckets=LATENCY_BUCKETS_S,
)


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """Names and limits of one writer. `snapshot_interval_s` 0: nothing is saved.

    After `patience_s` of doubt whoever waits is told that the outcome is unknown.
    """

    node: str
    source: str
    topic_id: str
    group_commands_max: int = 500
    group_bytes_max: int = 900_000
    queue_commands_max: int = 5_000
    hot_orders_max: int = 1_000
    snapshot_interval_s: float = 10.0
    patience_s: float = 15.0


@dataclass(slots=True)
class Waiting:
    """A command in the queue. The future holds its answer as a value, refusals included."""

    submission: Submission
    answer: asyncio.Future[Outcome | Exception]
    is_doubtful: bool = False


@dataclass(slots=True)
class Counts:
    """What one writer has done; the histograms above are of all writers of a node."""

    transactions: int = 0
    commands: int = 0
    doubts: int = 0
    fences: int = 0
    acquisitions: int = 0
    snapshots: int = 0
    doubtful_since_s: float | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Count a transaction that is committed, and time any."""
        with TRANSACTION_SECONDS.time():
            yield
        self.transactions += 1

    def answered(self, commands: int) -> None:
        """Count the commands of a group."""
        self.commands += commands
        GROUP_COMMANDS.observe(commands)

    def doubted(self, error: Exception) -> float:
        """Count a doubt; return for how many seconds it has lasted, with those just before it."""
        self.doubts += 1
        self.fences += isinstance(error, Fenced)
        now_s = time.monotonic()
        if self.doubtful_since_s is None:
            self.doubtful_since_s = now_s
        return now_s - self.doubtful_since_s

    def acquired(self) -> None:
        """Count a takeover, and the end of a doubt if there was one."""
        self.acquisitions += 1
        if self.doubtful_since_s is not None:
            DOUBT_SECONDS.observe(time.monotonic() - self.doubtful_since_s)
            self.doubtful_since_s = None


class Turns:
    """Lets `at_once` commits go on at a time; the others gather larger groups meanwhile.

    A transaction costs a node about the same for one command and for a hundred, so few and large
    ones are quicker than many small ones. A slow commit gives up its turn after `patience_s` and
    goes on without: a partition whose broker is gone must not hold up the others.
    """

    def __init__(self, at_once: int, patience_s: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._patience_s = patience_s

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, first come, first served."""
        await self._free.acquire()
        is_held = True

        def give_up() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._free.release()

        slow = asyncio.get_running_loop().call_later(self._patience_s, give_up)
        try:
            yield
        finally:
            slow.cancel()
            give_up()
