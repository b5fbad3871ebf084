"""Connections to a real Postgres that break at a commit, before Postgres hears of it or after."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from projectors.database import ROLE

BEFORE, AFTER = "before", "after"
_END = "SELECT pg_terminate_backend($1)"
_IS_THERE = "SELECT 1 FROM pg_stat_activity WHERE pid = $1"
DEADLINE_S = 20


class Cutting(asyncpg.Connection):
    """Asks `plan` at each commit whether it breaks there, and where."""

    plan: Callable[[], str | None]
    end: Callable[[int], Awaitable[None]]

    async def execute(self, query: str, *arguments, **more) -> str:
        where = self.plan() if query == "COMMIT;" else None
        if where == BEFORE:
            await self.end(self.get_server_pid())
        said = await super().execute(query, *arguments, **more)
        if where == AFTER:
            await self.end(self.get_server_pid())
            await super().execute("SELECT 1")
        return said


def cutting(
    url: str, owner: asyncpg.Connection, plan: Callable[[], str | None]
) -> Callable[[], Awaitable[Cutting]]:
    """Return what opens such connections, as the projectors do; `owner` ends their server side."""
    lock = asyncio.Lock()

    async def end(pid: int) -> None:
        async with lock, asyncio.timeout(DEADLINE_S):
            await owner.execute(_END, pid)
            while await owner.fetchval(_IS_THERE, pid):
                await asyncio.sleep(0.001)

    async def connect() -> Cutting:
        connection = await asyncpg.connect(
            url,
            connection_class=Cutting,
            server_settings={"role": ROLE, "timezone": "UTC"},
        )
        connection.plan, connection.end = plan, end
        return connection

    return connect
