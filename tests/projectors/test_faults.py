"""A function that fails, a database that refuses, a checkpoint that somebody else has moved."""

import asyncio
from dataclasses import replace

import pytest

from projectors import folding, metrics
from projectors.checkpoints import CheckpointTaken
from projectors.database import connect
from projectors.engine import Engine, Move
from projectors.feed import Feed, Standby
from projectors.live import Live
from projectors.parked import redrive
from projectors.read_models import PROJECTIONS
from runtime.settings import ProjectorSettings

from .running import DEADLINE_S, at, errors

ORDERS = PROJECTIONS["orders"]
OTHERS = [projection for projection in PROJECTIONS.values() if projection is not ORDERS]


@pytest.fixture
def someone(facts):
    """Answer an event that is neither the first nor the last of its partition."""

    def choose():
        found = [recorded for batch in facts.decoded() for recorded in batch.records]
        partition = found[0].partition
        within = [recorded for recorded in found if recorded.partition == partition]
        return within[len(within) // 2]

    return choose


def failing_at(recorded):
    def evolve(before, event):
        if event.event_id == recorded.event_id:
            raise KeyError("no such colour")
        return ORDERS.evolve(before, event)

    return replace(ORDERS, evolve=evolve)


@pytest.fixture
def stops(facts, connection):
    """Answer `await stops(projector, partition)`: orders stand there, all else is at the end."""

    async def wait(projector, partition: int) -> str:
        stuck = ("orders", partition)

        async def is_there() -> bool:
            found, ends = await at(connection), facts.ends()
            late = {
                (name, partition)
                for name in PROJECTIONS
                for partition, end in ends.items()
                if found.get(name, {}).get(partition) != end
            }
            return late == set(await errors(connection)) == {stuck}

        await projector.until(is_there, "a stop, and the end of all else")
        return (await errors(connection))[stuck]

    return wait


@pytest.mark.parametrize("events_max", [1, 2_000])
async def test_a_function_that_fails_parks_the_order_of_that_event_alone(
    facts, projecting, rows_of, someone, connection, events_max
):
    await facts.happen(120)
    recorded = someone()

    projections = (failing_at(recorded), *OTHERS)
    async with projecting(projections=projections, events_max=events_max) as projector:
        await projector.reach()

    (one,) = await redrive.find(connection)
    later = [
        other.offset
        for batch in facts.decoded()
        for other in batch.records
        if other.order_id == recorded.order_id and other.version >= recorded.version
    ]
    assert (one.projection, one.order_id, list(one.offsets)) == ("orders", recorded.order_id, later)
    assert one.error == (
        f"cannot apply partition {recorded.partition} offset {recorded.offset} ({recorded.type} "
        f"of order {recorded.order_id}, version {recorded.version}): KeyError('no such colour')"
    )
    served, wanted = await rows_of(facts.decoded())
    assert {p.name: served[p.name] for p in OTHERS} == {p.name: wanted[p.name] for p in OTHERS}
    differing = set(served["orders"]) ^ set(wanted["orders"])
    assert {row[0] for row in differing} <= {recorded.order_id}


async def test_what_the_database_refuses_for_good_stops_until_another_generation_takes_it(
    facts, projecting, is_exact, stops, owner, cli
):
    """The same process goes on with the new tables, and its metric says so."""
    await facts.happen(40)
    async with projecting() as projector:
        await projector.reach()
        await owner.execute("ALTER TABLE read_models.orders_g1 RENAME COLUMN version TO other")
        partition, records = facts.histories.group()
        await facts.append(partition, records)
        assert "UndefinedColumnError" in await stops(projector, partition)
        assert metrics.STUCK.labels("orders", partition)._value.get() == 1

        rebuilt = await cli("rebuild", "--projection", "orders", "--workers", "1")
        assert rebuilt.exit_code == 0, rebuilt.output
        await projector.reach()

        assert metrics.STUCK.labels("orders", partition)._value.get() == 0
        assert projector.live.status()["orders"] is None
    assert await is_exact()


async def test_what_passes_by_itself_is_tried_again_and_never_stops_an_event(
    facts, projecting, is_exact, connection, owner
):
    await facts.happen(20)
    async with projecting() as projector:
        await projector.reach()
        await owner.execute(
            "CREATE FUNCTION read_models.fail() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$"
        )
        await owner.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON read_models.timeline_g1 "
            "EXECUTE FUNCTION read_models.fail()"
        )
        await facts.append(*facts.histories.group())

        async def is_said() -> bool:
            return "the disk is full" in str(projector.live.status()["timeline"])

        await projector.until(is_said, "what is wrong")
        assert await errors(connection) == {}

        await owner.execute("DROP TRIGGER fail ON read_models.timeline_g1")
        await projector.reach()
        assert projector.live.status()["timeline"] is None
    assert await is_exact()


@pytest.mark.usefixtures("live_tables")
async def test_whose_checkpoint_moved_while_its_connection_was_lost_looks_again(
    histories, connection, database_settings, owner
):
    """Another process had the projection meanwhile and is gone: no reason to give up."""
    first, second = [
        folding.decode(batch) for batch in histories(1).batches(60) if batch.partition == 0
    ][:2]
    feed = Feed(Engine(ORDERS, 1), lambda: connect(database_settings), 100)
    assert await feed.open()
    pid = feed._connection.get_server_pid()
    running = asyncio.create_task(feed.run())
    await owner.execute("SELECT pg_terminate_backend($1)", pid)
    at_0, at_1, at_2 = 0, first.next_offset, second.next_offset
    moves = [Move(0, at_0, at_1, first.records), Move(0, at_1, at_2, second.records)]
    for move in moves:
        await Engine(ORDERS, 1).apply(connection, [move])

    await feed.put(first)

    with pytest.raises(Standby, match="orders"):
        await asyncio.wait_for(running, DEADLINE_S)


async def test_a_checkpoint_that_is_moved_without_the_lock_stops_its_projection_alone(
    facts, projecting, connection, owner
):
    await facts.happen(20)
    async with projecting() as projector:
        await projector.reach()
        await owner.execute(
            "UPDATE orderlog.checkpoints SET next_offset = next_offset + 1000 "
            "WHERE projection = 'revenue'"
        )
        before = await connection.fetch("TABLE read_models.revenue")
        for _ in range(4):
            await facts.happen(20)

        async def is_said() -> bool:
            return "another projector moved" in str(projector.live.status().get("revenue"))

        await projector.until(is_said, "that the checkpoint has moved")
        await facts.happen(20)

        async def are_others_there() -> bool:
            found = await at(connection)
            return all(found[name] == facts.ends() for name in PROJECTIONS if name != "revenue")

        await projector.until(are_others_there, "the others go on")
    assert await connection.fetch("TABLE read_models.revenue") == before


async def test_with_all_checkpoints_taken_the_process_ends(
    facts, projecting, database_settings, owner
):
    await facts.happen(10)
    stop = asyncio.Event()
    live = Live(facts.settings, database_settings, ProjectorSettings(heartbeat_ms=100))
    running = asyncio.create_task(live.run(stop))
    async with asyncio.timeout(DEADLINE_S):
        while set((await at(owner)).get("orders", {0: 0}).values()) != set(facts.ends().values()):
            await asyncio.sleep(0.02)
        await owner.execute("UPDATE orderlog.checkpoints SET next_offset = next_offset + 1000")
        for _ in range(4):
            await facts.happen(20)

        with pytest.raises(CheckpointTaken, match="run one `orderlog project` per database"):
            await running
