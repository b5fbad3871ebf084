"""Postgres killed, stopped, and replaced by an older state of itself, under load."""

import asyncio

import httpx2
import pytest

from projectors import feed, live
from query_api.app import create_app
from runtime.position import Position, log_id
from runtime.serving import server as serve
from runtime.settings import QuerySettings
from tests.projectors.checking import Exact
from tests.projectors.faults.conftest import Server
from tests.projectors.running import DEADLINE_S, at


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    """It is down for a moment only: nobody needs to wait for five seconds."""
    for module in (feed, live):
        monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 0.5)


async def watched(patient, facts, job: asyncio.Task) -> int:
    """Take snapshots until the job is done, and compare each with the facts; return how many."""
    exact, seen = Exact(), []
    while not job.done():
        seen.append(await patient.look())
        await asyncio.sleep(0.02)
    await job
    for snapshot in seen:
        exact.require(snapshot, facts.decoded())
    return len(seen)


@pytest.mark.parametrize("how", [Server.kill, Server.stop_at_once], ids=["kill -9", "SIGQUIT"])
async def test_killed_and_started_again_under_load_it_is_exact_at_any_time(
    server, facts, projecting_there, patient, how
):
    """It forgets its last commits here: checkpoints go back, and the rows with them."""

    async def harm() -> None:
        for _ in range(2):
            await facts.happen(30)
            await asyncio.to_thread(how, server)
            await facts.happen(10)
            await asyncio.to_thread(server.start)
            await projector.reach()

    await facts.happen(30)
    async with projecting_there(events_max=3) as projector:
        await projector.reach()
        looks = await watched(patient, facts, asyncio.create_task(harm()))
        assert set(projector.live.status().values()) == {None}

    assert looks > 2
    Exact().require(await patient.look(), facts.decoded())


@pytest.fixture
async def api(own_settings):
    """The query API on the same database."""
    app = create_app(QuerySettings(), own_settings)
    running = serve(app, "127.0.0.1", 0)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(DEADLINE_S):
        while not running.started:
            await asyncio.sleep(0.005)
    port = running.servers[0].sockets[0].getsockname()[1]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    app.state.close()
    running.should_exit = True
    async with asyncio.timeout(DEADLINE_S):
        await task


async def test_an_older_state_in_its_place_heals_and_positions_beyond_it_are_waited_for(
    server, facts, projecting_there, patient, api, copied
):
    """A failover to a copy that lacks the last commits; Kafka has them all."""
    await facts.happen(40)
    async with projecting_there(events_max=5) as projector:
        await projector.reach()
        await server.remember()
        older = await copied()
        await facts.happen(40)
        await projector.reach()
        identity = (await patient.fetch("SELECT * FROM orderlog.log_identity"))[0]
        ends = facts.ends()
    token = Position(log_id(identity["cluster_id"], identity["topic_id"]), ends).encode()
    asked = {"headers": {"Orders-Min-Position": token}, "params": {"limit": 100}}
    before = await api.get("/v1/orders", **asked)

    await asyncio.to_thread(server.kill)
    server.child, newer = older.child, server.child
    await asyncio.to_thread(server.start)
    try:
        went_back = await at(patient)
        Exact().require(await patient.look(), facts.decoded())
        refused = await api.get("/v1/orders", headers=asked["headers"] | {"Prefer": "wait=0"})
        waiting = asyncio.create_task(api.get("/v1/orders", **asked))
        async with projecting_there(events_max=5) as projector:
            await projector.reach()
            after = await waiting
            if after.status_code == 503:
                after = await api.get("/v1/orders", **asked)
        Exact().require(await patient.look(), facts.decoded())
    finally:
        await asyncio.to_thread(server.kill)
        server.child = newer
        await asyncio.to_thread(server.start)

    assert any(went_back["orders"][partition] < end for partition, end in ends.items())
    assert (before.status_code, refused.status_code, after.status_code) == (200, 503, 200)
    assert refused.json()["code"] == "not-yet-projected"
    assert after.json() == before.json()


async def test_a_projector_that_runs_goes_on_from_the_older_state(
    server, facts, projecting_there, patient, copied
):
    """The same with the projector at work all the time: what it believed is not asked any more."""
    await facts.happen(30)
    async with projecting_there(events_max=5) as projector:
        await projector.reach()
        await server.remember()
        older = await copied()
        await facts.happen(30)
        await projector.reach()
        await asyncio.to_thread(server.kill)
        server.child, newer = older.child, server.child
        await asyncio.to_thread(server.start)
        try:
            job = asyncio.create_task(facts.happen(30))
            await watched(patient, facts, job)
            await projector.reach()
            Exact().require(await patient.look(), facts.decoded())
        finally:
            await asyncio.to_thread(server.kill)
            server.child = newer
            await asyncio.to_thread(server.start)
