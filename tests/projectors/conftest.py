"""A log of random histories, a database to project it into, and those who do it."""

import asyncio
import os
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable

import asyncpg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.main import application
from eventlog import codec
from eventlog.log import Record
from eventlog.upcasters import SCHEMA_VERSION
from projectors import database, generations
from projectors.parked import redrive
from projectors.read_models import PROJECTIONS
from runtime.settings import DatabaseSettings

from .histories import Histories, plain, pure
from .running import DEADLINE_S, Facts, projected
from .unreadable import PARTITION


@pytest.fixture(scope="session")
def histories() -> Callable[[int], Histories]:
    return Histories


@pytest.fixture(scope="session")
def expected() -> Callable:
    """Answer `expected(decoded batches)`: per projection its rows, sorted."""
    return lambda decoded: {
        name: sorted(pure(projection, decoded), key=str) for name, projection in PROJECTIONS.items()
    }


@pytest.fixture
def database_settings(database_url: str) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(database_url))


@pytest.fixture
async def connection(database_settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await database.connect(database_settings)
    yield connection
    await connection.close()


@pytest.fixture
async def live_tables(connection) -> None:
    """Generation 1 of everything, empty and live, over four partitions."""
    await generations.ensure_live(connection, PROJECTIONS.values(), 4)


@pytest.fixture
def served(connection) -> Callable:
    """Answer `await served()`: per projection the rows of its view, sorted; plain values."""

    async def fetch() -> dict[str, list[tuple]]:
        found = {}
        for name in PROJECTIONS:
            rows = await connection.fetch(f"SELECT * FROM read_models.{name}")
            found[name] = sorted((tuple(map(plain, row)) for row in rows), key=str)
        return found

    return fetch


@pytest.fixture
async def owner(database_url) -> AsyncIterator[asyncpg.Connection]:
    """Acts as an operator."""
    connection = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    yield connection
    await connection.close()


@pytest.fixture
async def facts(request, kafka_log, log_settings) -> AsyncIterator[Facts]:
    """A history of its own for each test; the same in every run."""
    seed = zlib.crc32(request.node.name.encode())
    facts = Facts(kafka_log, log_settings, Histories(seed))
    yield facts
    await facts.close()


@pytest.fixture
def projecting(facts, database_settings, connection) -> Callable:
    """Answer `async with projecting(**more) as projector`: running until the end of the block."""

    return partial(projected, facts, database_settings, connection)


@pytest.fixture
def rows_of(served, expected) -> Callable:
    """Answer `await rows_of(decoded)`: what is served, and what the functions make of these."""

    async def both(decoded) -> tuple[dict, dict]:
        return await served(), expected(decoded)

    return both


@pytest.fixture
def is_exact(facts, rows_of) -> Callable:
    """Answer `await is_exact()`: what is served is what the functions make of all facts."""

    async def ask() -> bool:
        served, wanted = await rows_of(facts.decoded())
        return served == wanted

    return ask


@pytest.fixture
def environment(facts, database_url) -> dict[str, str]:
    """What a process of ours needs to work on the same topic and database."""
    settings = facts.settings
    return {
        "ORDERLOG_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "ORDERLOG_KAFKA_TOPIC": settings.kafka_topic,
        "ORDERLOG_ENVIRONMENT": settings.environment,
        "ORDERLOG_DATABASE_URL": database_url,
        "ORDERLOG_METRICS_PORT": "0",
        "ORDERLOG_HEARTBEAT_MS": "100",
        "ORDERLOG_BATCH_EVENTS_MAX": "3",
    }


@pytest.fixture
def cli(environment) -> Callable:
    """Answer `await cli("lag", "-o", "json")`: the result of a verb, run in this process."""
    return lambda *arguments: asyncio.to_thread(
        CliRunner().invoke, application(arguments[0]), list(arguments), env=environment
    )


@pytest.fixture
def start(environment) -> Iterator[Callable[..., subprocess.Popen]]:
    """Answer `start("project")`: a process of its own; what runs on at the end is killed."""
    started: list[subprocess.Popen] = []

    def begin(*arguments: str, **more: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**os.environ, **environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def eventually() -> Callable:
    """Answer `await eventually(condition, what)`: wait until it holds; it may be a coroutine."""

    async def wait(condition: Callable, what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not (await found if isawaitable(found := condition()) else found):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {DEADLINE_S} s: {what}")
            await asyncio.sleep(0.02)

    return wait


@dataclass
class Stage:
    """Facts with a record amid them that is not like others, and those who project them."""

    facts: Facts
    projecting: Callable
    cli: Callable
    is_exact: Callable
    connection: asyncpg.Connection

    async def put(self, record: Record | Callable[[Record], Record]) -> int:
        """Append it to partition 1, amid facts before and after it; return its offset.

        Instead of a record it takes a function that changes what would come next.
        """
        await self.facts.happen(30)
        records = [record]
        if not isinstance(record, Record):
            records = [record(one) for one in await self.facts.next_in(PARTITION)]
        offset = await self.facts.append(PARTITION, records)
        await self.facts.happen(60)
        assert self.facts.ends()[PARTITION] > offset + 2
        return offset

    async def project(self) -> None:
        """Apply all that there is."""
        async with self.projecting() as projector:
            await projector.reach()

    async def parked(self) -> dict[tuple[str, str], list[int]]:
        """Return what is parked: (projection, order) -> offsets of the events that wait."""
        return {
            (one.projection, one.order_id): list(one.offsets)
            for one in await redrive.find(self.connection)
        }


@pytest.fixture
def stage(facts, projecting, cli, is_exact, connection) -> Stage:
    return Stage(facts, projecting, cli, is_exact, connection)


@pytest.fixture
def newer_release(monkeypatch):
    """Answer `with newer_release():` the code reads what the release after this one writes."""

    @contextmanager
    def deployed():
        with monkeypatch.context() as changed:
            changed.setattr(codec, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
            yield

    return deployed
