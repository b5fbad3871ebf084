"""T1: an abort marker that the log cleaner has emptied stops one client for ever, and no reader."""

import ast
import asyncio
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from audit.export import Request, export
from audit.verify import verify
from eventlog.codec import decode, is_event
from eventlog.kafka import KafkaLog
from eventlog.log import Batch
from eventlog.reader import LogReader
from eventlog.topics import Topics
from projectors import database
from projectors.follow import Follower, read_between
from projectors.live import Live
from projectors.read_models import PROJECTIONS
from projectors.replay.rebuild import Rebuild
from projectors.replay.verify import verify_all, verify_sample
from runtime.settings import DatabaseSettings, ProjectorSettings
from tests.submissions import submission as submit

from .compacted import TRAPPED, is_trapped
from .given import PARTITIONS, READY_S, note, opened

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def topic(emptied_topic):
    return emptied_topic


@pytest.fixture(autouse=True)
async def trap(topic):
    """The marker is there, and empty, before a reader of ours has passed it and after."""
    assert await is_trapped(topic.settings)
    yield
    assert await is_trapped(topic.settings)


@pytest.fixture
def ends(topic) -> dict[int, int]:
    return Topics(topic.settings).ends(PARTITIONS)


@pytest.fixture
def database_settings(database_url) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(database_url))


def facts_in(batches: list[Batch]) -> set[tuple[str, int, str]]:
    found = [decode(r) for batch in batches for r in batch.records if is_event(r.key)]
    assert len(found) == len({event.event_id for event in found})
    return {(event.order_id, event.version, event.event_id) for event in found}


def test_following_the_log_passes_it(topic, ends):
    batches, at = [], dict.fromkeys(ends, 0)
    deadline = time.monotonic() + READY_S
    with LogReader(topic.settings) as reader:
        reader.assign(at)
        while at != ends:
            assert time.monotonic() < deadline, (at, ends)
            for batch in reader.poll(5_000, 0.1):
                batches.append(batch)
                at[batch.partition] = batch.next_offset

    assert facts_in(batches) == set(topic.facts)


def test_a_range_that_holds_it_is_read_to_its_end(topic, ends):
    with LogReader(topic.settings) as reader:
        batches = [batch for p, end in ends.items() for batch in reader.read_range(p, 0, end)]

    assert facts_in(batches) == set(topic.facts)
    assert {batch.partition: batch.next_offset for batch in batches} == ends


def test_a_range_that_begins_or_ends_anywhere_near_it_is_read(topic, ends):
    """The marker is at an offset of its own: one of these ranges is nothing but the marker."""
    with LogReader(topic.settings) as reader:
        for start in range(ends[TRAPPED]):
            *_, last = reader.read_range(TRAPPED, start, start + 1)
            assert last.next_offset == start + 1


async def test_the_port_passes_it(topic, ends):
    async with KafkaLog(topic.settings) as log:
        batches = [batch for p, end in ends.items() async for batch in log.read(p, 0, end)]

    assert facts_in(batches) == set(topic.facts)


async def test_an_owner_takes_over_and_goes_on(topic):
    """Its producers are in another environment, so that the marker's own keeps quiet."""
    third = topic.settings.model_copy(update={"environment": "third"})
    orders = {order_id for order_id, _, _ in topic.facts}
    async with KafkaLog(third) as log, opened(log, third) as partitions:
        await partitions.wait_ready(READY_S)
        known = {
            (order_id, ref.version, ref.event_id)
            for writer in partitions.writers.values()
            for order_id in orders
            for ref in writer._state.streams.get(order_id).refs
        }
        assert known == set(topic.facts)
        for order_id in orders:
            last = max(version for one, version, _ in topic.facts if one == order_id)
            outcome = await partitions.submit(submit(note(), order_id))
            topic.facts += [(order_id, ref.version, ref.event_id) for ref in outcome.events]
            assert outcome.version == last + 1


async def test_projectors_pass_it(topic):
    ends = Topics(topic.settings).ends(PARTITIONS)
    with LogReader(topic.settings) as reader:
        between = list(read_between(reader, dict.fromkeys(ends, 0), ends, READY_S))
    follower = Follower(topic.settings, ProjectorSettings(), dict.fromkeys(ends, 0))
    followed, at = [], {}
    try:
        async with asyncio.timeout(READY_S):
            while at != ends:
                for decoded in await follower.next():
                    followed.append(decoded)
                    at[decoded.partition] = decoded.next_offset
    finally:
        await follower.close()

    for found in (between, followed):
        events = [event for decoded in found for event in decoded.records]
        assert len(events) == len(topic.facts)
        assert {(e.order_id, e.version, e.event_id) for e in events} == set(topic.facts)


async def test_read_models_are_projected_rebuilt_and_verified_through_it(topic, database_settings):
    ends = Topics(topic.settings).ends(PARTITIONS)
    stop, live = asyncio.Event(), Live(topic.settings, database_settings, ProjectorSettings())
    running = asyncio.create_task(live.run(stop))
    connection = await database.connect(database_settings)
    async with asyncio.timeout(READY_S):
        while await _checkpoints(connection) != dict.fromkeys(PROJECTIONS, ends):
            assert not running.done(), running.result()
            await asyncio.sleep(0.05)
    rows = await connection.fetch("SELECT order_id, version, event_id FROM read_models.timeline")
    stop.set()
    await running
    await connection.close()

    assert {(str(o), v, str(e)) for o, v, e in rows} == set(topic.facts)
    every = list(PROJECTIONS.values())
    for one in await Rebuild(topic.settings, database_settings, every).run():
        assert one.report.is_equal
    for reports in (
        await verify_all(topic.settings, database_settings, every),
        await verify_sample(topic.settings, database_settings, every, orders=100),
    ):
        assert all(report.is_equal for report in reports)


async def _checkpoints(connection) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for row in await connection.fetch("TABLE orderlog.live_checkpoints"):
        found.setdefault(row["projection"], {})[row["partition"]] = row["next_offset"]
    return found


async def test_an_export_passes_it_and_proves_itself(topic, tmp_path):
    async with KafkaLog(topic.settings) as log:
        manifest = await export(log, tmp_path / "out", Request())

    assert manifest.events == len(topic.facts)
    assert verify(tmp_path / "out").is_valid


def test_the_client_that_stands_still_reads_nothing_of_ours():
    """It appends, and it is a member of the group; records are read by the other one alone."""
    importing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("eventlog", "command_api", "projectors", "audit", "seeding", "cli")
        for path in (ROOT / folder).rglob("*.py")
        if "AIOKafkaConsumer" in path.read_text()
    ]
    assert importing == ["eventlog/group/membership.py"]
    called = {
        node.func.attr
        for node in ast.walk(ast.parse((ROOT / importing[0]).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"getone", "getmany", "seek", "position"}
