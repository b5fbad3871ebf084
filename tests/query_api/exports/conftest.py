"""A real log with 150 events, the query API before it, and the record of who asked."""

import asyncio
from collections.abc import Callable

import pytest

from audit.access.topic import trail_of
from runtime.settings import LogSettings
from tests.audit.conftest import Writer

DEADLINE_S = 20
ORDERS = 30


@pytest.fixture
async def order_ids(kafka_log) -> list[str]:
    """A real log with 150 events of 30 orders."""
    return await Writer().write(kafka_log, ORDERS)


@pytest.fixture
async def empty(serve, log_settings: LogSettings):
    """The API before a log of which nothing is there yet."""
    async with serve(log=log_settings) as api:
        yield api


@pytest.fixture
async def api(serve, order_ids, log_settings: LogSettings):
    async with serve(log=log_settings, query_exports_max=2) as api:
        yield api


@pytest.fixture
def accesses(log_settings: LogSettings) -> Callable:
    """Answer the accesses, once as many as that have ended."""

    async def ended(count: int) -> list[dict]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                entries = (await trail_of(log_settings)).entries
                if sum(entry["state"] != "begun" for entry in entries) >= count:
                    return list(entries)
                await asyncio.sleep(0.02)

    return ended
