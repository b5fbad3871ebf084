"""What this release cannot read stops the projection there, with a message; nothing is skipped."""

import asyncio
import subprocess
import sys

import pytest

from eventlog import codec
from eventlog._gen.orders.v1.events_pb2 import Event
from eventlog.log import Record, Undecodable
from eventlog.upcasters import SCHEMA_VERSION
from projectors.read_models import PROJECTIONS
from projectors.replay.rebuild import Rebuild

from .conftest import at

UNKNOWN_BODY = bytes([0xFA, 0xBB, 0x01, 0x00])  # Field 3007, which no release has, and empty.
ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
KEY = codec.event_key(ORDER, 1)


def envelope(**more) -> bytes:
    return Event(
        order_id=ORDER, version=1, **{"schema_version": SCHEMA_VERSION, **more}
    ).SerializeToString()


UNREADABLE = {
    "unknown type": (Record(KEY, envelope() + UNKNOWN_BODY), "deploy a release that knows it"),
    "later schema": (
        Record(KEY, envelope(schema_version=SCHEMA_VERSION + 1) + UNKNOWN_BODY),
        "deploy a newer release",
    ),
    "other bytes": (Record(KEY, b"\xff\xfe"), "not an orders.v1.Event"),
    "tombstone": (Record(KEY, None), "tombstone"),
}


@pytest.fixture(params=UNREADABLE)
async def stuck(request, facts):
    """Answer (partition, offset, message) of a record that cannot be read, amid those that can."""
    record, said = UNREADABLE[request.param]
    await facts.happen(30)
    partition = 1
    offset = await facts.append(partition, [record])
    await facts.happen(60)
    assert facts.ends()[partition] > offset + 2
    return partition, offset, said


async def until_stopped(projector, connection, partition, offset, ends):
    async def is_there() -> bool:
        found = await at(connection)
        rows = await connection.fetch(
            "SELECT 1 FROM orderlog.live_checkpoints WHERE error IS NOT NULL"
        )
        return len(rows) == len(PROJECTIONS) and all(
            found[name] == {**ends, partition: offset} for name in PROJECTIONS
        )

    await projector.until(is_there, "all that can be read, and a stop")


async def test_it_stops_there_says_where_and_applies_all_else(
    facts, projecting, served, expected, connection, stuck
):
    partition, offset, said = stuck
    async with projecting() as projector:
        await until_stopped(projector, connection, partition, offset, facts.ends())
        status = projector.live.status()

    errors = {
        row["projection"]: row["error"]
        for row in await connection.fetch(
            "SELECT projection, error FROM orderlog.live_checkpoints WHERE partition = $1",
            partition,
        )
    }
    for name in PROJECTIONS:
        assert f"partition {partition} offset {offset}" in errors[name]
        assert said in errors[name]
        assert status[name] == errors[name]
    before = [
        one
        for one in await facts.decoded()
        if one.partition != partition or one.next_offset <= offset
    ]
    assert await served() == expected(before)


async def test_a_restart_stops_at_the_same_place(facts, projecting, connection):
    record, _ = UNREADABLE["unknown type"]
    await facts.happen(10)
    offset = await facts.append(2, [record])
    await facts.happen(20)

    for _ in range(2):
        async with projecting() as projector:
            await until_stopped(projector, connection, 2, offset, facts.ends())


async def test_lag_says_so_and_exits_with_3(facts, projecting, connection, environment):
    record, said = UNREADABLE["unknown type"]
    offset = await facts.append(0, [record])
    async with projecting() as projector:
        await until_stopped(projector, connection, 0, offset, facts.ends())

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cli.main", "lag"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 3
    assert f"offset {offset}" in done.stderr
    assert said in done.stderr


async def test_a_rebuild_comes_as_far_as_the_live_one_and_stops_there_too(
    facts, projecting, connection, database_settings, served
):
    record, _ = UNREADABLE["unknown type"]
    await facts.happen(20)
    offset = await facts.append(3, [record])
    await facts.happen(20)
    async with projecting() as projector:
        await until_stopped(projector, connection, 3, offset, facts.ends())
    before = await served()

    await Rebuild(facts.settings, database_settings, tuple(PROJECTIONS.values())).run()

    assert await served() == before
    async with projecting() as projector:
        await until_stopped(projector, connection, 3, offset, facts.ends())


async def test_a_rebuild_from_nothing_refuses_to_skip_it(facts, connection, database_settings):
    record, said = UNREADABLE["unknown type"]
    await facts.happen(20)
    await facts.append(3, [record])

    with pytest.raises(Undecodable, match=said):
        await Rebuild(facts.settings, database_settings, tuple(PROJECTIONS.values())).run()

    assert not await at(connection)
