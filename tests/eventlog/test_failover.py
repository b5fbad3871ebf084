"""Three real brokers: what is asked of a log goes on being answered when leaders change."""

import asyncio

import pytest
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from eventlog.kafka import KafkaLog
from eventlog.log import LogError, Record
from eventlog.topics import Topics
from runtime.embedded.kafka_cluster import kafka_cluster
from runtime.settings import LogSettings

READY_S = 60


@pytest.fixture
def cluster(tmp_path):
    cluster = kafka_cluster(tmp_path)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def settings(cluster):
    return LogSettings(
        kafka_bootstrap=cluster.bootstrap,
        partitions=1,
        replication_factor=3,
        min_insync_replicas=2,
        request_timeout_ms=6_000,
    )


def leader_of(settings: LogSettings) -> int:
    topic = settings.kafka_topic
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
    described = admin.describe_topics(TopicCollection([topic]))[topic].result(READY_S)
    return int(described.partitions[0].leader.id)


async def append(log: KafkaLog, value: bytes) -> None:
    """As an owner would: a new appender for each attempt, until one commits."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                appender = await log.open_appender(0)
                await appender.append([Record(b"k", value)])
            except LogError:
                await asyncio.sleep(0.2)
            else:
                await appender.close()
                return


@pytest.mark.timeout(300)
async def test_ends_and_appends_go_on_while_leaders_are_killed_in_turn(cluster, settings):
    """A client that does not notice an election would ask the old leader for ever."""
    topics = Topics(settings)
    topics.ensure()
    async with KafkaLog(settings) as log:
        before = -1
        for number in range(3):
            await append(log, b"%d" % number)
            async with asyncio.timeout(READY_S):  # The marker comes after the answer.
                while (end := await asyncio.to_thread(topics.end, 0)) <= before:
                    await asyncio.sleep(0.05)
            before = end
            leader = cluster.brokers[await asyncio.to_thread(leader_of, settings) - 1]
            leader.process.kill()
            leader.process.wait()
            assert await asyncio.to_thread(topics.end, 0) >= end
            await asyncio.to_thread(leader.start)

        values = [
            record.value
            async for batch in log.read(0, 0, await log.end(0))
            for record in batch.records
        ]

    assert list(dict.fromkeys(values)) == [b"0", b"1", b"2"]
