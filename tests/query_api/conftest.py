"""A shop whose facts are projected on demand, and the query API on a real port before it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest
from pydantic import SecretStr

from domain import commands
from domain.decide import DECIDER
from domain.events import Recorded
from domain.values import Actor, Line, Shipping
from eventlog import codec
from eventlog.log import StoredRecord
from eventlog.partitioner import partition_of
from projectors import database, generations
from projectors.engine import Engine, Move
from projectors.read_models import PROJECTIONS
from query_api.app import create_app
from runtime.position import Position, log_id
from runtime.serving import server
from runtime.settings import DatabaseSettings, LogSettings, QuerySettings

START_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000
PARTITIONS = 4
DEADLINE_S = 20
IDENTITY = ("cluster", "orders.events", "topic-id")


class Shop:
    """Facts in a log of four partitions; read models contain them once they are projected."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._log: dict[int, list[Recorded]] = {p: [] for p in range(PARTITIONS)}
        self._orders: dict[str, tuple] = {}
        self._checkpoints = {name: dict.fromkeys(range(PARTITIONS), 0) for name in PROJECTIONS}
        self.generations = dict.fromkeys(PROJECTIONS, 1)
        self.now_us = START_US

    def place(
        self, customer_id: str = "c-1", currency: str = "EUR", price_minor: int = 1_000
    ) -> str:
        order_id = str(uuid.uuid4())
        lines = (Line("A", 2, price_minor), Line("B", 1, 500, name="Cup ☕"))
        shipping = Shipping("standard", 490)
        self.do(
            order_id,
            commands.PlaceOrder(customer_id, currency, lines, (), shipping, None, None, None),
        )
        return order_id

    def do(self, order_id: str, *given: commands.OrderCommand) -> None:
        for command in given:
            state, version = self._orders.get(order_id, (DECIDER.initial, 0))
            for event in DECIDER.decide(state, command):
                version += 1
                self.now_us += 1_000
                self._append(order_id, version, event)
                state = DECIDER.evolve(state, event)
            self._orders[order_id] = (state, version)

    def _append(self, order_id: str, version: int, event: object) -> None:
        partition = partition_of(order_id, PARTITIONS)
        envelope = codec.Envelope(
            event_id=str(uuid.uuid4()),
            tenant_id="default",
            order_id=order_id,
            version=version,
            occurred_at_us=self.now_us,
            recorded_at_us=self.now_us,
            command_id=f"key-{version}",
            fingerprint=bytes(32),
            correlation_id="corr",
            causation_id="cause",
            reason="",
            actor=Actor("user", "u-1"),
            prev_hash=codec.FIRST_PREV_HASH,
            command_index=0,
            command_size=1,
        )
        offset = len(self._log[partition])
        key, value = codec.event_key(order_id, version), codec.encode(envelope, event)
        stored = StoredRecord(partition, offset, self.now_us // 1000, key, value)
        self._log[partition].append(codec.decode(stored))

    def token(self) -> str:
        """Contains everything that happened, projected or not."""
        offsets = {p: len(records) for p, records in self._log.items() if records}
        return Position(log_id(IDENTITY[0], IDENTITY[2]), offsets).encode()

    async def project(self, *names: str) -> None:
        """Bring these read models (or all) to the end of the log, one transaction each."""
        for name in names or PROJECTIONS:
            at = self._checkpoints[name]
            moves = [
                Move(p, at[p], len(records), tuple(records[at[p] :]))
                for p, records in self._log.items()
                if len(records) > at[p]
            ]
            if moves:
                await Engine(PROJECTIONS[name], self.generations[name]).apply(
                    self._connection, moves
                )
            at.update({move.partition: move.new for move in moves})

    async def execute(self, sql: str, *arguments: object) -> None:
        await self._connection.execute(sql, *arguments)


@dataclass(frozen=True)
class Api:
    client: httpx2.AsyncClient
    port: int
    close: Callable[[], None]

    async def get(self, path: str, headers: dict | None = None, **parameters) -> httpx2.Response:
        return await self.client.get(path, params=parameters or None, headers=headers)

    async def problem(self, path: str, headers: dict | None = None, **parameters) -> dict:
        """Answer the document of a problem, after a look at what all of them have in common."""
        answer = await self.get(path, headers, **parameters)
        body = answer.json()
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert body["status"] == answer.status_code
        assert body["type"] == f"urn:orderlog:problem:{body['code']}"
        assert body["title"]
        assert body["detail"]
        assert (answer.status_code in {429, 503}) == ("retry-after" in answer.headers)
        return body

    async def pages(self, path: str, **parameters) -> AsyncIterator[list[str]]:
        """Yield the order ids of each page."""
        cursor = {}
        while True:
            answer = await self.get(path, **parameters, **cursor)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            yield [order["order_id"] for order in body["orders"]]
            if body["next_cursor"] is None:
                return
            cursor = {"cursor": body["next_cursor"]}


class Events:
    """Reads Server-Sent Events; comments are skipped."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> dict:
        found: dict = {}
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines:
                if line.startswith("id: "):
                    found["id"] = line[4:]
                elif line.startswith("event: "):
                    found["event"] = line[7:]
                elif line.startswith("data: "):
                    found["data"] = json.loads(line[6:])
                elif not line and found:
                    return found
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def serving(
    database_url: str, log: LogSettings | None = None, **settings
) -> AsyncIterator[Api]:
    app = create_app(
        QuerySettings(**settings), DatabaseSettings(database_url=SecretStr(database_url)), log
    )
    running = server(app, "127.0.0.1", 0)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(DEADLINE_S):
        while not running.started:
            await asyncio.sleep(0.005)

    def close() -> None:
        app.state.close()
        running.should_exit = True

    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield Api(client, port, close)
    finally:
        close()
        async with asyncio.timeout(DEADLINE_S):
            await task


@pytest.fixture
def serve(database_url: str) -> Callable:
    """Answer `serve(**settings)`: the API as an async context manager."""
    return lambda url=database_url, **settings: serving(url, **settings)


@pytest.fixture
async def api(serve, shop) -> AsyncIterator[Api]:
    async with serve() as api:
        yield api


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Acts as the projector."""
    settings = DatabaseSettings(database_url=SecretStr(database_url))
    connection = await database.connect(settings)
    yield connection
    await connection.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Acts as an operator."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def shop(connection) -> Shop:
    await connection.execute(
        "INSERT INTO orderlog.log_identity (cluster_id, topic, topic_id, partitions) "
        "VALUES ($1, $2, $3, $4)",
        *IDENTITY,
        PARTITIONS,
    )
    await generations.ensure_live(connection, PROJECTIONS.values(), PARTITIONS)
    return Shop(connection)


@pytest.fixture
def events(api) -> Callable:
    """Answer `events(path, **headers)`: a stream as an async context manager of `Events`."""

    @asynccontextmanager
    async def opened(path: str, headers: dict | None = None) -> AsyncIterator[Events]:
        async with api.client.stream("GET", path, headers=headers) as response:
            yield Events(response)

    return opened
