"""Who starts on a topic that would break a promise ends with exit code 4, and says what to do.

F27 unclean elections, F37 a topic made again, F39 deletion by time, F43 a raised partition count,
and records that were deleted.
"""

import asyncio
import os
import sys
import time

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from pydantic import SecretStr

from eventlog.kafka import KafkaLog
from eventlog.submission import PartitionHalted
from eventlog.topics import Topics
from projectors import binding, database
from runtime.embedded.child import free_port
from runtime.settings import DatabaseSettings, LogSettings
from tests.submissions import submission as submit

from .given import PARTITIONS, PLACING, READY_S, make_again, opened, order_in

INCOMPATIBLE = 4
ORDERS = 10
PROCESSES = {"command": ("serve", "command"), "projectors": ("project",)}


@pytest.fixture
async def topic(log_settings, kafka_log):
    """A topic with some orders in each partition, that nobody owns any more."""
    async with opened(kafka_log, log_settings) as partitions:
        await partitions.wait_ready(READY_S)
        await asyncio.gather(
            *(
                partitions.submit(submit(PLACING, order_in(partition)))
                for partition in range(PARTITIONS)
                for _ in range(ORDERS)
            )
        )
    return log_settings


@pytest.fixture
def begin(topic, database_url):
    """Answer `await begin("serve", "command")`: a process of ours; it reports on stderr."""

    async def start(*verb: str) -> asyncio.subprocess.Process:
        environment = {
            "ORDERLOG_KAFKA_BOOTSTRAP": topic.kafka_bootstrap,
            "ORDERLOG_KAFKA_TOPIC": topic.kafka_topic,
            "ORDERLOG_ENVIRONMENT": topic.environment,
            "ORDERLOG_COMMAND_PORT": str(free_port()),
            "ORDERLOG_DATABASE_URL": database_url,
            "ORDERLOG_METRICS_PORT": "0",
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *verb),
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    return start


def raise_count(admin: AdminClient, settings: LogSettings) -> None:
    """Double the topic's partitions, as an operator would who wants more throughput."""
    wanted = [NewPartitions(settings.kafka_topic, 2 * PARTITIONS)]
    for future in admin.create_partitions(wanted).values():
        future.result(READY_S)
    deadline = time.monotonic() + READY_S
    while Topics(settings).identity().partitions == PARTITIONS:
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Wait for its end; whoever goes on running is killed, and fails the test."""
    output = asyncio.create_task(process.communicate())
    await asyncio.wait([output], timeout=READY_S)
    if process.returncode is None:
        process.kill()
    stdout, stderr = await output
    return process.returncode, (stdout + stderr).decode()


async def all_refuse(begin, *said: str, **processes: tuple[str, ...]) -> None:
    started = {name: await begin(*verb) for name, verb in (processes or PROCESSES).items()}
    for name, process in started.items():
        code, output = await ended(process)
        assert code == INCOMPATIBLE, (name, output)
        assert "Traceback" not in output, (name, output)
        for text in said:
            assert text in output, (name, output)


CHECKED = {**PROCESSES, "check": ("topics", "check")}


@pytest.mark.parametrize(
    ("setting", "value", "needed"),
    [("unclean.leader.election.enable", "true", "false"), ("cleanup.policy", "delete", "compact")],
)
async def test_a_setting_that_can_lose_events(topic, begin, change_topic, setting, value, needed):
    change_topic(topic, **{setting.replace(".", "_"): value})

    said = f"{setting} is {value}, needed is {needed}"
    await all_refuse(begin, said, "change the topic's setting back")


async def test_a_partition_count_that_was_raised(topic, begin, admin):
    await asyncio.to_thread(raise_count, admin, topic)

    await all_refuse(
        begin, "with 8 partitions", "copy the log into a new topic with the count it had", **CHECKED
    )


async def test_records_that_were_deleted(topic, begin, admin, change_topic):
    """Kafka refuses that on a compacted topic; somebody found a way, and put the setting back."""
    change_topic(topic, cleanup_policy="delete")
    until = TopicPartition(topic.kafka_topic, 1, 3)
    for future in admin.delete_records([until]).values():
        future.result(READY_S)
    change_topic(topic, cleanup_policy="compact")

    await all_refuse(
        begin, "the first records of partitions [1] are gone", "copy the log", **CHECKED
    )


async def test_a_topic_that_was_made_again(topic, begin, admin, database_url):
    """A database knows which log it is of; the command side keeps nothing that could be wrong."""
    connection = await database.connect(DatabaseSettings(database_url=SecretStr(database_url)))
    await binding.bind(connection, topic)
    await connection.close()

    await asyncio.to_thread(make_again, admin, topic)

    await all_refuse(
        begin, "built from another log: topic id was", "use a new database", project=("project",)
    )


async def test_a_node_that_runs_halts_when_the_count_is_raised(topic, admin):
    """When it takes over next: until then it is the one and only owner of what it has."""
    async with KafkaLog(topic) as log, opened(log, topic) as partitions:
        await partitions.wait_ready(READY_S)
        await asyncio.to_thread(raise_count, admin, topic)
        async with KafkaLog(topic) as another:
            await (await another.open_appender(0)).close()  # It fences, as a second node would.

        async with asyncio.timeout(READY_S):
            with pytest.raises(PartitionHalted, match="and 4 partitions, now it has id"):
                await partitions.submit(submit(PLACING, order_in(0)))
