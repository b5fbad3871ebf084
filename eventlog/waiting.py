"""What a writer is told to do, what waits for it, and what it has done."""

import asyncio
from dataclasses import dataclass

from eventlog.submission import Outcome, Submission


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """Names and limits of one writer. `snapshot_interval_s` 0: nothing is saved."""

    node: str
    source: str
    topic_id: str
    group_commands_max: int = 500
    group_bytes_max: int = 900_000
    queue_commands_max: int = 5_000
    hot_orders_max: int = 1_000
    snapshot_interval_s: float = 5.0


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
