"""`kill -9` at exactly the worst moment: all rows are written, and their commit is on its way."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from projectors.read_models import PROJECTIONS
from tests.projectors.checking import Exact, look

WAITING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = $1
    AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""
HOLDING = """
CREATE FUNCTION read_models.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(42);
    RETURN NULL;
END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER wait AFTER INSERT OR UPDATE ON read_models.{}_g1
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION read_models.wait()
"""


class Commits:
    """Commits of rows, which come to no end as long as they are held."""

    def __init__(self, holder: asyncpg.Connection, owner: asyncpg.Connection, eventually) -> None:
        self._holder, self._owner, self._eventually = holder, owner, eventually

    async def hold(self) -> None:
        await self._holder.execute("SELECT pg_advisory_lock(42)")

    async def waiting(self, count: int) -> list[int]:
        """Wait for so many, and return who they are."""

        async def have_come() -> bool:
            return len(await self._owner.fetch(WAITING, "COMMIT;")) >= count

        await self._eventually(have_come, f"{count} commits")
        return [row["pid"] for row in await self._owner.fetch(WAITING, "COMMIT;")]

    async def decide(self, pids: list[int], *, is_committed: bool) -> None:
        """Let go, and decide what becomes of these, whose client is gone."""
        if is_committed:
            await self._release()
        else:
            for pid in pids:
                await self._owner.execute("SELECT pg_terminate_backend($1)", pid)
        there = "SELECT FROM pg_stat_activity WHERE pid = ANY($1)"

        async def are_gone() -> bool:
            return not await self._owner.fetch(there, pids)

        await self._eventually(are_gone, "their servers have noticed")
        if not is_committed:
            await self._release()

    async def _release(self) -> None:
        await self._holder.execute("SELECT pg_advisory_unlock(42)")


@pytest.fixture
async def commits(database_url, live_tables, owner, eventually) -> AsyncIterator[Commits]:
    holder = await asyncpg.connect(database_url)
    await holder.execute(HOLDING)
    for name in PROJECTIONS:
        await holder.execute(AT_COMMIT.format(name))
    yield Commits(holder, owner, eventually)
    await holder.close()


@pytest.mark.parametrize("is_committed", [False, True], ids=["rolled back", "committed"])
async def test_a_projector_killed_at_its_commit_has_done_it_whole_or_not_at_all(
    stage, start, commits, is_committed
):
    facts = stage.facts
    await facts.happen(60)
    await commits.hold()
    process = start("project")
    pids = await commits.waiting(len(PROJECTIONS))
    process.kill()
    assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
    await commits.decide(pids, is_committed=is_committed)

    exact, after = Exact(), await look(stage.connection)
    exact.require(after, facts.decoded())
    moved = {name for name in PROJECTIONS if any(after.at[name].values())}
    assert moved == (set(PROJECTIONS) if is_committed else set())
    await stage.project()
    exact.require(await look(stage.connection), facts.decoded())


REFUSING = """
CREATE OR REPLACE FUNCTION read_models.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.order_id = '{}' AND NEW.version > 1 THEN
        RAISE EXCEPTION 'planted' USING ERRCODE = '22000';
    END IF;
    RETURN NEW;
END $$
"""
REFUSED = """
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON read_models.orders_g1
FOR EACH ROW EXECUTE FUNCTION read_models.refuse()
"""


@pytest.fixture
def refusing(owner):
    """Answer `async with refusing(order_id):` Postgres takes no later row of it."""

    @asynccontextmanager
    async def begin(order_id: str) -> AsyncIterator[None]:
        await owner.execute(REFUSING.format(order_id))
        await owner.execute(REFUSED)
        yield
        await owner.execute("DROP TRIGGER refuse ON read_models.orders_g1")

    return begin


@pytest.mark.parametrize("is_committed", [False, True], ids=["rolled back", "committed"])
async def test_a_retry_killed_at_its_commit_has_taken_up_all_or_nothing(
    stage, start, commits, refusing, is_committed
):
    """More events of the same order come in meanwhile; the projector waits for the outcome."""
    facts, exact = stage.facts, Exact()
    await facts.happen(60)
    order_id = most_of(facts)
    async with stage.projecting() as projector:
        async with refusing(order_id):
            await projector.reach()
        assert (await look(stage.connection)).parked.keys() == {("orders", order_id)}
        await commits.hold()
        process = start("parked", "retry", order_id)
        pids = await commits.waiting(1)
        await more_of(facts, order_id)
        process.kill()
        assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
        await commits.decide(pids, is_committed=is_committed)
        await projector.reach()
        after = await look(stage.connection)
        exact.require(after, facts.decoded())
        assert bool(after.parked) is not is_committed
        again = await stage.cli("parked", "retry", order_id)
        assert again.exit_code == (1 if is_committed else 0), again.output
        await facts.happen(20)
        await projector.reach()
    last = await look(stage.connection)

    assert last.parked == {}
    exact.require(last, facts.decoded())


def most_of(facts) -> str:
    orders = [one.order_id for batch in facts.decoded() for one in batch.records]
    return max(sorted(set(orders)), key=orders.count)


def count_of(facts, order_id: str) -> int:
    return sum(one.order_id == order_id for batch in facts.decoded() for one in batch.records)


async def more_of(facts, order_id: str) -> None:
    """Let things happen until something has happened to this order."""
    before = count_of(facts, order_id)
    while count_of(facts, order_id) == before:
        await facts.happen(10)


@pytest.mark.usefixtures("live_tables")
async def test_retries_beside_a_projector_of_the_same_order_keep_its_events_in_order(
    stage, refusing
):
    """Parked again and again, and taken up again while more of its events are being applied."""
    facts, exact, parked = stage.facts, Exact(), 0
    await facts.happen(60)
    order_id = most_of(facts)
    async with stage.projecting(events_max=2) as projector:
        for _ in range(4):
            async with refusing(order_id):
                await more_of(facts, order_id)
                await projector.reach()
            parked += bool((await look(stage.connection)).parked)
            more = asyncio.create_task(facts.happen(30))
            while not more.done():
                await stage.cli("parked", "retry", order_id)
                exact.require(await look(stage.connection), facts.decoded())
            await more
        await projector.reach()
        await stage.cli("parked", "retry", order_id)
    last = await look(stage.connection)

    assert parked >= 3
    assert last.parked == {}
    exact.require(last, facts.decoded())
