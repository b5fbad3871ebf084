"""More questions than connections: each is answered within a deadline, by rows or by a 503."""

import asyncio
import time

import pytest

from query_api import database

POOL, CLIENTS = 2, 60
STATEMENT_MS = 300
ACQUIRE_S = 1
"""Instead of five seconds, so that the test does not take as long."""
DEADLINE_S = 5


@pytest.fixture
def small_pool(monkeypatch):
    monkeypatch.setenv("ORDERLOG_DATABASE_POOL_MAX", str(POOL))
    monkeypatch.setattr(database, "_ACQUIRE_S", ACQUIRE_S)


@pytest.mark.usefixtures("small_pool")
async def test_a_storm_on_a_pool_that_is_exhausted_is_answered_by_503_in_time(serve, shop, owner):
    """A lock keeps every statement waiting; who waits for a connection is told to ask later."""
    shop.place()
    await shop.project()
    async with serve(query_statement_timeout_ms=STATEMENT_MS) as api:

        async def ask() -> tuple[int, str | None, str]:
            answer = await api.get("/v1/orders")
            return answer.status_code, answer.headers.get("retry-after"), answer.json().get("code")

        await ask()
        async with owner.transaction():
            await owner.execute("LOCK TABLE read_models.orders_g1 IN ACCESS EXCLUSIVE MODE")
            started = time.monotonic()
            async with asyncio.timeout(DEADLINE_S):
                refused = await asyncio.gather(*(ask() for _ in range(CLIENTS)))
            took_s = time.monotonic() - started
        async with asyncio.timeout(DEADLINE_S):
            after = await asyncio.gather(*(ask() for _ in range(CLIENTS)))

    assert {(status, bool(retry)) for status, retry, _ in refused} == {(503, True)}
    assert {code for *_, code in refused} == {"query-timeout", "database-unavailable"}
    assert took_s < DEADLINE_S
    assert {status for status, *_ in after} == {200}


async def test_a_postgres_without_free_connections_is_said_at_once(serve, shop, owner):
    shop.place()
    await shop.project()
    name = await owner.fetchval("SELECT current_database()")
    async with serve() as api:
        await owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        role = await owner.fetchval("SELECT current_user")
        assert not await owner.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = $1", role)
        async with asyncio.timeout(DEADLINE_S):
            problem = await api.problem("/v1/orders")
        await owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
        answer = await api.get("/v1/orders")

    assert (problem["status"], problem["code"]) == (503, "database-unavailable")
    assert answer.status_code == 200
