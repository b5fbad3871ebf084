"""What a writer is told to do, what waits for it, whose turn it is, and what it has done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eventlog.submission import Outcome, Submission


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
    """What a writer has done; read by metrics and by tests that gate on counts."""

    transactions: int = 0
    commands: int = 0
    doubts: int = 0
    fences: int = 0
    acquisitions: int = 0
    snapshots: int = 0


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
