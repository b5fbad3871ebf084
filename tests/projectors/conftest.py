"""Random but valid histories as the log stores them, and a database to project them into."""

import asyncio
import os
import random
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import asyncpg
import pytest
from pydantic import SecretStr

from domain import commands
from domain.decide import DECIDER
from domain.errors import Refused
from domain.values import Actor, Address, Contact, Discount, Line, LineQuantity, Shipping, Tax
from eventlog import codec
from eventlog.kafka import KafkaLog
from eventlog.log import Appender, Batch, Doubtful, Record, StoredRecord
from eventlog.partitioner import partition_of
from eventlog.topics import Topics
from projectors import database, folding, generations
from projectors.engine import document_row
from projectors.kinds import Append, Fold, Projection
from projectors.live import Live
from projectors.read_models import PROJECTIONS
from runtime.settings import DatabaseSettings, LogSettings, ProjectorSettings

START_US = 1_790_000_000_000_000
MOST_US = 86_400_000_000 * 3
LINES = ("1", "2")
DEADLINE_S = 40


def place(rng: random.Random) -> commands.PlaceOrder:
    taxes = (Tax("VAT", "0.19", 19, included=True), Tax("ECO", "0.01", 3, included=False))
    return commands.PlaceOrder(
        customer_id=f"c-{rng.randrange(4)}",
        currency=rng.choice(["EUR", "USD"]),
        lines=(
            Line("A", rng.randint(1, 5), rng.randint(100, 900), taxes=taxes[: rng.randrange(3)]),
            Line("B", rng.randint(1, 3), rng.randint(0, 900), name="Cup ☕"),
        ),
        discounts=(Discount("d", rng.randrange(90), rng.choice([None, "1"])),),
        shipping=rng.choice([None, Shipping("standard", 490)]),
        contact=rng.choice([None, Contact("Zoë", "z@example.org", "")]),
        ship_to=Address("Zoë", ("Weg 1",), "10115", "Berlin", "", "DE"),
        bill_to=None,
    )


