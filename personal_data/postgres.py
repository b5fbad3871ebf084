"""The key store in Postgres: the schema `orderlog_keys`, by default beside the read models.

It is no read model: nothing can make it again. Whoever loses it has erased everyone's data.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias

import asyncpg
import structlog

from personal_data.keys import KeysUnavailable
from personal_data.sealing import new_key

_log = structlog.get_logger("orderlog.keys")

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Rows: TypeAlias = Mapping[str, bytes | None]

_CONNECT_S = 2.0
_CONNECTIONS_MAX = 4

# Sorted, so that two who make keys of the same orders never wait for each other in a ring.
_MAKE = """
INSERT INTO orderlog_keys.order_keys (order_id, key)
SELECT * FROM unnest($1::uuid[], $2::bytea[]) ORDER BY 1 ON CONFLICT DO NOTHING
"""
_FIND = "SELECT order_id::text, key FROM orderlog_keys.order_keys WHERE order_id = ANY($1::uuid[])"
_DESTROY = """
INSERT INTO orderlog_keys.order_keys (order_id, destroyed_at)
SELECT order_id, now() FROM unnest($1::uuid[]) AS given (order_id) ORDER BY 1
ON CONFLICT (order_id) DO UPDATE SET key = NULL, destroyed_at = now()
WHERE order_keys.key IS NOT NULL
"""
_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PostgresKeys:
    """Implements `Keys`; use it within `opened`. Nothing connects before a key is asked for."""

    _pool: Pool

    def __init__(self, url: str, timeout_s: float, role: str) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._role = role
        self._wanted: dict[str, asyncio.Future[bytes | None]] = {}
        self._making: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold the connections."""
        async with asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=_CONNECTIONS_MAX,
            timeout=_CONNECT_S,
            server_settings={"role": self._role, "application_name": "orderlog-keys"},
        ) as self._pool:
            yield

    async def made(self, order_ids: Iterable[str]) -> Rows:
        """See `Keys`. What is asked for while a statement runs goes together into the next one."""
        loop = asyncio.get_running_loop()
        futures = {
            order_id: self._wanted.setdefault(order_id, loop.create_future())
            for order_id in order_ids
        }
        if self._making is None:
            self._making = asyncio.create_task(self._make_all())
        # Others may wait for the same: whoever is cancelled takes nothing from them.
        return {order_id: await asyncio.shield(future) for order_id, future in futures.items()}

    async def _make_all(self) -> None:
        while self._wanted:
            taken, self._wanted = self._wanted, {}
            try:
                rows = await self._bounded(partial(self._make, list(taken)))
            except Exception as error:  # noqa: BLE001 - whoever waits is told
                for future in taken.values():
                    future.set_exception(error)
                    future.exception()  # Nobody may be left who waits for it.
            else:
                for order_id, future in taken.items():
                    future.set_result(rows[order_id])
        self._making = None

    async def _make(self, order_ids: list[str]) -> Rows:
        async with self._pool.acquire(timeout=_CONNECT_S) as connection:
            await connection.execute(_MAKE, order_ids, [new_key() for _ in order_ids])
            # A statement of its own: it sees what others have made at the same time.
            return _rows(await connection.fetch(_FIND, order_ids))

    async def found(self, order_ids: Iterable[str]) -> Mapping[str, bytes]:
        """See `Keys`."""
        asked = list(order_ids)
        rows = await self._bounded(partial(self._find, asked))
        return {order_id: key for order_id, key in rows.items() if key is not None}

    async def _find(self, order_ids: list[str]) -> Rows:
        async with self._pool.acquire(timeout=_CONNECT_S) as connection:
            return _rows(await connection.fetch(_FIND, order_ids))

    async def destroy(self, order_ids: Iterable[str]) -> None:
        """See `Keys`."""
        asked = list(order_ids)
        await self._bounded(partial(self._destroy, asked))

    async def _destroy(self, order_ids: list[str]) -> Rows:
        async with self._pool.acquire(timeout=_CONNECT_S) as connection:
            await connection.execute(_DESTROY, order_ids)
        return {}

    async def _bounded(self, ask: Callable[[], Awaitable[Rows]]) -> Rows:
        """Ask once, within the time limit; whatever goes wrong, the store is not there now."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await ask()
        except (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError) as error:
            raise KeysUnavailable(
                "the key store has no tables: run `orderlog migrate` on its database"
            ) from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise KeysUnavailable(
                f"the login of the key store may not act as {self._role}: GRANT {self._role} TO it"
            ) from error
        except (TimeoutError, *_ERRORS) as error:
            _log.warning("keys_unavailable", reason=repr(error))
            raise KeysUnavailable("the key store does not answer; ask again") from error


def _rows(found: Iterable[asyncpg.Record]) -> Rows:
    return {row["order_id"]: row["key"] for row in found}
