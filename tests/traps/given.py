"""Real facts, and records that nobody of us wrote."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from domain.commands import AddNote, PlaceOrder
from domain.decide import DECIDER
from domain.values import Line
from eventlog.log import EventLog, LogUnavailable, TopicMismatch
from eventlog.ownership import Partitions
from eventlog.partitioner import partition_of
from eventlog.topics import Topics
from runtime.settings import LogSettings

READY_S = 60
PARTITIONS = 4
PLACING = PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1299),))


def order_in(partition: int, partitions: int = PARTITIONS) -> str:
    """Answer a new order id that lives in a partition."""
    while True:
        order_id = str(uuid.uuid4())
        if partition_of(order_id, partitions) == partition:
            return order_id


def note(number: int = 0) -> AddNote:
    return AddNote(f"n-{number}-{uuid.uuid4()}", "call first")


@asynccontextmanager
async def opened(log: EventLog, settings: LogSettings, **seams) -> AsyncIterator[Partitions]:
    """All partitions of the log, each owned here; not yet ready."""
    async with await Partitions.open(
        log, DECIDER, settings=settings, node="test", **seams
    ) as partitions:
        yield partitions


def produce(settings: LogSettings, *records: tuple[int, bytes, bytes | None]) -> None:
    """Write (partition, key, value) as a stranger would: outside any transaction."""
    refused = []
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "acks": "all"})
    for partition, key, value in records:
        producer.produce(
            settings.kafka_topic,
            partition=partition,
            key=key,
            value=value,
            callback=lambda error, _: refused.append(error) if error else None,
        )
    assert producer.flush(READY_S) == 0
    assert refused == []


def produce_at(settings: LogSettings, timestamp_ms: int) -> int | None:
    """Write a record with a time of the producer's; return the code of its refusal, if any."""
    refused: list[int | None] = []
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "acks": "all"})
    producer.produce(
        settings.kafka_topic,
        partition=0,
        key=b"k",
        value=b"v",
        timestamp=timestamp_ms,
        callback=lambda error, _: refused.append(error.code() if error else None),
    )
    assert producer.flush(READY_S) == 0
    return refused[0]


def change(admin: AdminClient, kind: ResourceType, name: str, **values: str) -> None:
    """Change settings of a topic or a broker; underscores stand for dots."""
    entries = [
        ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for key, value in values.items()
    ]
    resource = ConfigResource(kind, name, incremental_configs=entries)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(READY_S)
    deadline = time.monotonic() + READY_S
    while not _has(admin, ConfigResource(kind, name), values):
        assert time.monotonic() < deadline, "the broker has not heard of the change"
        time.sleep(0.01)


def _has(admin: AdminClient, resource: ConfigResource, values: dict[str, str]) -> bool:
    (described,) = admin.describe_configs([resource]).values()
    found = described.result(READY_S)
    return all(found[key.replace("_", ".")].value == value for key, value in values.items())


def make_again(admin: AdminClient, settings: LogSettings) -> None:
    """Delete the topic and create it with the same name and settings, empty."""
    topics = Topics(settings)
    before = topics.identity()
    for future in admin.delete_topics([settings.kafka_topic]).values():
        future.result(READY_S)
    deadline = time.monotonic() + READY_S
    while True:
        with suppress(TopicMismatch, LogUnavailable):  # Both go on for a while.
            topics.ensure()
            if topics.identity().topic_id != before.topic_id:
                return
        assert time.monotonic() < deadline, "the topic was not made again"
        time.sleep(0.05)
