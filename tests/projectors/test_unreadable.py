"""What this release cannot read stops the projection there, with a message; nothing is skipped."""

import asyncio
import json
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from eventlog import codec
from eventlog._gen.orders.v1.events_pb2 import Event
from eventlog.log import Record
from eventlog.upcasters import SCHEMA_VERSION
from projectors.follow import Follower
from projectors.read_models import PROJECTIONS
from query_api.app import create_app
from runtime.serving import server
from runtime.settings import ProjectorSettings, QuerySettings

from .running import at, errors

PARTITION = 1
UNKNOWN_BODY = bytes([0xFA, 0xBB, 0x01, 0x00])  # Field 3007, which no release has, and empty.
ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
KEY = codec.event_key(ORDER, 1)


def envelope(**more) -> bytes:
    return Event(
        order_id=ORDER, version=1, **{"schema_version": SCHEMA_VERSION, **more}
    ).SerializeToString()


def under_another_key(record: Record) -> Record:
    return Record(KEY, record.value)


def of_the_next_release(record: Record) -> Record:
    message = Event.FromString(record.value)
    message.schema_version = SCHEMA_VERSION + 1
    return Record(record.key, message.SerializeToString(deterministic=True))


UNKNOWN = Record(KEY, envelope() + UNKNOWN_BODY)
UNREADABLE = {
    "unknown type": (UNKNOWN, "deploy a release that knows it"),
    "later schema": (
        Record(KEY, envelope(schema_version=SCHEMA_VERSION + 1) + UNKNOWN_BODY),
        "deploy a newer release",
    ),
    "other bytes": (Record(KEY, b"\xff\xfe"), "not an orders.v1.Event"),
    "no bytes": (Record(KEY, b""), "holds no event type"),
    "tombstone": (Record(KEY, None), "tombstone"),
    "another key": (under_another_key, "is not that of the event inside"),
}


@pytest.fixture
def put(facts):
    """Answer `await put(record)`: its offset in partition 1, amid facts before and after it.

    Instead of a record it takes a function that changes what would come next.
    """

    async def append(record: Record | Callable[[Record], Record]) -> int:
        await facts.happen(30)
        records = [record]
        if not isinstance(record, Record):
            records = [record(one) for one in await facts.next_in(PARTITION)]
        offset = await facts.append(PARTITION, records)
        await facts.happen(60)
        assert facts.ends()[PARTITION] > offset + 2
        return offset

    return append


@pytest.fixture
def newer_release(monkeypatch):
    """Answer `with newer_release():` the code reads what the release after this one writes."""

    @contextmanager
    def deployed():
        with monkeypatch.context() as changed:
            changed.setattr(codec, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
            yield

    return deployed


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_it_stops_there_says_where_and_applies_all_else(
    put, projecting, is_exact, connection, kind
):
    record, said = UNREADABLE[kind]
    offset = await put(record)

    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)
        status = projector.live.status()

    found = await errors(connection)
    assert found.keys() == {(name, PARTITION) for name in PROJECTIONS}
    for (name, _), message in found.items():
        assert f"partition {PARTITION} offset {offset}" in message
        assert said in message
        assert status[name] == message
    assert await is_exact()


async def test_a_restart_stops_at_the_same_place(put, projecting, connection):
    offset = await put(UNKNOWN)

    for _ in range(2):
        async with projecting() as projector:
            await projector.stop_at(PARTITION, offset)


async def test_other_partitions_go_on_while_it_stands(facts, put, projecting, is_exact, connection):
    offset = await put(UNKNOWN)
    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)
        before = await at(connection)

        await facts.happen(60)
        await projector.stop_at(PARTITION, offset)

    assert (await at(connection))["orders"] != before["orders"]
    assert await is_exact()


async def test_a_release_that_knows_it_goes_on_and_the_error_is_gone(
    put, projecting, is_exact, connection, newer_release
):
    offset = await put(of_the_next_release)
    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)

    with newer_release():
        async with projecting() as projector:
            await projector.reach()

        assert await errors(connection) == {}
        assert await is_exact()


