"""MemoryLog: the port in memory, with Kafka's rules for transactions, markers and fencing.

For tests and simulation. `faults` is asked before every append and says what shall go wrong.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from enum import Enum, auto

from eventlog.log import Batch, Doubtful, Fenced, LogIdentity, Record, StoredRecord

_READ_RECORDS_MAX = 1_000


class Fault(Enum):
    """What happens to one append."""

    NONE = auto()
    LOST = auto()  # Not committed, and the caller does not know.
    ANSWER_LOST = auto()  # Committed, and the caller does not know.
    LATE = auto()  # Committed only when the next appender is opened: a decided, unfinished commit.


class MemoryLog:
    """Implements `EventLog`. An entry None is a transaction marker: an offset without a record."""

    def __init__(
        self, partitions: int = 4, faults: Callable[[int], Fault] = lambda _: Fault.NONE
    ) -> None:
        self._entries: list[list[StoredRecord | None]] = [[] for _ in range(partitions)]
        self._late: list[list[Record]] = [[] for _ in range(partitions)]
        self._epochs = [0] * partitions
        self.snapshots: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
        self.faults = faults

    async def identity(self) -> LogIdentity:
        """Say which log this is."""
        return LogIdentity("memory", "orders.events", "memory", len(self._entries))

    async def open_appender(self, partition: int) -> "MemoryAppender":
        """Fence earlier appenders and finish what was decided."""
        await asyncio.sleep(0)
        self._epochs[partition] += 1
        late, self._late[partition] = self._late[partition], []
        if late:
            self.commit(partition, late)
        return MemoryAppender(self, partition, self._epochs[partition])

    async def end(self, partition: int) -> int:
        """Return the offset after the last entry."""
        await asyncio.sleep(0)
        return len(self._entries[partition])

    async def high_watermark(self, partition: int) -> int:
        """Return the same: a transaction is here as a whole or not at all."""
        return await self.end(partition)

    async def read(self, partition: int, start: int, end: int) -> AsyncGenerator[Batch, None]:
        """Yield committed records; see the port."""
        position = start
        while position < end:
            await asyncio.sleep(0)
            upto = min(position + _READ_RECORDS_MAX, end)
            found = self._entries[partition][position:upto]
            position = upto
            yield Batch(partition, tuple(entry for entry in found if entry is not None), upto)

    async def saved(self, partition: int) -> AsyncIterator[Batch]:
        """Yield snapshot records; see the port."""
        await asyncio.sleep(0)
        found = [
            StoredRecord(partition, offset, 0, key, value)
            for offset, (key, value) in enumerate(self.snapshots[partition].items())
        ]
        yield Batch(partition, tuple(found), len(found))

    async def close(self) -> None:
        """Release nothing."""

    def records(self, partition: int) -> list[StoredRecord]:
        """Return everything committed, control records included."""
        return [entry for entry in self._entries[partition] if entry is not None]

    def commit(self, partition: int, records: Sequence[Record]) -> int:
        """Store `records` and a marker, whoever asks: tests plant foreign records with it."""
        entries = self._entries[partition]
        first = len(entries)
        for offset, record in enumerate(records, first):
            entries.append(StoredRecord(partition, offset, 0, record.key, record.value))
        entries.append(None)
        return first

    def is_current(self, partition: int, epoch: int) -> bool:
        """Tell whether no later appender was opened."""
        return self._epochs[partition] == epoch

    def postpone(self, partition: int, records: Sequence[Record]) -> None:
        """Leave a decided transaction to be finished by the next `open_appender`."""
        self._late[partition] = list(records)


class MemoryAppender:
    """Implements `Appender`."""

    def __init__(self, log: MemoryLog, partition: int, epoch: int) -> None:
        self._log = log
        self._partition = partition
        self._epoch = epoch
        self._is_usable = True

    async def append(self, records: Sequence[Record]) -> int:
        """Commit `records`, or do what the log's `faults` say."""
        await asyncio.sleep(0)
        fault = self._log.faults(self._partition)
        await asyncio.sleep(0)
        if not self._log.is_current(self._partition, self._epoch):
            self._is_usable = False
            raise Fenced(f"partition {self._partition} has a newer owner")
        if not self._is_usable:
            raise Doubtful("this appender failed before")
        self._is_usable = fault is Fault.NONE
        if fault is Fault.LOST:
            raise Doubtful("the transaction was lost")
        if fault is Fault.LATE:
            self._log.postpone(self._partition, records)
            raise Doubtful("the commit was not answered")
        first = self._log.commit(self._partition, records)
        if fault is Fault.ANSWER_LOST:
            raise Doubtful("the answer was lost")
        return first

    async def save(self, records: Sequence[Record]) -> None:
        """Store snapshot records unless another appender was opened."""
        await asyncio.sleep(0)
        if not self._log.is_current(self._partition, self._epoch):
            raise Fenced(f"partition {self._partition} has a newer owner")
        self._log.snapshots[self._partition].update(
            (record.key, record.value) for record in records
        )

    async def close(self) -> None:
        """Make it unusable."""
        self._is_usable = False
