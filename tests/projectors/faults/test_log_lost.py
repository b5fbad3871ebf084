"""The log itself loses records, or is made again, while it is being read: said in words, never
passed over. And the log cleaner at work, which loses nothing."""

import asyncio
import time
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ResourceType

from eventlog import codec
from eventlog.kafka import KafkaLog
from eventlog.log import IntegrityError, Record
from eventlog.reader import LogReader
from eventlog.topics import Topics
from projectors import generations
from projectors.database import Incompatible
from projectors.live import Live
from projectors.read_models import PROJECTIONS
from projectors.replay.rebuild import Rebuild
from runtime.settings import ProjectorSettings
from tests.projectors.checking import Exact, look
from tests.projectors.histories import Histories
from tests.projectors.running import DEADLINE_S, Facts
from tests.traps.compacted import FAST
from tests.traps.given import READY_S, change, make_again, produce

PARTITION = 1
TIMELINE = replace(PROJECTIONS["timeline"], function_version=99)
"""Its rows are compared with no others, so that no difference would be noticed."""


def mark(epoch: int) -> Record:
    return codec.ownership_record(PARTITION, epoch=epoch, node="n", acquired_at_us=1)


@pytest.fixture
def admin(facts) -> AdminClient:
    return AdminClient({"bootstrap.servers": facts.settings.kafka_bootstrap, "log_level": 0})


