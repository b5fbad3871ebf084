"""The producer with a client of ours, for answers that no broker gives at will."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    ConcurrentTransactions,
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    RequestTimedOutError,
)
from aiokafka.record.default_records import DefaultRecordBatch

from eventlog.log import Doubtful, Record
from eventlog.transactions.producer import Producer
from runtime.settings import LogSettings

RECORD = Record(b"k", b"v")
TOPIC = "orders.events"
PRODUCE, INIT, ADD, END = 0, 22, 24, 26
FAULTS: list[Any] = [
    InvalidProducerEpoch.errno,
    NotCoordinatorError.errno,
    RequestTimedOutError(),
    KafkaConnectionError("closed"),
    OSError("reset"),
]


class Client:
    """Answers 0 to every request, unless something else is to come first; remembers them all."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.to_come: dict[int, list[Any]] = {}
        self.leaders: list[int | None] = [7]
        self.topics: set[str] = set()
        self.cluster = self

    def leader_for_partition(self, place: Any) -> int | None:
        assert place.topic.startswith(TOPIC)
        return self.leaders.pop(0) if len(self.leaders) > 1 else self.leaders[0]

    async def bootstrap(self) -> None:
        """Know everything."""

    async def force_metadata_update(self) -> None:
        """Know it still."""

    def add_topic(self, topic: str) -> None:
        self.topics.add(topic)

    async def coordinator_lookup(self, _kind: Any, key: str) -> int:
        assert key == "id"
        return 3

    async def send(self, node: int, request: Any, **_: Any) -> Any:
        key = request.API_KEY
        assert node == (7 if key == PRODUCE else 3)
        self.asked.append(request)
        answer = self.to_come[key].pop(0) if self.to_come.get(key) else 0
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        if key == PRODUCE:
            return SimpleNamespace(topics=[(TOPIC, [(0, answer, 40, -1, 0)])])
        if key == ADD:
            return SimpleNamespace(errors=[(TOPIC, [(0, answer)])])
        return SimpleNamespace(error_code=answer, producer_id=5, producer_epoch=2)

    def kinds(self) -> list[int]:
        return [request.API_KEY for request in self.asked]


@pytest.fixture
async def client() -> Client:
    return Client()


@pytest.fixture
async def producer(client) -> Producer:
    made = Producer(LogSettings(retry_backoff_ms=100), "id", "name")
    made._client = client
    await made.start()
    client.asked.clear()
    return made


def batches(client: Client) -> list[DefaultRecordBatch]:
    produced = [request for request in client.asked if request.API_KEY == PRODUCE]
    return [DefaultRecordBatch(one._topics[0][1][0][1]) for one in produced]


async def test_a_transaction_is_three_requests(producer, client):
    assert await producer.send(TOPIC, 0, [RECORD, RECORD]) == 40
    await producer.end()

    assert client.kinds() == [ADD, PRODUCE, END]
    (batch,) = batches(client)
    assert batch.is_transactional
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (5, 2, 0)
    assert [(record.key, record.value) for record in batch] == [(b"k", b"v")] * 2
    assert client.asked[1].required_acks == -1


async def test_every_topic_has_its_own_sequence(producer, client):
    for topic in (TOPIC, f"{TOPIC}.snapshots", TOPIC, TOPIC):
        await producer.send(topic, 0, [RECORD, RECORD])

    assert [batch.base_sequence for batch in batches(client)] == [0, 0, 2, 4]


async def test_a_transaction_waits_for_the_markers_of_the_one_before(producer, client):
    client.to_come[ADD] = [ConcurrentTransactions.errno] * 3

    await producer.send(TOPIC, 0, [RECORD])

    assert client.kinds() == [ADD] * 4 + [PRODUCE]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("kind", "sent"), [(ADD, [ADD]), (PRODUCE, [ADD, PRODUCE])])
async def test_whatever_goes_wrong_nothing_is_sent_again(producer, client, kind, sent, fault):
    client.to_come[kind] = [fault]

    with pytest.raises((KafkaError, OSError)):
        await producer.send(TOPIC, 0, [RECORD])

    assert client.kinds() == sent


@pytest.mark.parametrize("fault", [*FAULTS, ConcurrentTransactions.errno])
async def test_a_commit_is_sent_once(producer, client, fault):
    await producer.send(TOPIC, 0, [RECORD])
    client.to_come[END] = [fault]

    with pytest.raises((KafkaError, OSError)):
        await producer.end()

    assert client.kinds() == [ADD, PRODUCE, END]


async def test_records_that_do_not_fit_are_not_begun(producer, client):
    with pytest.raises(Doubtful, match="ORDERLOG_GROUP_BYTES_MAX"):
        await producer.send(TOPIC, 0, [Record(b"k", b"x" * 600_000)] * 2)

    assert client.kinds() == []


async def test_a_topic_without_leader_is_looked_for_again(producer, client):
    client.leaders = [None, 7]
    assert await producer.send(TOPIC, 0, [RECORD]) == 40

    client.leaders = [-1]
    with pytest.raises(LeaderNotAvailableError):
        await producer.send(TOPIC, 0, [RECORD])

    assert client.topics == {TOPIC}


@pytest.mark.parametrize("fault", [ConcurrentTransactions.errno, *FAULTS[1:4]])
async def test_starting_is_tried_until_it_is_done(client, fault):
    """Nothing is at stake yet: whichever attempt succeeds has the latest epoch."""
    client.to_come[INIT] = [fault, fault]
    producer = Producer(LogSettings(retry_backoff_ms=100), "id", "name")
    producer._client = client

    await producer.start()

    assert client.kinds() == [INIT] * 3