def some(rng: random.Random) -> commands.OrderCommand:
    """Most of these are refused, depending on what came before."""
    payment, capture = f"p-{rng.randrange(2)}", f"k-{rng.randrange(3)}"
    reference, shipment = f"r-{rng.randrange(4)}", f"s-{rng.randrange(3)}"
    amount = rng.choice([100, 700, 2_000])
    pieces = tuple(LineQuantity(line, rng.randint(1, 2)) for line in LINES[: rng.randint(1, 2)])
    choices = [
        commands.Accept,
        commands.Accept,
        partial(commands.Reject, "sold out"),
        partial(commands.RequestAuthorisation, payment, amount, "card"),
        partial(commands.RecordAuthorisation, payment, reference, amount, START_US),
        partial(commands.RecordAuthorisation, payment, reference, amount),
        partial(commands.RecordAuthorisationFailure, payment, reference, "no"),
        partial(commands.RequestCapture, payment, capture, amount // 2),
        partial(commands.RecordCapture, payment, capture, reference, amount),
        partial(commands.CreateShipment, shipment, pieces, "DHL"),
        partial(commands.CreateShipment, shipment, pieces),
        partial(commands.DispatchShipment, shipment, "T-1"),
        partial(commands.DispatchShipment, shipment),
        partial(commands.RecordDelivery, shipment),
        partial(commands.CancelLines, pieces, "changed my mind"),
        partial(commands.Cancel, "too late") if rng.random() < 0.2 else commands.Accept,
        partial(commands.AddNote, f"n-{rng.randrange(3)}", "a\x00\nb"),
    ]
    return rng.choice(choices)()


class Histories:
    """Orders that live through random commands; what they become goes to `commit`, in groups."""

    def __init__(self, seed: int, partitions: int = 4) -> None:
        self.rng = random.Random(seed)
        self.partitions = partitions
        self._orders: dict[str, tuple] = {}
        self._now_us = START_US

    def groups(self, commands_count: int, orders_max: int = 30) -> list[tuple[int, list[Record]]]:
        """Return what transactions would append: (partition, records)."""
        groups: dict[int, list[Record]] = {}
        done = []
        for _ in range(commands_count):
            partition, records = self._command(orders_max)
            groups.setdefault(partition, []).extend(records)
            if len(groups[partition]) > self.rng.randrange(12):
                done.append((partition, groups.pop(partition)))
        return [group for group in (*done, *groups.items()) if group[1]]

    def _command(self, orders_max: int) -> tuple[int, list[Record]]:
        rng = self.rng
        if (len(self._orders) < orders_max and rng.random() < 0.3) or not self._orders:
            order_id, command = str(uuid.UUID(int=rng.getrandbits(128), version=4)), place(rng)
        else:
            order_id, command = rng.choice(list(self._orders)), some(rng)
        state, version, value = self._orders.get(order_id, (DECIDER.initial, 0, None))
        events = []
        with suppress(Refused):
            events = DECIDER.decide(state, command)
        records = []
        for index, event in enumerate(events):
            self._now_us += rng.randrange(MOST_US // 400)
            version += 1
            envelope = codec.Envelope(
                event_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                tenant_id="default",
                order_id=order_id,
                version=version,
                occurred_at_us=self._now_us - rng.randrange(1_000),
                recorded_at_us=self._now_us,
                command_id=f"key-{rng.getrandbits(64)}",
                fingerprint=bytes(32),
                correlation_id="corr",
                causation_id="cause",
                actor=Actor("user", "u-1"),
                prev_hash=codec.event_hash(value) if value else codec.FIRST_PREV_HASH,
                command_index=index,
                command_size=len(events),
            )
            value = codec.encode(envelope, event)
            state = DECIDER.evolve(state, event)
            records.append(Record(codec.event_key(order_id, version), value))
        if version:
            self._orders[order_id] = (state, version, value)
        return partition_of(order_id, self.partitions), records

    def batches(self, commands_count: int, orders_max: int = 30) -> list[Batch]:
        """Return the log as batches, with ownership records and transaction markers."""
        ends = dict.fromkeys(range(self.partitions), 0)
        found = []
        for partition, records in self.groups(commands_count, orders_max):
            if self.rng.random() < 0.1:
                owner = codec.ownership_record(partition, epoch=1, node="n", acquired_at_us=1)
                records = [owner, *records]  # noqa: PLW2901
            stored = tuple(
                StoredRecord(partition, offset, 0, record.key, record.value)
                for offset, record in enumerate(records, ends[partition])
            )
            ends[partition] += len(records) + 1
            found.append(Batch(partition, stored, ends[partition]))
        return found


@pytest.fixture(scope="session")
def histories() -> Callable[[int], Histories]:
    return Histories


def pure(projection: Projection, decoded: list[folding.Decoded]) -> list[tuple]:
    """Return the rows that a projection must have after these batches: from the functions alone."""
    records = [recorded for batch in decoded for recorded in batch.records]
    if isinstance(projection, Append):
        return folding.rows(projection, records)
    if isinstance(projection, Fold):
        documents, partitions = {}, {}
        folding.fold(projection, documents, records)
        for recorded in records:
            partitions[recorded.order_id] = recorded.partition
        return [
            document_row(projection, document, partitions[order_id])
            for order_id, document in documents.items()
        ]
    sums: folding.Amounts = {}
    folding.tally(projection, sums, records)
    return folding.tally_rows(sums)


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


def plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    return int(value) if type(value).__name__ == "Decimal" else value


class Facts:
    """A topic that is filled by transactions, and what its facts must come to."""

    def __init__(self, log: KafkaLog, settings: LogSettings, histories: Histories) -> None:
        self.histories = histories
        self.settings = settings
        self._log = log
        self._appenders: dict[int, Appender] = {}

    async def append(self, partition: int, records: Sequence[Record]) -> int:
        """Return the first record's offset; a slow commit is looked up, as its owner would."""
        if partition not in self._appenders:
            self._appenders[partition] = await self._log.open_appender(partition)
        try:
            return await self._appenders[partition].append(records)
        except Doubtful:
            await self._appenders.pop(partition).close()
            self._appenders[partition] = await self._log.open_appender(partition)
        async for batch in self._log.read(partition, 0, await self._log.end(partition)):
            for stored in batch.records:
                if (stored.key, stored.value) == (records[0].key, records[0].value):
                    return stored.offset
        return await self.append(partition, records)

    async def happen(self, commands_count: int) -> None:
        for partition, records in self.histories.groups(commands_count):
            await self.append(partition, records)

    async def leave_open(self, partition: int, record: Record) -> None:
        """Begin a transaction that nobody will commit; the next `append` comes after its end."""
        appender = await self._log.open_appender(partition)
        self._appenders.pop(partition, None)
        await appender._producer.begin_transaction()
        await appender._producer.send_and_wait(
            self.settings.kafka_topic, record.value, record.key, partition=partition
        )
        await appender.close()

    def ends(self) -> dict[int, int]:
        return Topics(self.settings).ends(self.histories.partitions)

    async def decoded(self) -> list[folding.Decoded]:
        found = []
        for partition, end in self.ends().items():
            found += [folding.decode(batch) async for batch in self._log.read(partition, 0, end)]
        return found

    async def close(self) -> None:
        for appender in self._appenders.values():
            await appender.close()


@pytest.fixture
async def facts(kafka_log, log_settings) -> AsyncIterator[Facts]:
    facts = Facts(kafka_log, log_settings, Histories(int(log_settings.environment[:8], 16)))
    yield facts
    await facts.close()


class Projector:
    """A live projector in this process, and what the database says of it."""

    def __init__(self, facts: Facts, settings: DatabaseSettings, connection, **more) -> None:
        self.stop = asyncio.Event()
        self.live = Live(
            facts.settings,
            settings,
            ProjectorSettings(heartbeat_ms=100, batch_events_max=more.pop("events_max", 7)),
            **more,
        )
        self._facts = facts
        self._connection = connection
        self.task = asyncio.create_task(self.live.run(self.stop))

    async def until(self, condition: Callable, what: str) -> None:
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not await condition():
            if self.task.done():
                self.task.result()
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {DEADLINE_S} s: {what}; {self.live.status()}")
            await asyncio.sleep(0.02)

    async def reach(self, ends: Mapping[int, int] | None = None) -> None:
        """Wait until every projection has applied the log up to its end."""

        async def is_there() -> bool:
            wanted = ends or await asyncio.to_thread(self._facts.ends)
            found = await at(self._connection)
            return all(found.get(name) == wanted for name in PROJECTIONS)

        await self.until(is_there, "the end of the log")


async def at(connection) -> dict[str, dict[int, int]]:
    """Return the checkpoints of the live generations."""
    found: dict[str, dict[int, int]] = {}
    for row in await connection.fetch("SELECT * FROM orderlog.live_checkpoints"):
        found.setdefault(row["projection"], {})[row["partition"]] = row["next_offset"]
    return found


@pytest.fixture
def projecting(facts, database_settings, connection) -> Callable:
    """Answer `async with projecting(**more) as projector`: running until the end of the block."""

    @asynccontextmanager
    async def run(**more) -> AsyncIterator[Projector]:
        projector = Projector(facts, database_settings, connection, **more)
        try:
            yield projector
        finally:
            projector.stop.set()
            async with asyncio.timeout(DEADLINE_S):
                await projector.task

    return run


@pytest.fixture
def environment(facts, database_url) -> dict[str, str]:
    """What a process of ours needs to work on the same topic and database."""
    settings = facts.settings
    return {
        **os.environ,
        "ORDERLOG_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "ORDERLOG_KAFKA_TOPIC": settings.kafka_topic,
        "ORDERLOG_ENVIRONMENT": settings.environment,
        "ORDERLOG_DATABASE_URL": database_url,
        "ORDERLOG_METRICS_PORT": "0",
        "ORDERLOG_HEARTBEAT_MS": "100",
        "ORDERLOG_BATCH_EVENTS_MAX": "3",
    }
