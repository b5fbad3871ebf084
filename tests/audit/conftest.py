"""A log with a few dozen orders, written by the real writer, and exports of it."""

import asyncio
import random
import shutil
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from audit.evidence.signing import make_key
from audit.export import Request, export
from cli.audit import register
from domain import commands as c
from domain.decide import DECIDER
from domain.values import Line, LineQuantity
from eventlog.log import EventLog
from eventlog.memory import MemoryLog
from eventlog.ownership import Partitions
from runtime.settings import LogSettings
from tests.submissions import submission

START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


def _life(number: int) -> list[c.OrderCommand]:
    """One of three lives of an order, by its number: 3, 6 and 6 events."""
    lines = (Line("A-1", 2, 1299, name="Cüp"), Line("B-2", 3, 250 + number))
    placed = c.PlaceOrder(f"c-{number % 5}", "EUR", lines)
    if number % 3 == 0:
        return [placed, c.AddNote("n-1", "ring twice"), c.Cancel("changed my mind")]
    if number % 3 == 1:
        return [
            placed,
            c.Accept(),
            c.RequestAuthorisation("p-1", 500),
            c.RecordAuthorisation("p-1", "psp-1", 500),
            c.RequestCapture("p-1", "k-1", 500),
            c.RecordCapture("p-1", "k-1", "psp-2", 500),
        ]
    return [
        placed,
        c.Accept(),
        c.CreateShipment("s-1", (LineQuantity("1", 2),), "post"),
        c.DispatchShipment("s-1", "T1"),
        c.RecordDelivery("s-1"),
        c.CancelLines((LineQuantity("2", 3),), None),
    ]


class Writer:
    """Writes orders to a log; the clock goes one second per event, whatever runs when."""

    def __init__(self) -> None:
        self._moments = count(START_US, SECOND_US)
        self._event_ids = (str(UUID(int=number)) for number in count(1))
        self._orders = count()

    async def write(self, log: EventLog, orders: int) -> list[str]:
        """Write whole lives of `orders` orders, their commands mixed; return the order ids."""
        chance = random.Random(7)
        lives: dict[str, list[tuple[c.OrderCommand, str]]] = {}
        for _ in range(orders):
            number = next(self._orders)
            commands = _life(number)
            order_id = str(UUID(int=number + 2**100))
            lives[order_id] = [(command, f"{number}-{at}") for at, command in enumerate(commands)]
        ids = list(lives)
        async with await self._owner(log) as owner:
            await owner.wait_ready(30)
            while lives:
                order_id = chance.choice(list(lives))
                command, key = lives[order_id].pop(0)
                await owner.submit(submission(command, order_id, key))
                if not lives[order_id]:
                    del lives[order_id]
        return ids

    async def write_one(self, log: EventLog, commands: Iterable[c.OrderCommand]) -> str:
        """Write one order's life; return its id."""
        number = next(self._orders)
        order_id = str(UUID(int=number + 2**100))
        async with await self._owner(log) as owner:
            await owner.wait_ready(30)
            for at, command in enumerate(commands):
                await owner.submit(submission(command, order_id, f"{number}-{at}"))
        return order_id

    async def _owner(self, log: EventLog) -> Partitions:
        return await Partitions.open(
            log,
            DECIDER,
            settings=LogSettings(partitions=(await log.identity()).partitions),
            node="node-1",
            clock_us=lambda: next(self._moments),
            new_event_id=lambda: next(self._event_ids),
        )


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def run() -> Callable[..., Result]:
    """Answer `run(*words)`: the verb of the group `audit`, called here."""
    app = typer.Typer()
    register(app)

    def call(*words: object) -> Result:
        return CliRunner().invoke(app, ["audit", *map(str, words)])

    return call


@pytest.fixture
async def written(kafka_log, writer, log_settings: LogSettings, monkeypatch) -> None:
    """Twelve orders with 60 events in a real log, which the environment names."""
    await writer.write(kafka_log, 12)
    monkeypatch.setenv("ORDERLOG_KAFKA_BOOTSTRAP", log_settings.kafka_bootstrap)
    monkeypatch.setenv("ORDERLOG_KAFKA_TOPIC", log_settings.kafka_topic)
    monkeypatch.setenv("ORDERLOG_ENVIRONMENT", log_settings.environment)


@pytest.fixture
async def log(writer: Writer) -> MemoryLog:
    """30 orders with 150 events in four partitions."""
    memory = MemoryLog(partitions=4)
    await writer.write(memory, 30)
    return memory


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a private and a public key."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "audit.pub").write_text(make_key(folder / "audit.key"))
    return folder / "audit.key", folder / "audit.pub"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole export of such a log, in several files per partition. Copy it to change it."""
    path = tmp_path_factory.mktemp("audit") / "whole"

    async def make() -> None:
        memory = MemoryLog(partitions=4)
        await Writer().write(memory, 30)
        await export(memory, path, Request(file_events_max=15))

    asyncio.run(make())
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """An export that may be changed."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))
