"""Connections to Postgres, which of its errors pass by themselves, and what is refused."""

from typing import TypeAlias

import asyncpg

from runtime.settings import DatabaseSettings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ROLE = "orderlog_projector"
CHECKPOINTS_CHANNEL = "orderlog_checkpoints"
"""Notified in every transaction that moves a live checkpoint; the payload is the projection."""
GENERATIONS_CHANNEL = "orderlog_generations"
"""Notified when another generation goes live; the payload is the projection."""

NEWEST_RELATION = "orderlog.key_states"
"""What the newest migration makes: a database without it is of an older release."""

_CONNECT_TIMEOUT_S = 10
_PASSING = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # What asyncpg says of a connection that is cut as it is used.
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
)


class Incompatible(Exception):  # noqa: N818 - the name is the state
    """Schema, log or function is not what the state was built for; the message has the remedy.

    Processes end with exit code 4: nothing was read or written on a guess.
    """


def is_passing(error: BaseException) -> bool:
    """Tell whether trying the same transaction again can help.

    asyncpg reports a value that cannot be sent as an `InterfaceError` too; that never passes.
    """
    return isinstance(error, _PASSING) and not isinstance(error, ValueError)


async def connect(
    settings: DatabaseSettings, *, statement_timeout_ms: int | None = None, silent_ms: int = 0
) -> Connection:
    """Open a connection that acts as the role `orderlog_projector`.

    When `silent_ms` is not 0, Postgres ends the connection after so long without a statement, in a
    transaction or not: whoever sleeps, or is cut off, lets go of locks.

    Raises:
        Incompatible: the database is not migrated, or the login is not a member of the role.
        OSError, asyncpg.PostgresError: there is no such server or login; see `is_passing`.
    """
    timeout_ms = settings.statement_timeout_ms
    if statement_timeout_ms is not None:
        timeout_ms = statement_timeout_ms
    try:
        return await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=_CONNECT_TIMEOUT_S,
            server_settings={
                "role": ROLE,
                "application_name": "orderlog-projectors",
                "statement_timeout": str(timeout_ms),
                "idle_session_timeout": str(silent_ms),
                "idle_in_transaction_session_timeout": str(silent_ms),
                "timezone": "UTC",
            },
        )
    except asyncpg.InvalidParameterValueError as error:
        raise Incompatible(
            f"the database is not migrated ({error}): run `orderlog migrate`"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise Incompatible(
            f"the login of ORDERLOG_DATABASE_URL may not act as {ROLE} ({error}): "
            f"GRANT {ROLE} TO it"
        ) from error
