"""One real Kafka and one real Postgres per test run; a fresh topic and database per test.

ORDERLOG_TEST_KAFKA_BOOTSTRAP and ORDERLOG_TEST_DATABASE_URL (an owner with CREATEROLE and
CREATEDB) name a cluster of your own instead.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from eventlog.kafka import KafkaLog
from eventlog.topics import Topics
from migrations import upgrade
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.embedded.postgres import postgres, remove
from runtime.embedded.roles import ensure_owner
from runtime.settings import LogSettings

TEMPLATE = "orderlog_template"


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("ORDERLOG_TEST_KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    port = free_port()
    broker = kafka(tmp_path_factory.mktemp("kafka"), port)
    broker.start()
    yield f"127.0.0.1:{port}"
    broker.stop()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The owner's address of a server; its database is not to be used by tests."""
    given = os.environ.get("ORDERLOG_TEST_DATABASE_URL")
    if given:
        yield given
        return
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("postgres")
    server, credentials = postgres(folder, port, is_durable=False)
    server.start()
    yield asyncio.run(ensure_owner(port, credentials))
    server.stop()
    remove(folder)


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


_END_CLIENTS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = '{}' AND backend_type = 'client backend'"
)


def _with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """A migrated database that others are copied from, in a tenth of a second."""
    asyncio.run(
        _execute(
            postgres_url,
            _END_CLIENTS.format(TEMPLATE),
            f"DROP DATABASE IF EXISTS {TEMPLATE}",
            f"CREATE DATABASE {TEMPLATE}",
        )
    )
    upgrade(_with_database(postgres_url, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def drop_database(postgres_url: str) -> Callable[[str], None]:
    """Answer `drop_database(name)`: whoever is connected is thrown out.

    `WITH (FORCE)` is refused while autovacuum is at work there; without it, autovacuum gives way.
    """
    return lambda name: asyncio.run(
        _execute(postgres_url, _END_CLIENTS.format(name), f"DROP DATABASE {name}")
    )


@pytest.fixture
def database_url(postgres_url: str, template: str, drop_database: Callable) -> Iterator[str]:
    """The owner's address of a fresh, migrated database."""
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(_execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield _with_database(postgres_url, name)
    drop_database(name)


@pytest.fixture
def log_settings(kafka_bootstrap: str) -> LogSettings:
    """Settings of a fresh topic with four partitions, in an environment of its own."""
    name = uuid.uuid4().hex
    settings = LogSettings(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic=f"orders.{name}",
        environment=name,
        partitions=4,
    )
    Topics(settings).ensure()
    return settings


@pytest.fixture
async def kafka_log(log_settings: LogSettings) -> AsyncIterator[KafkaLog]:
    async with KafkaLog(log_settings) as log:
        yield log
