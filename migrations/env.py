"""Run by Alembic: connect with asyncpg, migrate under a lock, in one transaction."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

_LOCK = 0x6F7264
"""One migration at a time, over all databases' users: 'ord' as a number."""


def _migrate(connection: Connection) -> None:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS orderlog"))
    context.configure(connection=connection, version_table_schema="orderlog")
    context.run_migrations()


async def _main() -> None:
    engine = create_async_engine(context.config.attributes["url"])
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


asyncio.run(_main())
