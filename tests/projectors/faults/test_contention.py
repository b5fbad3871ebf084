"""Locks, deadlocks and failures of the database's own: each batch is tried again as a whole."""

import asyncio
import contextlib
import time

import asyncpg
import pytest

from projectors import metrics
from projectors.read_models import PROJECTIONS
from tests.projectors.checking import Exact, look
from tests.projectors.running import DEADLINE_S

FAILING = """
CREATE FUNCTION read_models.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF pg_current_xact_id()::text::bigint % 3 = 0 THEN
        RAISE EXCEPTION 'planted' USING ERRCODE = '{}';
    END IF;
    RETURN NULL;
END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON read_models.{}_g1
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION read_models.fail()
"""
STATES = {
    "serialization failure": "40001",
    "deadlock": "40P01",
    "lock timeout": "55P03",
    "statement timeout": "57014",
    "too many connections": "53300",
    "shut down": "57P01",
}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr("projectors.feed._FIRST_PAUSE_S", 0.005)


def retries() -> int:
    return sum(int(metrics.RETRIES.labels(name)._value.get()) for name in PROJECTIONS)


@pytest.mark.usefixtures("live_tables")
@pytest.mark.parametrize("state", STATES)
async def test_a_batch_that_postgres_gives_up_is_done_again_as_a_whole(
    facts, projecting, connection, owner, state
):
    """A third of all commits fail, after all rows were written, with what passes by itself."""
    await owner.execute(FAILING.format(STATES[state]))
    for name in PROJECTIONS:
        await owner.execute(AT_COMMIT.format(name))
    before = retries()
    async with projecting() as projector:
        await facts.happen(20)
        await projector.reach()
        assert retries() > before
        assert set(projector.live.status().values()) == {None}

    snapshot = await look(connection)
    assert snapshot.parked == {}
    Exact().require(snapshot, facts.decoded())


LOCKS = (
    "LOCK TABLE read_models.customers_g1 IN SHARE MODE",
    "SELECT FROM orderlog.checkpoints WHERE projection = 'customers' FOR UPDATE",
)


@pytest.mark.usefixtures("live_tables")
async def test_a_real_deadlock_loses_nothing(facts, projecting, connection, owner, database_url):
    """Another session takes the same locks in the other order; Postgres lets either of them go."""
    rival = await asyncpg.connect(database_url)
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    exact, deadline = Exact(), time.monotonic() + DEADLINE_S

    async def contend() -> None:
        while not await owner.fetchval(deadlocks):
            assert time.monotonic() < deadline, "no deadlock came about"
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                async with rival.transaction():
                    for lock in LOCKS:
                        await rival.execute(lock)
                        await asyncio.sleep(0.005)

    try:
        async with projecting(events_max=2) as projector:
            contending = asyncio.create_task(contend())
            while not contending.done():
                await facts.happen(3)
                exact.require(await look(connection), facts.decoded())
            await contending
            await projector.reach()
    finally:
        await rival.close()

    exact.require(await look(connection), facts.decoded())
