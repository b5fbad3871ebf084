"""KafkaLog: the port on a real cluster. aiokafka appends, librdkafka reads (decision 2)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Self

import structlog
from aiokafka.errors import KafkaError

from eventlog.fitness import snapshot_topic
from eventlog.log import (
    Batch,
    IntegrityError,
    LogIdentity,
    LogUnavailable,
    TopicMismatch,
)
from eventlog.reader import LogReader
from eventlog.topics import Topics
from eventlog.transactions.appender import KafkaAppender
from eventlog.transactions.producer import Producer
from runtime.failpoints import reach
from runtime.finishing import in_thread
from runtime.settings import LogSettings

_log = structlog.get_logger("orderlog.kafka")


class KafkaLog:
    """Implements `EventLog` on the cluster and topic of the settings."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._topics = Topics(settings)
        self._first_identity: LogIdentity | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def identity(self) -> LogIdentity:
        """Say which log this is."""
        return await asyncio.to_thread(self._topics.identity)

    async def open_appender(self, partition: int) -> KafkaAppender:
        """Start the partition's transactional producer: it fences every earlier one (KIP-98)."""
        settings = self._settings
        key = transactional_id(settings, partition)
        producer = Producer(settings, key, client_id=f"orderlog-{partition}")
        appender = KafkaAppender(producer, settings, partition)
        try:
            async with asyncio.timeout(settings.acquire_deadline_ms / 1000):
                await producer.start()
                reach("fenced")
                await self._require_same()
                await self._wait_until_nothing_is_open(partition)
        except (TimeoutError, KafkaError, OSError) as error:
            await appender.close()
            raise LogUnavailable(
                f"partition {partition} could not be taken over within "
                f"{settings.acquire_deadline_ms} ms (ORDERLOG_ACQUIRE_DEADLINE_MS): {error!r}"
            ) from error
        except BaseException:
            await appender.close()
            raise
        return appender

    async def _require_same(self) -> None:
        """Refuse a topic that was made again, or got partitions, since the first appender."""
        now = await self.identity()
        first = self._first_identity = self._first_identity or now
        if now != first:
            raise IntegrityError(
                f"topic {now.topic} was made again or changed: it had id {first.topic_id} and "
                f"{first.partitions} partitions, now it has id {now.topic_id} and "
                f"{now.partitions}. What was read before is not in it: look at it, then restart"
            )

    async def _wait_until_nothing_is_open(self, partition: int) -> None:
        """Our own id is finished by fencing; what is open now belongs to a stranger."""
        was_said = False
        while True:
            stable = await self.end(partition)
            high = await self.high_watermark(partition)
            if stable >= high:
                return
            if not was_said:
                was_said = True
                _log.warning(
                    "foreign_transaction_open", partition=partition, stable=stable, high=high
                )
            await asyncio.sleep(self._settings.retry_backoff_ms / 1000)

    async def end(self, partition: int) -> int:
        """Return the last stable offset."""
        return await asyncio.to_thread(self._topics.end, partition)

    async def high_watermark(self, partition: int) -> int:
        """Return the high watermark."""
        return await asyncio.to_thread(self._topics.end, partition, is_committed_only=False)

    def read(self, partition: int, start: int, end: int) -> AsyncGenerator[Batch, None]:
        """Yield the committed records of a range; the blocking reader runs in a thread."""
        return _read(self._settings, partition, start, end)

    async def saved(self, partition: int) -> AsyncIterator[Batch]:
        """Yield the snapshot records of a partition; see the port."""
        name = snapshot_topic(self._settings.kafka_topic)
        settings = self._settings.model_copy(update={"kafka_topic": name})
        topics = Topics(settings)
        partitions = (await asyncio.to_thread(topics.identity)).partitions
        if partition >= partitions:
            raise TopicMismatch(f"topic {name} has {partitions} partitions")
        end = await asyncio.to_thread(topics.end, partition)
        async for batch in _read(settings, partition, 0, end):
            yield batch

    async def close(self) -> None:
        """Release nothing: appenders are closed by their owners."""


async def _read(
    settings: LogSettings, partition: int, start: int, end: int
) -> AsyncGenerator[Batch, None]:
    if start >= end:
        return
    reader = await asyncio.to_thread(LogReader, settings)
    try:
        batches = reader.read_range(partition, start, end)
        # Nobody may close the reader while a thread still polls it.
        while (batch := await in_thread(next, batches, None)) is not None:
            yield batch
    finally:
        await asyncio.to_thread(reader.close)


def transactional_id(settings: LogSettings, partition: int) -> str:
    """Return the stable name that fencing works by: one per environment, topic and partition."""
    return f"orderlog.{settings.environment}.{settings.kafka_topic}.{partition}"
