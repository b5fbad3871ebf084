"""Postgres for readers: the role `orderlog_query`, read only, every wait bounded."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import structlog

from projectors.database import NEWEST_RELATION
from query_api.problems import Problem
from runtime.settings import DatabaseSettings, QuerySettings

_log = structlog.get_logger("orderlog.query")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ROLE = "orderlog_query"
_CONNECT_S = 5
_ACQUIRE_S = 5
_STATEMENTS_MAX = 500
_ATTEMPTS = 2
_RETRY_AFTER_S = 2
_DEADLINE_MARGIN_S = 5

_BROKEN = (
    OSError,
    asyncpg.InterfaceError,
    # A connection that the server ended while it was idle (asyncpg 0.31).
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalServerError,
)
_NO_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
_IS_CURRENT = f"SELECT to_regclass('{NEWEST_RELATION}') IS NOT NULL"


class SchemaMissing(Exception):  # noqa: N818 - the name is the state
    """The database is not migrated, or the login may not read; the message has the remedy."""


class RowsMissing(Exception):  # noqa: N818
    """A table or view that a statement names is not there."""


class Database:
    """A pool of connections that can only read; use it within `opened`."""

    _pool: Pool

    def __init__(self, settings: DatabaseSettings, query: QuerySettings) -> None:
        self._settings = settings
        self._query = query
        self._deadline_s = query.query_statement_timeout_ms / 1000 + _DEADLINE_MARGIN_S

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold the pool. Nothing connects yet, so a process starts while Postgres is away."""
        async with asyncpg.create_pool(
            self._settings.database_url.get_secret_value(),
            min_size=0,
            max_size=self._settings.database_pool_max,
            timeout=_CONNECT_S,
            statement_cache_size=_STATEMENTS_MAX,
            # Only single SELECTs run here: nothing is to be reset, and it takes a round trip.
            reset=_nothing,
            server_settings=self._server_settings(),
        ) as self._pool:
            yield

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement; it is tried again on another connection when one has broken.

        Raises:
            Problem: `database-unavailable`, `query-timeout` or `schema-missing`: ask later.
            RowsMissing: a relation is not there.
            asyncpg.DataError: an argument cannot be stored.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._pool.acquire(timeout=_ACQUIRE_S) as connection:
                    return await connection.fetch(sql, *arguments, timeout=self._deadline_s)
            except _NO_SCHEMA as error:
                raise RowsMissing(str(error)) from error
            except (
                asyncpg.InvalidParameterValueError,
                asyncpg.InsufficientPrivilegeError,
            ) as error:
                raise Problem(
                    "schema-missing", str(_no_schema(error)), retry_after_s=_RETRY_AFTER_S
                ) from error
            except asyncpg.QueryCanceledError as error:
                raise _too_slow(self._query.query_statement_timeout_ms) from error
            except TimeoutError as error:
                raise _unavailable(error) from error
            except _BROKEN as error:
                if attempt == _ATTEMPTS or isinstance(error, asyncpg.TooManyConnectionsError):
                    raise _unavailable(error) from error
                # What ended one connection has mostly ended all: the next attempt gets a new one.
                await self._pool.expire_connections()
        raise AssertionError  # The last attempt returned or raised.

    async def connect(self) -> Connection:
        """Open a connection outside the pool, for notifications.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: try again later.
        """
        return await asyncpg.connect(
            self._settings.database_url.get_secret_value(),
            timeout=_CONNECT_S,
            command_timeout=self._deadline_s,
            server_settings=self._server_settings(),
        )

    async def check(self) -> None:
        """Look whether the database answers and is migrated.

        Raises:
            SchemaMissing: run `orderlog migrate`.
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: not reachable.
        """
        try:
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection:
                if not await connection.fetchval(_IS_CURRENT, timeout=_ACQUIRE_S):
                    raise SchemaMissing(
                        "the database is not migrated, or of an older release: run `orderlog "
                        "migrate`"
                    )
        except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as error:
            raise _no_schema(error) from error

    def _server_settings(self) -> dict[str, str]:
        return {
            "role": ROLE,
            "default_transaction_read_only": "on",
            "application_name": "orderlog-query",
            "statement_timeout": str(self._query.query_statement_timeout_ms),
            "timezone": "UTC",
            # Answers are a few rows; compiling a plan would take longer than they do.
            "jit": "off",
        }


async def _nothing(_: object) -> None:
    return


def _no_schema(error: Exception) -> SchemaMissing:
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return SchemaMissing(
            f"the login of ORDERLOG_DATABASE_URL may not act as {ROLE}: GRANT {ROLE} TO it"
        )
    return SchemaMissing(
        f"the database is not migrated (there is no role {ROLE}): run `orderlog migrate`"
    )


def _unavailable(error: BaseException) -> Problem:
    _log.warning("database_unavailable", reason=repr(error))
    return Problem(
        "database-unavailable",
        "Postgres cannot be reached at the moment; ask again",
        retry_after_s=_RETRY_AFTER_S,
    )


def _too_slow(timeout_ms: int) -> Problem:
    return Problem(
        "query-timeout",
        f"no answer within {timeout_ms} ms; narrow the question or ask again later",
        retry_after_s=_RETRY_AFTER_S,
    )
