"""A transactional producer that sends every request of a transaction once.

Kafka's clients send again by themselves what nobody answered. All transactions of a producer have
one epoch in the protocol that they speak, so that a copy of a commit that comes late ends whatever
transaction is open then (KAFKA-17754). An owner needs no second try: a request without an answer is
a doubt, and settled from the log by a new producer with a new epoch (decision 15).
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NoError,
    NotCoordinatorError,
    RequestTimedOutError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from eventlog.log import Doubtful, Record
from runtime.settings import LogSettings

BETWEEN_TRANSACTIONS_S = 0.001
"""The markers of the last transaction are usually still being written when the next one begins."""

_COORDINATION = ConnectionGroup.COORDINATION
_ALL_REPLICAS = -1
_MAGIC = 2
_SEQUENCES = 2**31
_BATCH_BYTES_MAX = 1_000_000
_METADATA_MS = 60_000
_LOOKS_FOR_LEADER = 2
_NOT_YET = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    NodeNotReadyError,
    NotCoordinatorError,
    RequestTimedOutError,
)
"""What passes by itself while a producer starts; nothing of a transaction is at stake yet."""


class Producer:
    """Sends the transactions of one transactional id, one after the other.

    Every method raises `aiokafka.errors.KafkaError` or `OSError` when something is not as it should
    be: the producer must not be used any more then, and what became of the transaction is unknown.
    """

    def __init__(self, settings: LogSettings, transactional_id: str, client_id: str) -> None:
        self._settings = settings
        self._transactional_id = transactional_id
        self._client = AIOKafkaClient(
            bootstrap_servers=settings.kafka_bootstrap,
            client_id=client_id,
            request_timeout_ms=settings.request_timeout_ms,
            retry_backoff_ms=settings.retry_backoff_ms,
            metadata_max_age_ms=_METADATA_MS,
        )
        self._coordinator = self._producer_id = self._epoch = -1
        self._sequences: dict[str, int] = {}

    async def start(self) -> None:
        """Fence every earlier producer of the same id, and finish what it had open (KIP-98).

        It is tried again until the caller stops waiting.
        """
        await self._client.bootstrap()
        while True:
            try:
                await self._init()
            except ConcurrentTransactions:  # The markers of the earlier producer's transaction.
                await asyncio.sleep(BETWEEN_TRANSACTIONS_S)
            except _NOT_YET:
                await self._client.force_metadata_update()
                await asyncio.sleep(self._settings.retry_backoff_ms / 1000)
            else:
                return

    async def _init(self) -> None:
        key = self._transactional_id
        self._coordinator = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, key)
        timeout_ms = self._settings.transaction_timeout_ms
        answer = await self._asked(InitProducerIdRequest(key, timeout_ms))
        _require(answer.error_code)
        self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch

    async def send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
        """Append records within the transaction, which begins with it; return the first's offset.

        Raises:
            eventlog.log.Doubtful: they do not fit into one batch.
        """
        leader = await self._leader(TopicPartition(topic, partition))
        sequence = self._sequences.get(topic, 0)
        batch = self._batch(records, sequence)
        await self._add(topic, partition)
        timeout_ms = self._settings.request_timeout_ms
        places = [(topic, [(partition, batch)])]
        request = ProduceRequest(self._transactional_id, _ALL_REPLICAS, timeout_ms, places)
        answer = await self._client.send(leader, request)
        _, code, offset, *_ = answer.topics[0][1][0]
        _require(code)
        self._sequences[topic] = (sequence + len(records)) % _SEQUENCES
        first: int = offset
        return first

    async def end(self, *, is_commit: bool = True) -> None:
        """Commit the transaction, or abort it."""
        place = (self._transactional_id, self._producer_id, self._epoch)
        _require((await self._asked(EndTxnRequest(*place, is_commit))).error_code)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()

    async def _leader(self, place: TopicPartition) -> int:
        for _ in range(_LOOKS_FOR_LEADER):
            leader: int | None = self._client.cluster.leader_for_partition(place)
            if leader is not None and leader >= 0:
                return leader
            self._client.add_topic(place.topic)
            await self._client.force_metadata_update()
        raise LeaderNotAvailableError(f"{place.topic} has no leader for {place.partition}")

    def _batch(self, records: Sequence[Record], sequence: int) -> bytes:
        codec = DefaultRecordBatch.CODEC_ZSTD
        builder = DefaultRecordBatchBuilder(
            _MAGIC, codec, 1, self._producer_id, self._epoch, sequence, _BATCH_BYTES_MAX
        )
        now_ms = time.time_ns() // 1_000_000
        for index, record in enumerate(records):
            headers = list(record.headers)
            if builder.append(index, now_ms, record.key, record.value, headers) is None:
                raise Doubtful("the group does not fit into one batch (ORDERLOG_GROUP_BYTES_MAX)")
        return bytes(builder.build())

    async def _add(self, topic: str, partition: int) -> None:
        """Make the partition part of the transaction, once the last one has its markers."""
        place = (self._transactional_id, self._producer_id, self._epoch)
        request = AddPartitionsToTxnRequest(*place, [(topic, [partition])])
        while True:
            answer = await self._asked(request)
            error = for_code(answer.errors[0][1][0][1])
            if error is NoError:
                return
            if error is not ConcurrentTransactions:
                raise error
            await asyncio.sleep(BETWEEN_TRANSACTIONS_S)

    async def _asked(self, request: Any) -> Any:
        return await self._client.send(self._coordinator, request, group=_COORDINATION)


def _require(code: int) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error
