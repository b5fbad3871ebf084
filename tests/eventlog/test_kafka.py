"""What only the real broker can show: open transactions, the clients' traps, the topic."""

import asyncio
import gc
import threading
from types import SimpleNamespace

import confluent_kafka
import pytest

from eventlog import reader, topics
from eventlog.kafka import KafkaLog, transactional_id
from eventlog.log import Fenced, LogUnavailable, Record, TopicMismatch
from eventlog.partitioner import partition_of
from eventlog.topics import Topics

DEADLINE_S = 20


async def test_an_open_transaction_is_invisible_and_ended_by_the_next_owner(
    kafka_log, log_settings
):
    appender = await kafka_log.open_appender(0)
    await appender.append([Record(b"committed", b"1")])
    await appender._producer.send(log_settings.kafka_topic, 0, [Record(b"open", b"open")])

    assert await kafka_log.end(0) == 2, "the end is the last stable offset"
    successor = await kafka_log.open_appender(0)

    found = [
        record.key
        async for batch in kafka_log.read(0, 0, await kafka_log.end(0))
        for record in batch.records
    ]
    assert found == [b"committed"]
    assert await kafka_log.end(0) == 4, "the open record and its abort marker are passed over"
    await appender.close()
    await successor.close()


async def test_whoever_takes_a_batch_may_take_longer_than_kafka_has(
    kafka_log, log_settings, monkeypatch
):
    """A slow client of an export is no silent broker."""
    appender = await kafka_log.open_appender(0)
    await appender.append([Record(b"%d" % number, b"x") for number in range(3)])
    await appender.close()
    now_s = 0.0
    monkeypatch.setattr(reader, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(reader, "_RANGE_RECORDS_MAX", 1)

    keys = []
    async for batch in kafka_log.read(0, 0, 3):
        keys += [record.key for record in batch.records]
        now_s += 3_600

    assert keys == [b"0", b"1", b"2"]


async def test_a_reader_is_closed_only_when_no_thread_is_in_it(kafka_log, monkeypatch):
    """Cancelled while it polls, a read lets the poll end first: the client is not thread-safe."""
    appender = await kafka_log.open_appender(0)
    await appender.append([Record(b"1", b"x")])
    await appender.close()
    polling, go, seen = threading.Event(), threading.Event(), []
    real = reader.LogReader.poll

    def poll(self, records_max, wait_s):
        polling.set()
        go.wait(DEADLINE_S)
        found = real(self, records_max, wait_s)
        seen.append("polled")
        return found

    monkeypatch.setattr(reader.LogReader, "poll", poll)
    close = reader.LogReader.close
    monkeypatch.setattr(
        reader.LogReader, "close", lambda self: (seen.append("closed"), close(self))
    )

    task = asyncio.create_task(anext(kafka_log.read(0, 0, 1)))
    await asyncio.to_thread(polling.wait, DEADLINE_S)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert seen.pop() == "closed"
    assert set(seen) == {"polled"}  # Once, unless Kafka takes its time.


def test_each_partition_has_its_own_fence(log_settings):
    ids = {transactional_id(log_settings, partition) for partition in range(4)}

    assert len(ids) == 4
    assert all(log_settings.environment in one for one in ids)


def test_the_partition_is_that_of_other_clients(log_settings):
    """Records keyed by the order id alone go where murmur2 of the JVM client puts them."""
    placed: dict[str, int] = {}

    def note(error, message):
        assert error is None
        placed[message.key().decode()] = message.partition()

    producer = confluent_kafka.Producer(
        {"bootstrap.servers": log_settings.kafka_bootstrap, "partitioner": "murmur2_random"}
    )
    orders = [f"0193a5c0-7a2b-7c3d-8e4f-{n:012d}" for n in range(200)]
    for order in orders:
        producer.produce(log_settings.kafka_topic, key=order, value=b"", callback=note)
    assert producer.flush(20) == 0

    assert placed == {order: partition_of(order, 4) for order in orders}
    assert set(placed.values()) == {0, 1, 2, 3}


def test_ensuring_a_topic_twice_changes_nothing(log_settings):
    before = topics.check(log_settings)

    assert Topics(log_settings).ensure() is False
    assert topics.check(log_settings) == before


def test_a_missing_topic_is_said(log_settings):
    elsewhere = log_settings.model_copy(update={"kafka_topic": "orders.nowhere"})

    with pytest.raises(TopicMismatch, match="topics ensure"):
        topics.check(elsewhere)


def test_a_topic_that_would_lose_events_is_refused(log_settings):
    """A topic of another making, with time-based deletion."""
    name = f"{log_settings.kafka_topic}.deleted"
    other = log_settings.model_copy(update={"kafka_topic": name})
    maker = Topics(other)
    made = maker._admin.create_topics(
        [topics.NewTopic(name, num_partitions=4, config={"cleanup.policy": "delete"})]
    )
    made[name].result(20)

    with pytest.raises(TopicMismatch, match=r"cleanup\.policy"):
        topics.check(other)


def test_another_partition_count_is_refused(log_settings):
    with pytest.raises(TopicMismatch, match="4 partitions"):
        topics.check(log_settings, expected_partitions=12)


async def test_a_broker_that_is_away_is_said_in_time(log_settings):
    nowhere = log_settings.model_copy(
        update={
            "kafka_bootstrap": "127.0.0.1:1",
            "request_timeout_ms": 500,
            "acquire_deadline_ms": 1000,
        }
    )
    async with asyncio.timeout(20), KafkaLog(nowhere) as log:
        with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:1"):
            await log.identity()
        with pytest.raises(LogUnavailable):
            await log.open_appender(0)


async def test_a_fenced_appender_leaves_no_error_for_the_collector(kafka_log):
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    old = await kafka_log.open_appender(0)
    await old.append([Record(b"k", b"1")])
    new = await kafka_log.open_appender(0)
    with pytest.raises(Fenced):
        await old.append([Record(b"k", b"2")])

    await old.close()
    await new.close()
    del old, new
    gc.collect()
    await asyncio.sleep(0)

    assert heard == []
