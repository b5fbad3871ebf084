"""A real topic that fills, and a live projector beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from eventlog import codec
from eventlog.kafka import KafkaLog
from eventlog.log import Batch, Doubtful, Record, StoredRecord
from eventlog.topics import Topics
from eventlog.transactions.appender import KafkaAppender
from projectors import folding
from projectors.live import Live
from projectors.read_models import PROJECTIONS
from runtime.settings import DatabaseSettings, LogSettings, ProjectorSettings

from .histories import Histories

DEADLINE_S = 40
MARKER = 1
OWNED_EVERY = 10
_NEVER_MS = 600_000


class Facts:
    """A topic that is filled by transactions, and what was committed: known without reading it."""

    def __init__(self, log: KafkaLog, settings: LogSettings, histories: Histories) -> None:
        self.histories = histories
        self.settings = settings
        self._log = log
        self._appenders: dict[int, KafkaAppender] = {}
        self._committed: list[Batch] = []

    async def append(self, partition: int, records: Sequence[Record]) -> int:
        """Commit all in one transaction; return the first record's offset."""
        first = await self._append(partition, records)
        stored = tuple(
            StoredRecord(partition, offset, 0, record.key, record.value)
            for offset, record in enumerate(records, first)
        )
        self._committed.append(Batch(partition, stored, first + len(records) + MARKER))
        return first

    async def _append(self, partition: int, records: Sequence[Record]) -> int:
        """Append; a commit in doubt is looked up, as its owner would."""
        try:
            return await (await self._appender(partition)).append(records)
        except Doubtful:
            await self._appenders.pop(partition).close()
            await self._appender(partition)
        last = records[-1]  # An event: no two share a key, as marks of takeovers may.
        async for batch in self._log.read(partition, 0, await self._log.end(partition)):
            for stored in batch.records:
                if (stored.key, stored.value) == (last.key, last.value):
                    return stored.offset - len(records) + 1
        return await self._append(partition, records)

    async def _appender(self, partition: int) -> KafkaAppender:
        if partition not in self._appenders:
            self._appenders[partition] = await self._log.open_appender(partition)
        return self._appenders[partition]

    async def happen(self, commands_count: int) -> None:
        """Append what random commands make; now and then a new owner marks its takeover."""
        for number, (partition, events) in enumerate(self.histories.groups(commands_count)):
            records = events
            if number % OWNED_EVERY == 0:
                owner = codec.ownership_record(
                    partition, epoch=number + 1, node="n", acquired_at_us=1
                )
                records = [owner, *events]
            await self.append(partition, records)

    async def next_in(self, partition: int) -> list[Record]:
        """Let things happen until it is this partition's turn; return what is to be appended."""
        while True:
            found, records = self.histories.group()
            if found == partition:
                return records
            await self.append(found, records)

    async def happen_elsewhere(self, partition: int, commands_count: int) -> list[list[Record]]:
        """Let the other partitions move on; return what is still to be appended to this one."""
        waiting = []
        for other, records in self.histories.groups(commands_count):
            if other == partition:
                waiting.append(records)
            else:
                await self.append(other, records)
        return waiting

    async def begin(self, partition: int, records: Sequence[Record]) -> KafkaAppender:
        """Write the records in a transaction that nobody has ended; the next `append` aborts it.

        Its timeout is longer than any test, lest the broker abort it meanwhile.
        """
        if partition in self._appenders:
            await self._appenders.pop(partition).close()
        settings = self.settings.model_copy(update={"transaction_timeout_ms": _NEVER_MS})
        appender = await KafkaLog(settings).open_appender(partition)
        for record in records:
            await appender._producer.send(self.settings.kafka_topic, partition, [record])
        return appender

    def ends(self) -> dict[int, int]:
        """Return where the log ends, all that was committed included.

        The broker lets a reader have a commit only a moment after it has answered its writer.
        """
        known = {batch.partition: batch.next_offset for batch in self._committed}
        deadline = time.monotonic() + DEADLINE_S
        while True:
            ends = Topics(self.settings).ends(self.histories.partitions)
            if all(ends[partition] >= offset for partition, offset in known.items()):
                return ends
            if time.monotonic() > deadline:
                raise AssertionError(f"committed up to {known}, to be read up to {ends}")
            time.sleep(0.01)

    def decoded(self, below: Mapping[int, int] | None = None) -> list[folding.Decoded]:
        """Return the facts, of each partition those below an offset.

        They come from what was appended, so that a reader that skips something is found out.
        """
        found = []
        for batch in self._committed:
            end = batch.next_offset if below is None else below[batch.partition]
            records = tuple(record for record in batch.records if record.offset < end)
            found.append(folding.decode(Batch(batch.partition, records, end)))
        return found

    async def close(self) -> None:
        for appender in self._appenders.values():
            await appender.close()


class Projector:
    """A live projector in this process, and what the database says of it."""

    def __init__(self, facts: Facts, settings: DatabaseSettings, connection, **more) -> None:
        self.stop = asyncio.Event()
        self.live = Live(
            more.pop("log", facts.settings),
            settings,
            ProjectorSettings(
                heartbeat_ms=100,
                batch_events_max=more.pop("events_max", 7),
                parked_orders_max=more.pop("parked_orders_max", 100),
            ),
            **more,
        )
        self.database = settings
        self._facts = facts
        self._connection = connection
        self.task = asyncio.create_task(self.live.run(self.stop))

    async def until(self, condition: Callable, what: str) -> None:
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not await condition():
            if self.task.done():
                self.task.result()
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {DEADLINE_S} s: {what}; {self.live.status()}")
            await asyncio.sleep(0.02)

    async def reach(
        self, ends: Mapping[int, int] | None = None, names: Collection[str] = tuple(PROJECTIONS)
    ) -> None:
        """Wait until every projection has applied the log up to `ends`, or to its own end."""

        async def is_there() -> bool:
            wanted = ends or await asyncio.to_thread(self._facts.ends)
            found = await at(self._connection)
            return all(found.get(name) == wanted for name in names)

        await self.until(is_there, "the end of the log")

    async def stop_at(self, partition: int, offset: int) -> None:
        """Wait until every projection stands at the offset, and at the end of all else."""

        async def is_there() -> bool:
            ends = {**await asyncio.to_thread(self._facts.ends), partition: offset}
            found = await at(self._connection)
            stopped = await errors(self._connection)
            return all(
                found.get(name) == ends and stopped.keys() >= {(name, partition)}
                for name in PROJECTIONS
            )

        await self.until(is_there, "all that can be read, and a stop")


@asynccontextmanager
async def projected(
    facts: Facts, settings: DatabaseSettings, connection, **more
) -> AsyncIterator[Projector]:
    """Run a projector until the end of the block."""
    projector = Projector(facts, settings, connection, **more)
    try:
        yield projector
    finally:
        projector.stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await projector.task


async def at(connection) -> dict[str, dict[int, int]]:
    """Return the checkpoints of the live generations."""
    found: dict[str, dict[int, int]] = {}
    for row in await connection.fetch("SELECT * FROM orderlog.live_checkpoints"):
        found.setdefault(row["projection"], {})[row["partition"]] = row["next_offset"]
    return found


async def errors(connection) -> dict[tuple[str, int], str]:
    """Return why projections stand: (projection, partition) -> message."""
    rows = await connection.fetch(
        "SELECT projection, partition, error FROM orderlog.live_checkpoints WHERE error IS NOT NULL"
    )
    return {(row["projection"], row["partition"]): row["error"] for row in rows}
