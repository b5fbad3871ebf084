"""Submissions, and partitions over a log in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from domain.commands import OrderCommand, PlaceOrder
from domain.decide import DECIDER
from domain.values import Line
from eventlog.log import EventLog
from eventlog.memory import MemoryLog
from eventlog.ownership import Partitions
from eventlog.submission import Submission
from runtime.settings import LogSettings
from tests.submissions import submission

ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
READY_S = 20


@pytest.fixture(scope="session")
def placing() -> PlaceOrder:
    return PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1299),))


@pytest.fixture(scope="session")
def order_id() -> str:
    return ORDER


@pytest.fixture(scope="session")
def submit_of() -> Callable[..., Submission]:
    """Answer `submit_of(command, key=, order_id=, …)`: a submission of that command."""

    def make(
        command: OrderCommand, key: str | None = None, order_id: str = ORDER, **more
    ) -> Submission:
        return submission(command, order_id, key, **more)

    return make


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
def log(request: pytest.FixtureRequest) -> EventLog:
    """The port, both ways."""
    return MemoryLog() if request.param == "memory" else request.getfixturevalue("kafka_log")


@pytest.fixture(scope="session")
def opened() -> Callable:
    """Answer `async with opened(log, **settings) as partitions`: served and ready."""

    @asynccontextmanager
    async def open_partitions(log: EventLog, **settings) -> AsyncIterator[Partitions]:
        async with await Partitions.open(
            log, DECIDER, settings=LogSettings(**settings), node="test"
        ) as partitions:
            await partitions.wait_ready(READY_S)
            yield partitions

    return open_partitions
