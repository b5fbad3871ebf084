"""A connection that breaks at a commit leaves it open whether it was done; and who has been there
meanwhile: on a real Postgres, without Kafka."""

import asyncio
from dataclasses import replace

import pytest

from projectors import folding
from projectors.database import connect
from projectors.engine import Engine, Move
from projectors.feed import Feed, Standby
from projectors.live import Live
from projectors.read_models import PROJECTIONS
from runtime.settings import ProjectorSettings

from .checking import Exact, look
from .cutting import AFTER, BEFORE, cutting
from .running import DEADLINE_S

pytestmark = pytest.mark.usefixtures("live_tables")
KINDS = ("orders", "timeline", "customers")


def failing(projection, event_id: str):
    """Return the projection with a function that cannot apply one event."""
    field = {"orders": "evolve", "timeline": "rows", "customers": "deltas"}[projection.name]
    function = getattr(projection, field)

    def apply(*arguments):
        if arguments[-1].event_id == event_id:
            raise KeyError("planted")
        return function(*arguments)

    return replace(projection, **{field: apply})


async def applied(feed: Feed, decoded) -> None:
    """Hand over and wait until it is applied."""
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(DEADLINE_S):
        for one in decoded:
            await feed.put(one)
        await feed.finish()
        await running


@pytest.mark.parametrize("where", [BEFORE, AFTER])
@pytest.mark.parametrize("name", KINDS)
async def test_an_order_that_was_parked_by_a_lost_commit_stays_parked(
    histories, connection, database_url, owner, name, where
):
    """Its later events wait: the answer was lost, not what had been decided."""
    decoded = [folding.decode(batch) for batch in histories(1).batches(150)]
    orders = [one.order_id for batch in decoded for one in batch.records]
    victim = max(set(orders), key=orders.count)
    first = next(o for batch in decoded for o in batch.records if o.order_id == victim)
    projection = failing(PROJECTIONS[name], first.event_id)
    cuts = iter([where])

    def plan() -> str | None:
        is_parking = feed.positions[first.partition] <= first.offset < ends[first.partition]
        return next(cuts, None) if is_parking else None

    ends = dict.fromkeys(range(4), 0)
    feed = Feed(Engine(projection, 1), cutting(database_url, owner, plan), 1)
    assert await feed.open()
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(DEADLINE_S):
        for batch in decoded:
            ends[batch.partition] = batch.next_offset
            await feed.put(batch)
            while feed.positions[batch.partition] < batch.next_offset and not feed.stuck:
                await asyncio.sleep(0.001)
        await feed.finish()
        await running

    assert next(cuts, None) is None, "nothing was cut"
    assert feed.stuck == {}
    Exact().require(snapshot := await look(connection, [name]), decoded)
    assert snapshot.parked.keys() == {(name, victim)}
    assert len(snapshot.parked[name, victim]) == orders.count(victim)


async def test_who_finds_another_partition_moved_looks_again(
    histories, connection, database_settings, owner
):
    """Another process had the projection while the connection was lost, and is gone."""
    found = {b.partition: b for b in map(folding.decode, histories(1).batches(60))}
    ours, others = (found[partition] for partition in sorted(found)[:2])
    feed = Feed(Engine(PROJECTIONS["orders"], 1), lambda: connect(database_settings), 100)
    assert await feed.open()
    await owner.execute("SELECT pg_terminate_backend($1, 5000)", feed._connection.get_server_pid())
    move = Move(others.partition, 0, others.next_offset, ())
    await Engine(PROJECTIONS["orders"], 1).apply(connection, [move])

    with pytest.raises(Standby, match="orders"):
        await applied(feed, [ours])


async def test_who_cannot_open_lets_go_of_the_lock(connection, database_settings, owner):
    """Its connection is no good and forgotten; with the lock, nobody could apply any more."""
    settings = database_settings.model_copy(update={"statement_timeout_ms": 100})
    feed = Feed(Engine(PROJECTIONS["orders"], 1), lambda: connect(settings), 100)
    async with owner.transaction():
        await owner.execute("LOCK TABLE orderlog.parked IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Exception, match="statement timeout"):
            await feed.open()

    second = Feed(Engine(PROJECTIONS["orders"], 1), lambda: connect(settings), 100)
    assert await second.open()
    await second.close()


async def test_a_projector_that_could_not_open_goes_on_when_it_can(
    facts, projecting, is_exact, owner, database_settings
):
    """As above, for the whole: an exclusive lock on a control table, as a migration takes it."""
    await facts.happen(30)
    settings = database_settings.model_copy(update={"statement_timeout_ms": 200})
    stop, live = asyncio.Event(), None
    async with owner.transaction():
        await owner.execute("LOCK TABLE orderlog.parked IN ACCESS EXCLUSIVE MODE")
        live = Live(facts.settings, settings, ProjectorSettings(heartbeat_ms=100))
        running = asyncio.create_task(live.run(stop))
        async with asyncio.timeout(DEADLINE_S):
            while "statement timeout" not in str(live.status()["postgres"]):
                await asyncio.sleep(0.02)
    async with asyncio.timeout(DEADLINE_S):
        while not await is_exact():
            await asyncio.sleep(0.05)
        stop.set()
        await running
