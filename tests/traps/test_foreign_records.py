"""T13, T14: a key that is there twice and a tombstone, before the cleaner has come and after."""

import asyncio

import pytest
from pydantic import SecretStr

from audit.export import Request, export
from audit.verify import verify
from eventlog import codec
from eventlog.kafka import KafkaLog
from eventlog.log import Undecodable
from eventlog.submission import PartitionHalted
from eventlog.topics import Topics
from projectors import database
from projectors.live import Live
from projectors.parked import redrive
from runtime.settings import DatabaseSettings, ProjectorSettings
from tests.submissions import submission as submit

from .compacted import DOUBLED, ERASED, HOLLOW, WHOLE, stored
from .given import PLACING, READY_S, note, opened, order_in, produce

_CHECKPOINTS = "SELECT * FROM orderlog.live_checkpoints WHERE projection = 'orders'"


async def halted(partitions, partition: int) -> str:
    """Wait until an owner halts; return what it has seen."""
    async with asyncio.timeout(READY_S):
        while not (health := partitions.health()[partition]).startswith("halted"):
            await asyncio.sleep(0.01)
    return health


async def refuses(partitions, partition: int, order_id: str) -> None:
    """Neither the order nor any other of the partition is served."""
    for one in (order_id, order_in(partition)):
        with pytest.raises(PartitionHalted, match=f"partition {partition} is halted"):
            await partitions.submit(submit(PLACING, one))


@pytest.fixture
async def written(log_settings, kafka_log):
    """An order of three facts in partition 0, and nobody owns it any more."""
    order_id = order_in(0)
    async with opened(kafka_log, log_settings) as partitions:
        await partitions.wait_ready(READY_S)
        await partitions.submit(submit(PLACING, order_id))
        for number in range(2):
            await partitions.submit(submit(note(number), order_id))
    return order_id


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_a_version_that_comes_twice_halts_its_partition(
    log_settings, kafka_log, written, version
):
    """The very same bytes, as a producer without idempotence would send them again."""
    key = codec.event_key(written, version)
    (found,) = [r for r in stored(log_settings, 0) if r.key == key]
    produce(log_settings, (0, key, found.value))

    async with opened(kafka_log, log_settings) as partitions:
        seen = await halted(partitions, 0)
        await refuses(partitions, 0, written)

    place = f"order {written} at offset {stored(log_settings, 0)[-1].offset}"
    assert seen == f"halted: {place}: version {version} follows version 3"


async def test_an_owner_that_is_serving_halts_too(log_settings, kafka_log, written):
    """It has written where it did not expect to, looks, and finds what it has not written."""
    async with opened(kafka_log, log_settings) as partitions:
        await partitions.wait_ready(READY_S)
        found = [r for r in stored(log_settings, 0) if codec.is_event(r.key)][-1]
        produce(log_settings, (0, found.key, found.value))

        with pytest.raises(PartitionHalted, match="version 3 follows version 3"):
            await partitions.submit(submit(note(), written))
        await halted(partitions, 0)
        assert [partitions.health()[p] for p in (1, 2, 3)] == ["serving"] * 3


async def test_a_tombstone_halts_its_partition(log_settings, kafka_log, written):
    produce(log_settings, (0, codec.event_key(written, 1), None))

    async with opened(kafka_log, log_settings) as partitions:
        seen = await halted(partitions, 0)
        await refuses(partitions, 0, written)

    offset = stored(log_settings, 0)[-1].offset
    assert f"partition 0 offset {offset}: it is a tombstone" in seen


async def test_a_tombstone_is_not_exported_away(log_settings, kafka_log, written, tmp_path):
    produce(log_settings, (0, codec.event_key(written, 1), None))

    with pytest.raises(Undecodable, match="it is a tombstone"):
        await export(kafka_log, tmp_path / "out", Request())


def versions(settings, partition: int, order_id: str) -> list[int]:
    prefix = f"{order_id}/".encode()
    keys = [record.key for record in stored(settings, partition)]
    return [int(key.removeprefix(prefix)) for key in keys if key.startswith(prefix)]


async def test_after_the_cleaner_the_faults_are_still_seen(broken_topic):
    """The first copy of a key is gone, and so is the order's first fact under its tombstone."""
    settings, orders = broken_topic.settings, broken_topic.orders
    assert versions(settings, DOUBLED, orders[DOUBLED]) == [1, 3, 4, 2]
    assert versions(settings, ERASED, orders[ERASED]) == [2, 3, 4]

    async with KafkaLog(settings) as log, opened(log, settings) as partitions:
        doubled, erased = await halted(partitions, DOUBLED), await halted(partitions, ERASED)
        async with asyncio.timeout(READY_S):
            while [partitions.health()[p] for p in (HOLLOW, WHOLE)] != ["serving"] * 2:
                await asyncio.sleep(0.01)
        await partitions.submit(submit(note(), orders[WHOLE]))

    assert f"order {orders[DOUBLED]} at offset" in doubled
    assert doubled.endswith("version 3 follows version 1")
    assert f"order {orders[ERASED]} at offset" in erased
    assert erased.endswith("version 2 follows version 0")


async def test_projections_park_its_order_and_go_on_with_all_others(broken_topic, database_url):
    """The projection that folds orders sees it; the order waits, with the reason beside it."""
    broken, orders = broken_topic.settings, broken_topic.orders
    settings = DatabaseSettings(database_url=SecretStr(database_url))
    stop, live = asyncio.Event(), Live(broken, settings, ProjectorSettings())
    running = asyncio.create_task(live.run(stop))
    connection = await database.connect(settings)
    topics = Topics(broken)
    ends = {partition: topics.end(partition) for partition in (WHOLE, DOUBLED, ERASED)}
    async with asyncio.timeout(READY_S):
        found = {}
        while {partition: found.get(partition) for partition in ends} != ends:
            assert not running.done(), running.result()
            rows = await connection.fetch(_CHECKPOINTS)
            found = {row["partition"]: row["next_offset"] for row in rows}
            await asyncio.sleep(0.05)
    parked = {one.order_id: one for one in await redrive.find(connection, "orders")}
    stop.set()
    await running
    await connection.close()

    assert parked.keys() == {orders[DOUBLED], orders[ERASED]}
    for partition, why in (
        (DOUBLED, "version 3 follows version 1"),
        (ERASED, "version 2 follows version 0"),
    ):
        error = parked[orders[partition]].error
        assert f"order {orders[partition]}" in error
        assert f"partition {partition} offset" in error
        assert why in error


async def test_an_export_of_it_does_not_pass_as_whole(broken_topic, tmp_path):
    async with KafkaLog(broken_topic.settings) as log:
        await export(log, tmp_path / "out", Request())

    verdict = verify(tmp_path / "out")
    assert not verdict.is_valid
    assert {finding.order_id for finding in verdict.findings} == {
        broken_topic.orders[p] for p in (DOUBLED, ERASED)
    }
