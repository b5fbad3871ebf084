"""The one fenced writer of a partition of a Kafka topic."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from eventlog.fitness import snapshot_topic
from eventlog.log import Doubtful, Fenced, Record
from eventlog.transactions.producer import Producer
from runtime.failpoints import reach
from runtime.settings import LogSettings

_CLOSE_S = 1.0


class KafkaAppender:
    """The fenced producer of one partition; any exception makes it unusable."""

    def __init__(self, producer: Producer, settings: LogSettings, partition: int) -> None:
        self._producer = producer
        self._topic = settings.kafka_topic
        self._partition = partition
        self._deadline_s = settings.commit_deadline_ms / 1000

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
        except (KafkaError, OSError) as error:
            raise Doubtful(f"the transaction failed: {error!r}") from error

    async def _transaction(self, records: Sequence[Record], topic: str) -> int:
        reach("begun")
        first = await self._producer.send(topic, self._partition, records)
        reach("delivered")
        await self._producer.end()
        reach("committed")
        return first

    async def close(self) -> None:
        """Stop within about a second, even when the brokers are gone."""
        with suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                await self._producer.close()
