"""`orderlog migrate` and the verbs that read Postgres, when Postgres says no."""

import asyncio
import uuid

import asyncpg
import pytest
from alembic import command
from sqlalchemy.engine import make_url

from migrations import configuration, upgrade
from projectors.database import NEWEST_RELATION


def changed(url: str, **parts) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def execute(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.fixture
def empty(postgres_url, drop_database):
    """A database of the owner's, not migrated."""
    name = f"empty_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE DATABASE {name}")
    yield changed(postgres_url, database=name)
    drop_database(name)


@pytest.fixture
def stranger(postgres_url, database_url):
    """A login with no rights in a migrated database."""
    name = f"stranger_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD 'hidden'")
    yield changed(database_url, username=name, password="hidden")
    execute(postgres_url, f"DROP ROLE {name}")


READERS = [
    "lag",
    "parked list",
    "parked retry --all",
    "verify --all",
    "verify --sample 5",
    "rebuild",
    "rollback --projection orders",
]


@pytest.mark.parametrize("verb", ["migrate", *READERS])
@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"password": "hidden"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
    ids=["a wrong password", "no such database"],
)
def test_a_login_that_fails_names_the_setting(orderlog, postgres_url, on_topic, verb, parts, said):
    done = orderlog(*verb.split(), database_url=changed(postgres_url, **parts), **on_topic)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "ORDERLOG_DATABASE_URL" in line
    assert said in line
    assert "hidden" not in line


@pytest.mark.parametrize("verb", READERS)
def test_a_login_without_the_role_is_incompatible(orderlog, stranger, on_topic, verb):
    done = orderlog(*verb.split(), database_url=stranger, **on_topic)

    assert done.returncode == 4
    assert "GRANT orderlog_projector TO it" in done.stderr


@pytest.mark.parametrize("verb", READERS)
def test_before_the_migration_it_is_asked_for(orderlog, empty, on_topic, verb):
    done = orderlog(*verb.split(), database_url=empty, **on_topic)

    assert done.returncode == 4
    assert "run `orderlog migrate`" in done.stderr
    assert done.stdout == ""


def test_who_may_not_migrate_is_told_what_postgres_said(orderlog, stranger):
    done = orderlog("migrate", database_url=stranger)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "ORDERLOG_DATABASE_URL" in line
    assert "permission denied for database" in line


def test_a_fresh_database_is_migrated_and_a_second_time_changes_nothing(orderlog, empty):
    first = orderlog("migrate", database_url=empty)
    tables = fetched(empty)
    second = orderlog("migrate", database_url=empty)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stderr == second.stderr == "the database is at the newest schema\n"
    assert {"orderlog.checkpoints", "orderlog.generations", "orderlog.log_identity"} <= tables
    assert fetched(empty) == tables


def fetched(url: str) -> set[str]:
    """Every table of ours, with the row count of those that a migration could fill twice."""

    async def run() -> set[str]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch(
                "SELECT schemaname || '.' || tablename AS name FROM pg_tables "
                "WHERE schemaname IN ('orderlog', 'read_models')"
            )
            versions = await connection.fetch("SELECT version_num FROM orderlog.alembic_version")
        finally:
            await connection.close()
        return {row["name"] for row in rows} | {f"version {row['version_num']}" for row in versions}

    return asyncio.run(run())


def test_the_relation_that_tells_old_databases_is_the_newest_migrations(database_url):
    """Whoever adds a migration names what it makes; going back and forth is possible."""

    async def is_there() -> bool:
        connection = await asyncpg.connect(database_url)
        found = await connection.fetchval("SELECT to_regclass($1)", NEWEST_RELATION)
        await connection.close()
        return found is not None

    before = asyncio.run(is_there())
    command.downgrade(configuration(database_url), "-1")
    gone = asyncio.run(is_there())
    upgrade(database_url)

    assert (before, gone, asyncio.run(is_there())) == (True, False, True)
