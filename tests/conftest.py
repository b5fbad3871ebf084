"""One real Kafka and one real Postgres per test process; a fresh topic and database per test.

`--backend` says which: the embedded pair, containers, or a cluster of your own (docs/testing.md).
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from eventlog.kafka import KafkaLog
from eventlog.topics import Topics
from migrations import upgrade
from runtime.settings import LogSettings
from tests.backends import choosing, embedded

# Workers of pytest-xdist may share a server that is not ours.
TEMPLATE = f"orderlog_template_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
_BACKEND = pytest.StashKey[str]()
_RUN = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=choosing.BACKENDS,
        help="where Kafka and Postgres come from; default: embedded, or external where "
        f"{choosing.KAFKA_VARIABLE} and {choosing.DATABASE_VARIABLE} name a cluster",
    )


def _containers():
    from tests.backends import containers  # noqa: PLC0415 - Docker's client is for this alone

    return containers


def pytest_configure(config: pytest.Config) -> None:
    backend = choosing.choose(config.getoption("--backend"), os.environ)
    given = getattr(config, "workerinput", {})
    if backend == "containers" and not given:
        _containers().require_docker()
    config.stash[_BACKEND] = backend
    config.stash[_RUN] = given.get("containers_of", uuid.uuid4().hex)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """All workers of pytest-xdist label their containers with one run."""
    node.workerinput["containers_of"] = node.config.stash[_RUN]


def pytest_unconfigure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if config.stash.get(_BACKEND, "") == "containers" and not is_worker:
        _containers().remove_left(config.stash[_RUN])


def pytest_report_header(config: pytest.Config) -> str:
    return f"backend: {config.stash[_BACKEND]}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    choosing.mark_integration(items)


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """One of `embedded`, `containers` and `external`."""
    return request.config.stash[_BACKEND]


@pytest.fixture(scope="session")
def kafka_bootstrap(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    match backend:
        case "embedded":
            with embedded.broker(tmp_path_factory.mktemp("kafka")) as bootstrap:
                yield bootstrap
        case "containers":
            with _containers().broker(request.config.stash[_RUN]) as bootstrap:
                yield bootstrap
        case "external":
            yield os.environ[choosing.KAFKA_VARIABLE]


@pytest.fixture(scope="session")
def postgres_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The owner's address of a server; its database is not to be used by tests."""
    match backend:
        case "embedded":
            with embedded.server(tmp_path_factory.mktemp("postgres")) as url:
                yield url
        case "containers":
            with _containers().server(request.config.stash[_RUN]) as url:
                yield url
        case "external":
            yield os.environ[choosing.DATABASE_VARIABLE]


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
