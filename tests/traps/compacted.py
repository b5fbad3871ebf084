"""Topics as the log cleaner leaves them, made in seconds.

`emptied` holds real facts only, and an abort marker that the cleaner has emptied. `broken` holds
what must never be there, after the cleaner has had its way with it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient, ResourceType

from eventlog import codec
from eventlog.kafka import KafkaLog
from eventlog.log import Record, StoredRecord
from eventlog.reader import LogReader
from eventlog.topics import Topics
from runtime.settings import LogSettings
from tests.submissions import submission as submit

from .given import PARTITIONS, PLACING, READY_S, change, note, opened, order_in, produce

FAST = {
    "segment_ms": "500",
    "min_cleanable_dirty_ratio": "0.001",
    "delete_retention_ms": "100",
    "min_compaction_lag_ms": "0",
    "max_compaction_lag_ms": "1000",
}
DEADLINE_S = 120
_TICK_S = 0.6
"""Longer than `segment.ms`: each tick begins a segment, so that the one before can be cleaned."""

TRAPPED, DOUBLED, ERASED, HOLLOW, WHOLE = 0, 0, 1, 2, 3
"""Partitions: of `emptied` the first, of `broken` the others."""


@dataclass
class Emptied:
    """A topic of real facts with the trap in partition 0; `facts` is what was answered."""

    settings: LogSettings
    facts: list[tuple[str, int, str]] = field(default_factory=list)
    """(order id, version, event id), known without reading."""

    async def submit(self, partitions, order_id, command) -> None:
        outcome = await partitions.submit(submit(command, order_id))
        self.facts += [(order_id, event.version, event.event_id) for event in outcome.events]


@dataclass(frozen=True)
class Broken:
    """A topic with one fault in each partition but the last."""

    settings: LogSettings
    orders: dict[int, str]


async def read_with_aiokafka(settings: LogSettings, partition: int) -> int:
    """Read the committed records of a partition with the other client; return how many.

    Raises:
        KafkaError: it does not get past an emptied abort marker, however often it is asked.
    """
    place = TopicPartition(settings.kafka_topic, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, 0)
        end = (await consumer.end_offsets([place]))[place]
        count, deadline = 0, time.monotonic() + READY_S
        while await consumer.position(place) < end:
            assert time.monotonic() < deadline
            found = await consumer.getmany(place, timeout_ms=500)
            count += len(found.get(place, ()))
        return count
    finally:
        await consumer.stop()


async def is_trapped(settings: LogSettings) -> bool:
    """Tell whether the other client stands still, at the same place each time."""
    try:
        await read_with_aiokafka(settings, TRAPPED)
    except KafkaError as error:
        assert "did not contain any records" in str(error)  # noqa: PT017 - any other is a fault
        return True
    return False


async def emptied(settings: LogSettings, admin: AdminClient) -> Emptied:
    """Make an abort marker that stays when all it says is gone, amid facts that are not.

    It stays because it is the last batch of its producer id, which keeps quiet from then on. So the
    facts come from an owner in another environment.
    """
    change(admin, ResourceType.TOPIC, settings.kafka_topic, **FAST)
    made = Emptied(settings)
    orders = [order_in(partition) for partition in range(PARTITIONS) for _ in range(2)]
    await _leave_an_abort_marker(made, orders)
    other = settings.model_copy(update={"environment": settings.environment[:30] + "-other"})
    async with KafkaLog(other) as log, opened(log, other) as partitions:
        await partitions.wait_ready(READY_S)
        deadline = time.monotonic() + DEADLINE_S
        while not await is_trapped(settings):
            assert time.monotonic() < deadline, "the cleaner has emptied no abort marker"
            await asyncio.sleep(_TICK_S)
            for order_id in orders[::2]:
                await made.submit(partitions, order_id, note())
    return made


async def _leave_an_abort_marker(made: Emptied, orders: list[str]) -> None:
    settings = made.settings
    async with KafkaLog(settings) as log:
        async with opened(log, settings) as partitions:
            await partitions.wait_ready(READY_S)
            for order_id in orders:
                await made.submit(partitions, order_id, PLACING)
        await asyncio.sleep(_TICK_S)
        old = await log.open_appender(TRAPPED)
        aborted = Record(codec.event_key(orders[0], 2), b"aborted")
        await old._producer.send(settings.kafka_topic, TRAPPED, [aborted])
        await (await log.open_appender(TRAPPED)).close()
        await old.close()


async def broken(settings: LogSettings, admin: AdminClient) -> Broken:
    """Write a key twice, a tombstone, and marks that replace each other; let the cleaner work."""
    change(admin, ResourceType.TOPIC, settings.kafka_topic, **FAST)
    made = Broken(settings, {partition: order_in(partition) for partition in (0, 1, 3)})
    async with KafkaLog(settings) as log, opened(log, settings) as partitions:
        await partitions.wait_ready(READY_S)
        for order_id in made.orders.values():
            await partitions.submit(submit(PLACING, order_id))
            for number in range(3):
                await partitions.submit(submit(note(number), order_id))
    await asyncio.to_thread(_break, made)
    return made


def _break(made: Broken) -> None:
    doubled = codec.event_key(made.orders[DOUBLED], 2)
    erased = codec.event_key(made.orders[ERASED], 1)
    (again,) = [one for one in stored(made.settings, DOUBLED) if one.key == doubled]
    produce(made.settings, (DOUBLED, doubled, again.value), (ERASED, erased, None))
    until = [
        (DOUBLED, lambda found: [one.key for one in found].count(doubled) == 1),
        (ERASED, lambda found: erased not in [one.key for one in found]),
        (HOLLOW, lambda found: found[0].offset > 3),
    ]
    _wait_for_the_cleaner(made.settings, until)


def _wait_for_the_cleaner(
    settings: LogSettings, until: list[tuple[int, Callable[[list[StoredRecord]], bool]]]
) -> None:
    deadline = time.monotonic() + DEADLINE_S
    number = 0
    while not all(is_done(stored(settings, partition)) for partition, is_done in until):
        assert time.monotonic() < deadline, "the cleaner has not removed what it should"
        time.sleep(_TICK_S)
        number += 1
        marks = [
            codec.ownership_record(partition, epoch=number + 9, node="n", acquired_at_us=1)
            for partition in range(PARTITIONS)
        ]
        produce(settings, *((p, mark.key, mark.value) for p, mark in enumerate(marks)))


def stored(settings: LogSettings, partition: int) -> list[StoredRecord]:
    """Return all committed records of a partition that are still there."""
    with LogReader(settings) as reader:
        end = Topics(settings).end(partition)
        return [r for batch in reader.read_range(partition, 0, end) for r in batch.records]
