"""The embedded server's database and login roles: one per process, each with its own password.

What the group roles `orderlog_projector` and its like may do is the migrations' business;
here only people are let in.
"""

from dataclasses import asdict

import asyncpg

from runtime.embedded.postgres import Credentials

DATABASE = "orderlog"
OWNER = "orderlog_owner"
_LOGINS = {
    "command": "orderlog_command",
    "projector": "orderlog_projector",
    "query": "orderlog_query",
}


def url(port: int, user: str, password: str, database: str = DATABASE) -> str:
    """Return the address of the embedded server for one user."""
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


async def ensure_owner(port: int, credentials: Credentials) -> str:
    """Make the owner and its database unless they are there; return the owner's address."""
    admin = await asyncpg.connect(url(port, "postgres", credentials.admin, "postgres"))
    try:
        await _ensure_login(admin, OWNER, credentials.owner, "CREATEROLE CREATEDB")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await admin.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    finally:
        await admin.close()
    return url(port, OWNER, credentials.owner)


async def ensure_logins(port: int, credentials: Credentials) -> dict[str, str]:
    """Make the processes' logins, after migration; return the address for each process."""
    passwords = asdict(credentials)
    admin = await asyncpg.connect(url(port, "postgres", credentials.admin, DATABASE))
    try:
        for login, group in _LOGINS.items():
            await _ensure_login(admin, f"{group}_login", passwords[login], "")
            await admin.execute(f"GRANT {group} TO {group}_login")
    finally:
        await admin.close()
    return {
        login: url(port, f"{group}_login", passwords[login]) for login, group in _LOGINS.items()
    }


async def _ensure_login(
    admin: "asyncpg.Connection[asyncpg.Record]", name: str, password: str, rights: str
) -> None:
    """Role names and rights are ours; the password is hexadecimal."""
    verb = (
        "ALTER"
        if await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
        else "CREATE"
    )
    await admin.execute(f"{verb} ROLE {name} LOGIN {rights} PASSWORD '{password}'")
