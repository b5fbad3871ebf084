"""The live projector on a real Kafka and Postgres: whatever happens, the rows are the log's."""

import asyncio

import asyncpg
import pytest

from projectors import metrics
from projectors.database import Incompatible
from projectors.live import Live
from projectors.read_models import PROJECTIONS
from runtime.settings import ProjectorSettings

from .running import Projector, at

PARTITIONS = 4


def applied() -> dict[str, int]:
    """Return how many events this process has applied, over all tests."""
    return {name: int(metrics.EVENTS.labels(name)._value.get()) for name in PROJECTIONS}


@pytest.mark.parametrize("events_max", [1, 7, 2_000])
async def test_the_rows_are_what_the_functions_make_of_the_log(
    facts, projecting, is_exact, events_max
):
    await facts.happen(80)

    async with projecting(events_max=events_max) as projector:
        await projector.reach()

    assert await is_exact()


async def test_what_happens_while_it_runs_is_applied(facts, projecting, is_exact):
    async with projecting() as projector:
        for _ in range(5):
            await facts.happen(15)
        await projector.reach()

    assert await is_exact()


@pytest.mark.usefixtures("live_tables")
async def test_at_any_moment_the_rows_are_the_facts_before_the_checkpoint(
    facts, projecting, expected, owner
):
    """One snapshot of rows and checkpoint, again and again, while events arrive."""
    seen = {}
    async with projecting(events_max=3) as projector:
        job = asyncio.create_task(facts.happen(300))
        reached = asyncio.create_task(reach_the_end_of(job, projector))
        while not reached.done():
            async with owner.transaction(isolation="repeatable_read", readonly=True):
                below = (await at(owner))["revenue"]
                rows = await owner.fetch("TABLE read_models.revenue")
            seen[tuple(below.items())] = sorted((tuple(row) for row in rows), key=str)
        await reached

    assert len(seen) > 5
    for below, rows in seen.items():
        assert rows == expected(facts.decoded(dict(below)))["revenue"], below


async def reach_the_end_of(job: asyncio.Task, projector: Projector) -> None:
    await job
    await projector.reach()


async def test_a_restart_goes_on_at_the_checkpoint_and_applies_nothing_twice(
    facts, projecting, is_exact
):
    before = applied()
    for _ in range(3):
        await facts.happen(25)
        async with projecting() as projector:
            await projector.reach()

    events = sum(len(batch.records) for batch in facts.decoded())
    assert applied() == {name: count + events for name, count in before.items()}
    assert await is_exact()


async def test_an_aborted_transaction_is_never_projected(facts, projecting, is_exact):
    await facts.happen(10)
    partition, records = facts.histories.group()
    appender = await facts.begin(partition, records)
    await appender._producer.end(is_commit=False)
    await appender.close()

    async with projecting() as projector:
        await facts.append(partition, records)
        await facts.happen(10)
        await projector.reach()

    assert await is_exact()


async def test_an_undecided_transaction_holds_its_partition_back_until_it_is_decided(
    facts, projecting, is_exact, connection
):
    await facts.happen(20)
    partition, records = facts.histories.group()
    stable = facts.ends()[partition]
    appender = await facts.begin(partition, records)

    async with projecting() as projector:
        waiting = await facts.happen_elsewhere(partition, 20)
        await projector.reach()
        assert (await at(connection))["orders"][partition] == stable
        assert await is_exact()
        for group in (records, *waiting):  # The owner's next appender aborts what is open.
            await facts.append(partition, group)
        await projector.reach()
    await appender.close()

    assert await is_exact()


@pytest.fixture
def cut(connection, owner):
    """Answer `await cut(projector, n)`: once that many are open, cut all, ours excepted."""
    others = (
        "FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'orderlog-projectors' AND pid <> $1"
    )
    ours = connection.get_server_pid()

    async def wait_and_cut(projector, connections: int) -> None:
        async def are_open() -> bool:
            return await owner.fetchval(f"SELECT count(*) {others}", ours) >= connections

        await projector.until(are_open, f"{connections} connections")
        await owner.execute(f"SELECT pg_terminate_backend(pid) {others}", ours)

    return wait_and_cut


async def test_connections_that_are_cut_cost_nothing(facts, projecting, is_exact, cut):
    every = len(PROJECTIONS) + 1
    async with projecting(events_max=2) as projector:
        job = asyncio.create_task(facts.happen(200))
        for _ in range(4):
            await cut(projector, every)
        await job
        await projector.reach()

    assert await is_exact()


async def test_of_two_projectors_one_stands_by_until_the_other_ends(facts, projecting, is_exact):
    async with projecting() as second:
        async with projecting() as first:
            await facts.happen(30)
            await first.reach()
        await facts.happen(30)
        await second.reach()

    assert await is_exact()


async def test_who_stands_by_is_ready(facts, projecting):
    """A roll-out waits for that before it ends the other one."""
    await facts.happen(10)
    async with projecting() as first:
        await first.reach()
        async with projecting() as second:

            async def is_ready() -> bool:
                return set(second.live.status().values()) == {None}

            await second.until(is_ready, "ready")
            assert second.live.status().keys() & PROJECTIONS.keys() == set()


async def test_when_two_projectors_are_cut_off_again_and_again_the_rows_stay_exact(
    facts, projecting, is_exact, cut
):
    """Whoever comes back first has the projection then; the other one stands by."""
    every = len(PROJECTIONS) + 2
    async with projecting(events_max=2), projecting(events_max=2) as second:
        job = asyncio.create_task(facts.happen(200))
        for _ in range(4):
            await cut(second, every)
        await job
        await second.reach()

    assert await is_exact()


async def test_every_projection_has_its_own_checkpoint(facts, projecting, connection, is_exact):
    await facts.happen(10)
    one = PROJECTIONS["timeline"]

    async with projecting(projections=(one,)) as projector:

        async def is_there() -> bool:
            return (await at(connection)).get("timeline") == facts.ends()

        await projector.until(is_there, "the timeline alone")

    assert set(await at(connection)) == {"timeline"}
    async with projecting() as projector:
        await projector.reach()
    assert await is_exact()


async def test_a_database_without_its_schema_is_refused(facts, database_settings, owner):
    await owner.execute("DROP SCHEMA orderlog CASCADE")
    live = Live(facts.settings, database_settings, ProjectorSettings())

    with pytest.raises(Incompatible, match="run `orderlog migrate`"):
        await live.run(asyncio.Event())


async def test_a_database_of_an_older_release_is_refused(facts, database_settings, owner):
    await owner.execute("DROP VIEW orderlog.key_states")
    live = Live(facts.settings, database_settings, ProjectorSettings())

    with pytest.raises(Incompatible, match="run `orderlog migrate`"):
        await live.run(asyncio.Event())


async def test_readers_may_read_and_not_write(facts, projecting, owner):
    await facts.happen(20)
    async with projecting() as projector:
        await projector.reach()

    await owner.execute("SET ROLE orderlog_query")
    for name in PROJECTIONS:
        assert await owner.fetchval(f"SELECT count(*) FROM read_models.{name}") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(f"DELETE FROM read_models.{name}_g1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("UPDATE orderlog.checkpoints SET next_offset = 0")
