"""The port: a partitioned log with one fenced appender per partition, and its errors.

LogError
├── LogUnavailable   no answer in time, or the partition is moving: retry after a pause
├── Doubtful         the outcome of an append is unknown: open again and read what is there
│   └── Fenced       another appender of this partition was opened: stop, or open again
├── IntegrityError   the log contradicts itself: halt the partition, a person must look
├── Undecodable      bytes that no event of this release is made of: stop or park, never skip
└── TopicMismatch    the topic is not what the code or the state was built for (exit code 4)
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct


class LogError(Exception):
    """Any fault of the log."""


class LogUnavailable(LogError):  # noqa: N818 - the name is the state
    """No answer in time. Nothing is known to be wrong: retry after a pause."""


class Doubtful(LogError):  # noqa: N818
    """The append may or may not have happened. Open a new appender and read the log to know."""


class Fenced(Doubtful):
    """Another appender of the same partition was opened later."""


class IntegrityError(LogError):
    """The log contradicts itself (a gap, a repeat, a broken chain). Halt and call a person."""


class Undecodable(LogError):  # noqa: N818
    """A record that this release cannot read. Stop or park it, never skip it."""


class TopicMismatch(LogError):  # noqa: N818
    """The topic's settings, partitions or identity differ from what is needed."""


class Record(Struct, frozen=True, gc=False):
    """What is appended: key and value bytes, and headers for consumers that do not decode."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class StoredRecord(Struct, frozen=True, gc=False):
    """What was committed, with its place. `value` None is a tombstone, which we never write."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes | None


class LogIdentity(Struct, frozen=True, gc=False):
    """Which log this is: a topic that was deleted and made again has another `topic_id`."""

    cluster_id: str
    topic: str
    topic_id: str
    partitions: int


class Batch(Struct, frozen=True):
    """Committed records of one partition, oldest first, and the position after them.

    `next_offset` is past transaction markers and removed records, so it reaches the end of the
    log even when `records` is empty.
    """

    partition: int
    records: tuple[StoredRecord, ...]
    next_offset: int


class Appender(Protocol):
    """The one fenced writer of one partition."""

    async def append(self, records: Sequence[Record]) -> int:
        """Commit all of `records` (at least one) in one transaction; return the first's offset.

        The records get contiguous offsets. Any exception leaves this appender unusable.

        Raises:
            Fenced: another appender took over; nothing of ours will be appended from now on.
            Doubtful: unknown outcome, or the commit was too slow to be trusted.
        """

    async def save(self, records: Sequence[Record]) -> None:
        """Store snapshot records, all or none, under the same fence. Needs no place in the log.

        Raises:
            Fenced, Doubtful: as with `append`; this appender is unusable. Nothing is lost: see
                `eventlog.state.snapshots`.
        """

    async def close(self) -> None:
        """Let go within about a second, whatever the broker does. Never raises."""


class EventLog(Protocol):
    """A partitioned, append-only log of committed records."""

    async def identity(self) -> LogIdentity:
        """Say which log this is."""

    async def open_appender(self, partition: int) -> Appender:
        """Fence every earlier appender of `partition`, finish or abort what it had open.

        Once this returns, nothing of an earlier appender can appear any more: `end` read after it
        covers all that was ever acknowledged.

        Raises:
            LogUnavailable: no answer within the acquire deadline.
        """

    async def end(self, partition: int) -> int:
        """Return the last stable offset: where a reader of committed records is caught up.

        Raises:
            LogUnavailable: no answer in time.
        """

    async def high_watermark(self, partition: int) -> int:
        """Return the offset after the last replicated record, committed or not.

        An owner that finds nothing past its own last transaction still is the owner: whoever takes
        over marks the log before it serves.

        Raises:
            LogUnavailable: no answer in time.
        """

    def read(self, partition: int, start: int, end: int) -> AsyncGenerator[Batch, None]:
        """Yield the committed records in `start <= offset < end`; finish at `end` exactly.

        Nothing is fetched for whoever takes no further batch but what is on its way; close the
        generator to let go of connections before it is finished.

        Raises:
            LogUnavailable: no progress within the request timeout.
            IntegrityError: `start` is no longer in the log.
        """

    def saved(self, partition: int) -> AsyncIterator[Batch]:
        """Yield all snapshot records of a partition; the last one of a key is the one that counts.

        Raises:
            TopicMismatch: there is no place for snapshots.
            LogUnavailable: no progress within the request timeout.
        """

    async def close(self) -> None:
        """Release connections."""
