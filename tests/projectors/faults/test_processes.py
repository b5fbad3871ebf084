"""Several projector processes on one database: who has what, and what happens when one is killed,
or sleeps and wakes up."""

import asyncio
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import make_url

from projectors.database import ROLE
from projectors.feed import _LOCK
from projectors.read_models import PROJECTIONS
from tests.projectors.checking import Exact, look
from tests.projectors.running import DEADLINE_S, at

_HOLDERS = """
SELECT p.name, a.usename
FROM unnest($2::text[]) AS p (name)
JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.classid = $1
    AND l.objid = hashtext(p.name)::bit(32)::bigint::oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
JOIN pg_stat_activity a USING (pid)
"""


@dataclass(frozen=True)
class Process:
    """A process with projectors; `login` is its own, by which Postgres tells it from others."""

    login: str
    running: subprocess.Popen


@pytest.fixture
async def begin(owner, start, database_url) -> AsyncIterator[Callable]:
    """Answer `await begin()`: one more of them."""
    logins: list[str] = []

    async def one_more() -> Process:
        login = f"projector_{uuid.uuid4().hex}"
        logins.append(login)
        await owner.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{login}' IN ROLE {ROLE}")
        url = make_url(database_url).set(username=login, password=login)
        address = url.render_as_string(hide_password=False)
        return Process(login, start("project", ORDERLOG_DATABASE_URL=address))

    yield one_more
    for login in logins:
        await owner.execute(f"DROP ROLE {login}")


@pytest.fixture
def holders(owner) -> Callable:
    """Answer `await holders(processes)`: projection -> number of the process that applies it."""

    async def ask(processes: list[Process]) -> dict[str, int]:
        rows = await owner.fetch(_HOLDERS, _LOCK, list(PROJECTIONS))
        numbers = {
            process.login: number
            for number, process in enumerate(processes)
            if process.running.poll() is None
        }
        assert len({row["name"] for row in rows}) == len(rows), "two apply the same"
        return {row["name"]: numbers[row["usename"]] for row in rows if row["usename"] in numbers}

    return ask


@pytest.fixture
def applied(facts, connection) -> Callable:
    """Answer `await applied()`: every projection is at the end of the log."""

    async def ask() -> bool:
        found, ends = await at(connection), await asyncio.to_thread(facts.ends)
        return all(found.get(name) == ends for name in PROJECTIONS)

    return ask


async def test_of_three_processes_each_projection_has_one_and_a_killed_one_is_replaced(
    facts, begin, holders, applied, eventually, connection
):
    """The snapshots are taken while they change hands under load."""
    await facts.happen(60)
    processes = [await begin() for _ in range(3)]
    exact, seen = Exact(), []

    async def all_held() -> bool:
        return (await holders(processes)).keys() == PROJECTIONS.keys()

    for _ in range(2):
        await eventually(all_held, "each projection has a process")
        job = asyncio.create_task(facts.happen(60))
        victim = processes[(await holders(processes))["orders"]].running
        while not job.done():
            seen.append(await look(connection))
            await asyncio.sleep(0.01)
            if len(seen) % 5 == 0:
                victim.kill()
        await job
        victim.kill()
        assert victim.wait() == -signal.SIGKILL
    await eventually(applied, "the last one applies everything")
    left = await holders(processes)
    seen.append(await look(connection))

    assert len(set(left.values())) == 1
    for snapshot in seen:
        exact.require(snapshot, facts.decoded())


async def test_who_sleeps_is_replaced_and_writes_nothing_when_it_wakes_up(
    facts, begin, holders, applied, eventually, connection
):
    """SIGSTOP until the other one has all projections and has moved on; its sockets stay open."""
    exact = Exact()
    await facts.happen(30)
    sleeper = await begin()
    await eventually(applied, "it works")
    other = await begin()
    both = [sleeper, other]
    job = asyncio.create_task(facts.happen(60))
    await asyncio.sleep(0)
    sleeper.running.send_signal(signal.SIGSTOP)
    try:

        async def is_replaced() -> bool:
            return set((await holders([other])).items()) == {(name, 0) for name in PROJECTIONS}

        await eventually(is_replaced, "the other one has all projections")
        await job
        await eventually(applied, "the other one applies everything")
    finally:
        sleeper.running.send_signal(signal.SIGCONT)
    woken = time.monotonic()
    while time.monotonic() < woken + 1 or not await applied():
        assert time.monotonic() < woken + DEADLINE_S
        await facts.happen(5)
        exact.require(await look(connection), facts.decoded())

    assert set((await holders(both)).values()) == {1}
    assert (sleeper.running.poll(), other.running.poll()) == (None, None)
