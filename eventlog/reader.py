"""Committed records, read with librdkafka: ranges for replay, and following the end for live work.

librdkafka and not aiokafka: the latter stops for ever on an abort marker that the log cleaner has
emptied. All calls here block; `KafkaLog` and the projectors run them in threads.
"""

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from eventlog.log import Batch, IntegrityError, LogUnavailable, StoredRecord
from runtime.settings import LogSettings

_POLL_S = 0.01
_RANGE_RECORDS_MAX = 5_000
_FETCH_BYTES = 4 * 1024 * 1024


class LogReader:
    """Reads assigned partitions from given offsets. Not for use by two threads at once.

    With `is_committed_only=False` it also reads what nobody has committed, for diagnosis.
    """

    def __init__(self, settings: LogSettings, *, is_committed_only: bool = True) -> None:
        self._topic = settings.kafka_topic
        self._timeout_s = settings.request_timeout_ms / 1000
        self._positions: dict[int, int] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap,
                "group.id": "orderlog-reader",  # Required by the client; nothing is committed.
                "isolation.level": "read_committed" if is_committed_only else "read_uncommitted",
                "auto.offset.reset": "error",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "check.crcs": True,
                "fetch.queue.backoff.ms": 1,
                "fetch.wait.max.ms": 50,
                "fetch.message.max.bytes": _FETCH_BYTES,
                "queued.min.messages": 50_000,
                "log_level": 0,  # Errors reach the caller.
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()

    def assign(self, starts: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on; forget what was assigned before."""
        self._positions = dict(starts)
        self._consumer.assign(
            [TopicPartition(self._topic, partition, offset) for partition, offset in starts.items()]
        )

    def poll(self, records_max: int, wait_s: float) -> list[Batch]:
        """Return what has come within `wait_s`, one batch per partition that moved.

        A batch without records moves the position past transaction markers, so that a reader who
        stores `next_offset` really reaches the end of the log.

        Raises:
            IntegrityError: the log does not hold the offset any more (removed or made again).
            LogUnavailable: the brokers cannot be reached; poll again.
        """
        messages = self._consumer.consume(records_max, wait_s)
        found: dict[int, list[StoredRecord]] = {}
        moved: dict[int, int] = {}
        for message in messages:
            partition = message.partition() or 0
            error = message.error()
            if error is None:
                record = _stored(message)
                found.setdefault(partition, []).append(record)
                moved[partition] = record.offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                moved[partition] = max(moved.get(partition, 0), message.offset() or 0)
            else:
                raise _fault(error, partition)
        batches = []
        for partition, next_offset in moved.items():
            records = tuple(found.get(partition, ()))
            if records or next_offset > self._positions.get(partition, 0):
                self._positions[partition] = next_offset
                batches.append(Batch(partition, records, next_offset))
        return batches

    def read_range(self, partition: int, start: int, end: int) -> Iterator[Batch]:
        """Yield the committed records in `start <= offset < end`; finish at `end` exactly.

        Raises:
            LogUnavailable: nothing came within the request timeout.
            IntegrityError: see `poll`.
        """
        if start >= end:
            return
        self.assign({partition: start})
        position = start
        deadline = time.monotonic() + self._timeout_s
        while position < end:
            for batch in self.poll(_RANGE_RECORDS_MAX, _POLL_S):
                records = batch.records
                if records and records[-1].offset >= end:
                    records = tuple(record for record in records if record.offset < end)
                position = min(batch.next_offset, end)
                yield Batch(partition, records, position)
                # Not before: whoever takes a batch may take longer over it than Kafka has.
                deadline = time.monotonic() + self._timeout_s
            if time.monotonic() > deadline:
                raise LogUnavailable(
                    f"no record of {self._topic}/{partition} beyond offset {position} came within "
                    f"{self._timeout_s:.0f} s (ORDERLOG_REQUEST_TIMEOUT_MS)"
                )


def _stored(message: Message) -> StoredRecord:
    return StoredRecord(
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key() or b"",
        message.value(),
    )


def _fault(error: KafkaError, partition: int) -> Exception:
    if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
        return IntegrityError(
            f"partition {partition} no longer holds the offset to read from: the topic was "
            f"truncated or made again ({error.str()})"
        )
    if error.retriable() or error.code() in {
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
    }:
        return LogUnavailable(error.str())
    return KafkaException(error)
