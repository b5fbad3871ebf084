"""A new generation beside the live one: caught up, compared, switched to, and left again."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import asyncpg
import pytest

from eventlog.topics import Topics
from projectors import generations
from projectors.database import Incompatible
from projectors.read_models import PROJECTIONS
from projectors.replay.built import ParityFailed
from projectors.replay.rebuild import Rebuild
from projectors.replay.verify import verify_all, verify_sample

ALL = tuple(PROJECTIONS.values())
DAMAGE = {
    "orders": "UPDATE read_models.orders_g1 SET document = '{}'",
    "timeline": "DELETE FROM read_models.timeline_g1",
    "customers": "UPDATE read_models.customers_g1 SET orders = orders + 1",
    "revenue": "DELETE FROM read_models.revenue_g1",
}


@pytest.fixture
def rebuild(facts, database_settings):
    """Answer `rebuild(projections, **more)`: a run on the same topic and database."""
    return lambda projections=ALL, **more: Rebuild(
        facts.settings, database_settings, projections, **more
    )


@pytest.fixture
async def projected(facts, projecting):
    """Facts that are projected, and a projector that has ended."""
    await facts.happen(60)
    async with projecting() as projector:
        await projector.reach()


@pytest.fixture
async def owner(database_url):
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def live_generations(connection) -> dict[str, int]:
    rows = await connection.fetch("SELECT * FROM orderlog.generations WHERE state = 'live'")
    return {row["projection"]: row["generation"] for row in rows}


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("workers", [1, 2])
async def test_the_new_generation_is_equal_and_served(
    facts, rebuild, served, expected, connection, workers
):
    built = await rebuild(workers_max=workers).run()

    assert all(one.is_live and one.report.is_equal for one in built)
    assert await live_generations(connection) == dict.fromkeys(PROJECTIONS, 2)
    assert await served() == expected(facts.decoded())


async def test_what_happens_meanwhile_is_in_it(
    facts, rebuild, projecting, served, expected, connection
):
    async with projecting() as projector:
        await facts.happen(60)
        job = asyncio.create_task(rebuild().run())
        while not job.done():
            await facts.happen(5)
        built = await job
        await facts.happen(10)
        await projector.reach()

    assert all(one.is_live for one in built)
    assert await live_generations(connection) == dict.fromkeys(PROJECTIONS, 2)
    assert await served() == expected(facts.decoded())


@pytest.mark.usefixtures("projected")
async def test_one_can_go_back_and_forth(facts, rebuild, projecting, served, expected, connection):
    await rebuild().run()
    for wanted in (1, 2):
        for projection in ALL:
            await generations.rollback(connection, projection)
        assert await live_generations(connection) == dict.fromkeys(PROJECTIONS, wanted)
        await facts.happen(10)
        async with projecting() as projector:
            await projector.reach()
        assert await served() == expected(facts.decoded())


@pytest.mark.usefixtures("projected")
async def test_one_projection_alone(rebuild, connection):
    await rebuild([PROJECTIONS["revenue"]]).run()

    assert await live_generations(connection) == {**dict.fromkeys(PROJECTIONS, 1), "revenue": 2}


@pytest.mark.usefixtures("projected")
async def test_an_interrupted_run_changes_nothing_and_the_next_one_works(
    facts, rebuild, served, expected, connection
):
    for seconds in (0.05, 0.2, 0.4):
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await rebuild().run(is_switching=False)
        assert await live_generations(connection) == dict.fromkeys(PROJECTIONS, 1)

    await rebuild().run()

    assert set((await live_generations(connection)).values()) == {2}
    assert await served() == expected(facts.decoded())


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("name", DAMAGE)
async def test_rows_that_are_not_the_logs_are_found(
    facts, rebuild, connection, owner, database_settings, name
):
    first = await owner.fetchval(f"SELECT ctid FROM read_models.{name}_g1 LIMIT 1")
    changed = await owner.execute(f"{DAMAGE[name]} WHERE ctid = $1", first)
    assert changed.endswith(" 1")

    with pytest.raises(ParityFailed) as failed:
        await rebuild([PROJECTIONS[name]]).run()

    assert failed.value.report.differences
    assert (await live_generations(connection))[name] == 1
    for reports in (
        await verify_all(facts.settings, database_settings, ALL),
        await verify_sample(facts.settings, database_settings, ALL, orders=1_000),
    ):
        equal = {report.projection: report.is_equal for report in reports}
        assert equal.get(name, False) is False
        assert all(is_equal for other, is_equal in equal.items() if other != name)


@pytest.mark.usefixtures("projected")
async def test_clean_rows_verify_while_more_happens(facts, database_settings, projecting):
    async with projecting() as projector:
        job = asyncio.create_task(verify_all(facts.settings, database_settings, ALL))
        while not job.done():
            await facts.happen(5)
        reports = await job
        await projector.reach()

    assert [report.projection for report in reports] == list(PROJECTIONS)
    assert all(report.is_equal for report in reports)


@pytest.mark.usefixtures("projected")
async def test_another_version_of_a_function_asks_for_a_rebuild(
    facts, rebuild, projecting, connection
):
    newer = replace(PROJECTIONS["revenue"], function_version=99)

    async with projecting(projections=(newer,)) as projector:

        async def is_refused() -> bool:
            return "orderlog rebuild --projection revenue" in str(projector.live.status())

        await projector.until(is_refused, "a refusal")
    await rebuild([newer]).run()

    assert (await live_generations(connection))["revenue"] == 2
    async with projecting(projections=(newer,)) as projector:

        async def is_there() -> bool:
            rows = await connection.fetch(
                "SELECT partition, next_offset FROM orderlog.live_checkpoints "
                "WHERE projection = 'revenue'"
            )
            return dict(map(tuple, rows)) == facts.ends()

        await projector.until(is_there, "the end of the log")


@pytest.mark.usefixtures("projected")
async def test_another_log_is_refused(facts, rebuild, projecting):
    again = facts.settings.model_copy(update={"kafka_topic": facts.settings.kafka_topic + ".again"})
    Topics(again).ensure()
    facts.settings = again

    with pytest.raises(Incompatible, match="built from another log"):
        async with projecting() as projector:
            await projector.task
    with pytest.raises(Incompatible, match="built from another log"):
        await rebuild().run()
