"""T11: a topic that was deleted and made again has the same name, and nothing of what was read."""

import asyncio

import pytest
from pydantic import SecretStr

from domain.commands import Accept
from eventlog.kafka import KafkaLog
from eventlog.log import IntegrityError
from eventlog.memory import MemoryLog
from eventlog.reader import LogReader
from eventlog.submission import PartitionHalted
from eventlog.topics import Topics
from projectors import database
from projectors.database import Incompatible
from projectors.follow import Follower
from projectors.live import Live
from runtime.settings import DatabaseSettings, LogSettings, ProjectorSettings
from tests.submissions import submission as submit

from .given import PARTITIONS, PLACING, READY_S, make_again, note, opened, order_in

SHORTER, LONGER = "shorter than what was read", "longer than what was read"


@pytest.fixture(scope="module")
def made_again(admin):
    """Answer `await made_again(settings, how)`: the other log, with more in it or nothing."""

    async def make(settings, how: str) -> None:
        reached = Topics(settings).ends(PARTITIONS)
        await asyncio.to_thread(make_again, admin, settings)
        if how == SHORTER:
            return
        other = settings.model_copy(update={"environment": "other"})
        async with KafkaLog(other) as log, opened(log, other) as partitions:
            await partitions.wait_ready(READY_S)
            for partition, end in reached.items():
                order_id = order_in(partition)
                await partitions.submit(submit(PLACING, order_id))
                while Topics(settings).end(partition) <= end:
                    await partitions.submit(submit(note(), order_id))

    return make


@pytest.fixture
async def served(log_settings, kafka_log):
    """A node that serves all partitions, and an order of some facts in partition 0."""
    order_id = order_in(0)
    async with opened(kafka_log, log_settings) as partitions:
        await partitions.wait_ready(READY_S)
        await partitions.submit(submit(PLACING, order_id, "k"))
        for number in range(5):
            await partitions.submit(submit(note(number), order_id))
        yield partitions, order_id


NEXT = {
    "a new command": lambda order_id: submit(note(), order_id),
    "a repeat": lambda order_id: submit(PLACING, order_id, "k"),
    "a refusal": lambda _: submit(Accept(), order_in(0)),
}


@pytest.mark.parametrize(
    ("command", "how"), [*((command, SHORTER) for command in NEXT), ("a new command", LONGER)]
)
async def test_a_node_that_serves_halts_instead_of_going_on(
    log_settings, served, made_again, command, how
):
    """What it remembers is not in this log; a version 7 would be the order's first here."""
    partitions, order_id = served
    await made_again(log_settings, how)

    async with asyncio.timeout(READY_S):
        with pytest.raises(PartitionHalted, match="made again"):
            await partitions.submit(NEXT[command](order_id))


async def test_an_owner_halts_when_its_log_is_shorter_under_the_same_name_and_id():
    """What was acknowledged is gone, whatever the topic says of itself."""
    order_id, log = order_in(0), MemoryLog(PARTITIONS)
    async with opened(log, LogSettings()) as partitions:
        await partitions.wait_ready(READY_S)
        await partitions.submit(submit(PLACING, order_id))
        del log._entries[0][1:]

        async with asyncio.timeout(READY_S):
            with pytest.raises(PartitionHalted, match="it was truncated or made again"):
                await partitions.submit(submit(note(), order_id))


@pytest.mark.usefixtures("served")
async def test_a_reader_stops_where_it_was(log_settings, made_again):
    at = Topics(log_settings).end(0)
    follower = Follower(log_settings, ProjectorSettings(), {0: at})
    with LogReader(log_settings) as following:
        following.assign({0: at})
        assert following.poll(10, 0.5) == []
        await made_again(log_settings, SHORTER)

        with pytest.raises(IntegrityError, match="truncated or made again"):
            await asyncio.to_thread(_poll_on, following)
    with LogReader(log_settings) as ranged, pytest.raises(IntegrityError, match="made again"):
        list(ranged.read_range(0, at, at + 10))
    try:
        with pytest.raises(IntegrityError, match="made again"):
            await _follow_on(follower)
    finally:
        await follower.close()


async def _follow_on(follower: Follower) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            assert await follower.next() == []


def _poll_on(reader: LogReader) -> None:
    for _ in range(READY_S):
        assert reader.poll(10, 1) == []


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("how", [SHORTER, LONGER])
async def test_a_projector_that_runs_stops(log_settings, made_again, database_url, how):
    settings = DatabaseSettings(database_url=SecretStr(database_url))
    stop, live = asyncio.Event(), Live(log_settings, settings, ProjectorSettings(heartbeat_ms=100))
    running = asyncio.create_task(live.run(stop))
    connection = await database.connect(settings)
    ends = Topics(log_settings).ends(PARTITIONS)
    async with asyncio.timeout(READY_S):
        while dict(map(tuple, await connection.fetch(_ORDERS))) != ends:
            assert not running.done(), running.result()
            await asyncio.sleep(0.02)
    await made_again(log_settings, how)

    with pytest.raises(Incompatible, match=r"made again|there is no topic"):
        async with asyncio.timeout(READY_S):
            await running
    await connection.close()


_ORDERS = """
SELECT partition, next_offset FROM orderlog.live_checkpoints WHERE projection = 'orders'
"""