async def test_lag_names_it_and_exits_with_3(facts, put, projecting, cli):
    offset = await put(UNKNOWN)
    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)

    told = await cli("lag")
    counted = await cli("lag", "-o", "json")

    assert (told.exit_code, counted.exit_code) == (3, 3)
    for name in PROJECTIONS:
        assert (
            f"{name} is stuck at partition {PARTITION}: cannot read the record at partition "
            f"{PARTITION} offset {offset}: it holds no event type"
        ) in told.stderr
    stuck = [one for one in json.loads(counted.stdout) if one["error"]]
    assert [(one["projection"], one["partition"], one["next_offset"]) for one in stuck] == [
        (name, PARTITION, offset) for name in sorted(PROJECTIONS)
    ]
    assert all(
        one["records_behind"] == facts.ends()[PARTITION] - offset and one["seconds_behind"] > 0
        for one in stuck
    )


async def test_the_query_api_names_it(put, projecting, database_settings):
    offset = await put(UNKNOWN)
    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)

    said = await answer(database_settings, "/v1/projections")

    for entry in json.loads(said)["projections"]:
        errors = {one["partition"]: one["error"] for one in entry["partitions"] if one["error"]}
        assert errors.keys() == {PARTITION}
        assert f"partition {PARTITION} offset {offset}: it holds no event type" in entry["error"]


async def answer(database_settings, path: str) -> bytes:
    """Ask the query API on a port of its own."""
    app = create_app(QuerySettings(), database_settings)
    serving = server(app, "127.0.0.1", 0)
    task = asyncio.create_task(serving.serve())
    async with asyncio.timeout(20):
        while not serving.started:
            await asyncio.sleep(0.01)
        port = serving.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        found = await reader.read()
        writer.close()
        app.state.checkpoints.close()
        serving.should_exit = True
        await task
    return found.partition(b"\r\n\r\n")[2]


async def test_a_rebuild_comes_as_far_as_the_live_one_and_no_further(
    facts, put, projecting, connection, cli, served
):
    offset = await put(UNKNOWN)
    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)
    before = await served()

    done = await cli("rebuild", "--workers", "1")

    assert done.exit_code == 0, done.output
    assert await served() == before
    assert (await at(connection))["orders"] == {**facts.ends(), PARTITION: offset}
    async with projecting() as projector:
        await projector.stop_at(PARTITION, offset)


async def test_a_rebuild_from_nothing_refuses_to_skip_it(put, connection, cli):
    offset = await put(UNKNOWN)

    refused = await cli("rebuild", "--workers", "1")

    assert refused.exit_code == 4
    assert f"partition {PARTITION} offset {offset}: it holds no event type" in refused.stderr
    assert not await at(connection)


@pytest.mark.parametrize("verb", ["rebuild", "verify --all", "verify --sample 1000"])
async def test_what_a_newer_release_has_applied_is_refused_by_an_older_one(
    put, projecting, served, cli, newer_release, verb
):
    """The live rows contain an event that this release cannot read: it touches nothing."""
    offset = await put(of_the_next_release)
    with newer_release():
        async with projecting() as projector:
            await projector.reach()
        before = await served()

    refused = await cli(*verb.split())

    assert refused.exit_code == 4
    assert f"partition {PARTITION} offset {offset}" in refused.stderr
    assert "deploy a newer release" in refused.stderr
    assert await served() == before


async def test_a_log_of_which_nothing_can_be_read_on_is_no_error(facts):
    """Even when the brokers went away meanwhile: the process stays, and goes on saying why."""
    ends = {}
    for partition in range(4):
        offset = await facts.append(partition, [UNKNOWN])
        ends[partition] = offset
    follower = Follower(facts.settings, ProjectorSettings(), ends)
    try:
        faults = set()
        async with asyncio.timeout(20):
            while len(faults) < len(ends):
                faults |= {one.partition for one in await follower.next() if one.fault}
        follower._leave()  # As after an error of the brokers.

        assert await follower.next() == []
    finally:
        await follower.close()
