"""KafkaLog: the port on a real cluster. aiokafka appends, librdkafka reads (decision 2)."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from aiokafka.producer import sender

from eventlog.fitness import snapshot_topic
from eventlog.log import (
    Batch,
    Doubtful,
    Fenced,
    IntegrityError,
    LogIdentity,
    LogUnavailable,
    Record,
    TopicMismatch,
)
from eventlog.reader import LogReader
from eventlog.topics import Topics
from runtime.failpoints import reach
from runtime.finishing import in_thread
from runtime.settings import LogSettings

_log = structlog.get_logger("orderlog.kafka")

# The previous transaction's markers are usually still being written when the next one begins, and
# the broker says CONCURRENT_TRANSACTIONS; aiokafka then waits 20 ms unless told otherwise.
BETWEEN_TRANSACTIONS_S = 0.001
if not hasattr(sender, "BACKOFF_OVERRIDE"):
    raise ImportError("aiokafka has no sender.BACKOFF_OVERRIDE any more: see decision 2")
sender.BACKOFF_OVERRIDE = BETWEEN_TRANSACTIONS_S
if not __debug__:
    raise ImportError("aiokafka's transaction state machine is made of asserts: run without -O")

_CLOSE_S = 1.0
_BATCH_BYTES_MAX = 1_000_000
_NEARLY = 0.9
"""A clock may count a pause of aiokafka as a little less than it was."""


class KafkaAppender:
    """The fenced producer of one partition; any exception makes it unusable."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        settings: LogSettings,
        partition: int,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._producer = producer
        self._clock_s = clock_s
        self._topic = settings.kafka_topic
        self._partition = partition
        self._deadline_s = settings.commit_deadline_ms / 1000
        self._slow_s = settings.retry_backoff_ms / 1000 * _NEARLY

    async def append(self, records: Sequence[Record]) -> int:
        """Commit `records` in one transaction; see the port."""
        return await self._commit(records, self._topic)

    async def save(self, records: Sequence[Record]) -> None:
        """Store snapshot records; see the port."""
        await self._commit(records, snapshot_topic(self._topic))

    async def _commit(self, records: Sequence[Record], topic: str) -> int:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._transaction(records, topic)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"partition {self._partition} has a newer owner") from error
        except TimeoutError as error:
            raise Doubtful(
                f"no commit within {self._deadline_s} s (ORDERLOG_COMMIT_DEADLINE_MS)"
            ) from error
        except (KafkaError, AssertionError, OSError) as error:
            raise Doubtful(f"the transaction failed: {error!r}") from error

    async def _transaction(self, records: Sequence[Record], topic: str) -> int:
        producer = self._producer
        batch = producer.create_batch()
        for record in records:
            added = batch.append(
                timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
            )
            if added is None:
                raise Doubtful("the group does not fit into one batch (ORDERLOG_GROUP_BYTES_MAX)")
        batch.close()
        await producer.begin_transaction()
        reach("begun")
        delivery = await producer.send_batch(batch, topic, partition=self._partition)
        placed = await delivery  # A failed send before a commit would commit a part of the group.
        reach("delivered")
        started_s = self._clock_s()
        await producer.commit_transaction()
        reach("committed")
        if self._clock_s() - started_s >= self._slow_s:
            # EndTxn may have been sent twice, and a late copy could end the next transaction
            # (KAFKA-17754): this producer has made its last commit.
            raise Doubtful("the commit took as long as a retry (ORDERLOG_RETRY_BACKOFF_MS)")
        first: int = placed.offset
        return first

    async def close(self) -> None:
        """Stop within about a second, even when the brokers are gone."""
        producer = self._producer
        try:
            async with asyncio.timeout(_CLOSE_S):
                await producer.stop()
        except (TimeoutError, KafkaError, AssertionError, OSError):
            task = producer._sender.sender_task  # noqa: SLF001 - stop() waits for ever otherwise
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await producer.client.close()
        _hear(producer)


def _hear(producer: AIOKafkaProducer) -> None:
    """Take the errors of futures that aiokafka has failed and nobody awaits.

    `append` has raised the same error already; asyncio would log each copy with a traceback at
    whatever moment the producer is collected.
    """
    accumulator = producer._message_accumulator  # noqa: SLF001
    batches = chain(*accumulator._batches.values(), accumulator._pending_batches)  # noqa: SLF001
    waiters = [batch._drain_waiter for batch in batches]  # noqa: SLF001
    waiters.append(producer._txn_manager._transaction_waiter)  # noqa: SLF001
    for waiter in waiters:
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()


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
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            client_id=f"orderlog-{partition}",
            transactional_id=transactional_id(settings, partition),
            transaction_timeout_ms=settings.transaction_timeout_ms,
            acks="all",
            request_timeout_ms=settings.request_timeout_ms,
            retry_backoff_ms=settings.retry_backoff_ms,
            max_batch_size=_BATCH_BYTES_MAX,
            linger_ms=0,
            compression_type="zstd",
            metadata_max_age_ms=60_000,
        )
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