@pytest.fixture
def delete_records(admin, facts):
    """Answer `await delete_records(partition, offset)`: all before it are gone."""
    topic = facts.settings.kafka_topic

    def is_deleted(partition: int, offset: int) -> bool:
        """The broker tells of the new policy a moment before its partitions go by it."""
        (done,) = admin.delete_records([TopicPartition(topic, partition, offset)]).values()
        try:
            done.result(READY_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.POLICY_VIOLATION:
                raise
            return False
        return True

    def delete(partition: int, offset: int) -> None:
        change(admin, ResourceType.TOPIC, topic, cleanup_policy="delete")
        deadline = time.monotonic() + READY_S
        while not is_deleted(partition, offset):
            assert time.monotonic() < deadline, "the partition has not heard of the change"
            time.sleep(0.01)
        change(admin, ResourceType.TOPIC, topic, cleanup_policy="compact")

    return lambda *place: asyncio.to_thread(delete, *place)


@pytest.fixture
async def projected(facts, projecting) -> None:
    await facts.happen(60)
    async with projecting() as projector:
        await projector.reach()


async def test_records_that_are_deleted_before_they_are_applied_stop_a_projector_that_runs(
    facts, database_settings, connection, delete_records, eventually
):
    """An open transaction keeps the reader back, so that they are gone when it may go on."""
    await facts.happen(60)
    live = Live(facts.settings, database_settings, ProjectorSettings(heartbeat_ms=100))
    running = asyncio.create_task(live.run(asyncio.Event()))

    async def is_there() -> bool:
        found = (await look(connection)).at
        return found.keys() == PROJECTIONS.keys() and all(
            found[name] == facts.ends() for name in found
        )

    await eventually(is_there, "the end of the log")
    before = await look(connection)
    appender = await facts.begin(PARTITION, [mark(9)])
    marks = [mark(epoch) for epoch in range(3)]
    produce(facts.settings, *((PARTITION, one.key, one.value) for one in marks))
    await delete_records(PARTITION, before.at["orders"][PARTITION] + 2)
    await appender._producer.end(is_commit=False)
    await appender.close()

    with pytest.raises(Incompatible, match=r"no longer holds the offset|first records"):
        async with asyncio.timeout(DEADLINE_S):
            await running
    Exact().require(await look(connection), facts.decoded())
    again = Live(facts.settings, database_settings, ProjectorSettings())
    with pytest.raises(Incompatible, match=r"the first records of partitions \[1\] are gone"):
        await again.run(asyncio.Event())


@pytest.mark.usefixtures("projected")
async def test_records_that_were_applied_and_are_deleted_change_no_row_and_stop_the_next_start(
    facts, projecting, connection, delete_records, cli
):
    async with projecting() as projector:
        await facts.happen(5)
        await projector.reach()  # It is past its start, which would refuse what comes now.
        await delete_records(PARTITION, 3)
        await facts.happen(30)
        await projector.reach()
    before = await look(connection)

    refused = [await cli(*verb.split()) for verb in ("rebuild", "verify --all")]

    Exact().require(before, facts.decoded())
    for one in refused:
        assert one.exit_code == 4, one.output
        assert "the first records of partitions [1] are gone" in one.stderr
    assert (await look(connection)).rows == before.rows


@pytest.fixture
async def held_rebuild(facts, database_settings, owner, connection, eventually):
    """A rebuild under way: it has read the first partitions, and waits at the last."""
    await generations.create(connection, TIMELINE, 4)
    await owner.execute("BEGIN")
    await owner.execute(
        "SELECT FROM orderlog.checkpoints WHERE projection = 'timeline' AND generation = 2 "
        "AND partition = (SELECT partition FROM orderlog.live_checkpoints "
        "WHERE projection = 'timeline' ORDER BY next_offset DESC LIMIT 1) FOR UPDATE"
    )
    impatient = facts.settings.model_copy(update={"request_timeout_ms": 1_500})
    task = asyncio.create_task(Rebuild(impatient, database_settings, [TIMELINE]).run())

    async def waits() -> bool:
        assert not task.done(), task.result()
        return bool(await connection.fetchval("SELECT bool_or(NOT granted) FROM pg_locks"))

    await eventually(waits, "it waits for the checkpoint")
    return task


@pytest.fixture
def change_log(facts, admin, delete_records):
    """Answer `await change_log("deleted")`, or "made again", or "filled again"."""

    async def do(how: str) -> None:
        ends = facts.ends()
        if how == "deleted":
            for partition, end in ends.items():
                await delete_records(partition, end)
            return
        await asyncio.to_thread(make_again, admin, facts.settings)
        if how == "made again":
            return
        async with KafkaLog(facts.settings) as log:
            other = Facts(log, facts.settings, Histories(99))
            while any(end < ends[partition] for partition, end in other.ends().items()):
                await other.happen(20)
            await other.close()

    return do


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("how", ["deleted", "made again", "filled again"])
async def test_a_log_that_changes_under_a_rebuild_is_never_switched_to(
    held_rebuild, connection, owner, change_log, how
):
    before = await look(connection)
    await change_log(how)
    await owner.execute("COMMIT")

    with pytest.raises((Incompatible, IntegrityError), match=r"no longer holds|made again"):
        async with asyncio.timeout(DEADLINE_S):
            await held_rebuild
    live = await generations.find(connection, "timeline", "live")
    assert live.generation == 1
    assert (await look(connection)).rows == before.rows


@pytest.fixture
def eager_cleaner(admin):
    (broker,) = admin.describe_cluster().result(READY_S).nodes
    change(admin, ResourceType.BROKER, str(broker.id), log_cleaner_backoff_ms="200")
    yield
    change(admin, ResourceType.BROKER, str(broker.id), log_cleaner_backoff_ms="15000")


@pytest.mark.usefixtures("eager_cleaner")
async def test_the_cleaner_at_work_changes_nothing_while_a_projector_and_a_rebuild_read(
    facts, projecting, connection, admin, cli
):
    """Marks of takeovers replace each other, and leave gaps where they were."""
    change(admin, ResourceType.TOPIC, facts.settings.kafka_topic, **FAST)
    exact = Exact()
    async with projecting(events_max=3) as projector:
        async with asyncio.timeout(DEADLINE_S):
            while not await asyncio.to_thread(has_gaps, facts):
                await facts.happen(15)
                exact.require(await look(connection), facts.decoded())
                await asyncio.sleep(0.3)
        rebuilt = await cli("rebuild", "--workers", "1")
        await projector.reach()
        exact.require(await look(connection), facts.decoded())

    assert rebuilt.exit_code == 0, rebuilt.output
    assert rebuilt.stdout.count("equal to the one before") == len(PROJECTIONS)


def has_gaps(facts) -> bool:
    """Tell whether the cleaner has removed a mark from each of two partitions."""
    appended = dict.fromkeys(range(4), 0)
    for batch in facts._committed:
        appended[batch.partition] += len(batch.records)
    found = 0
    for partition, end in Topics(facts.settings).ends(4).items():
        with LogReader(facts.settings) as reader:
            kept = sum(len(b.records) for b in reader.read_range(partition, 0, end))
        found += kept < appended[partition]
    return found >= 2
