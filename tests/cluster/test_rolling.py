"""A new release is rolled out: every process is ended and started again, one after the other,
while orders are placed and read, and not one request fails."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import httpx2
import pytest

from runtime.embedded.child import free_port

from .conftest import DEADLINE_S
from .test_nodes import place

CLIENTS = 3


@dataclass
class Served:
    """Processes of one kind; `urls` are those that a load balancer would send requests to."""

    words: tuple[str, ...]
    variable: str
    environment: dict[str, str]
    client: httpx2.AsyncClient
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)

    async def start(self) -> None:
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *self.words),
            env={**os.environ, **self.environment, self.variable: str(port)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        self.running[url] = process
        async with asyncio.timeout(DEADLINE_S):
            while not await self._is_ready(url):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        self.urls.append(url)

    async def _is_ready(self, url: str) -> bool:
        with suppress(httpx2.TransportError):
            return (await self.client.get(f"{url}/readyz")).status_code == 200
        return False

    async def restart(self) -> None:
        """The oldest gets no more requests, ends in order, and another one comes in its place."""
        url = self.urls.pop(0)
        process = self.running.pop(url)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            assert await process.wait() == 0
        await self.start()

    async def kill(self) -> None:
        for process in self.running.values():
            process.kill()
            await process.wait()


@pytest.fixture
async def readers(cluster, database_url):
    """Two processes with the projectors, and two query APIs."""
    environment = {
        "ORDERLOG_KAFKA_BOOTSTRAP": cluster.settings.kafka_bootstrap,
        "ORDERLOG_KAFKA_TOPIC": cluster.settings.kafka_topic,
        "ORDERLOG_ENVIRONMENT": cluster.settings.environment,
        "ORDERLOG_DATABASE_URL": database_url,
        "ORDERLOG_HEARTBEAT_MS": "100",
    }
    projectors = Served(("project",), "ORDERLOG_METRICS_PORT", environment, cluster.client)
    queries = Served(("serve", "query"), "ORDERLOG_QUERY_PORT", environment, cluster.client)
    try:
        for _ in range(2):
            await projectors.start()
        for _ in range(2):
            await queries.start()
        yield projectors, queries
    finally:
        for served in (projectors, queries):
            await served.kill()


async def test_every_process_is_restarted_and_not_one_request_fails(cluster, readers):
    projectors, queries = readers
    rotation = [await cluster.start() for _ in range(2)]  # As a load balancer has them.
    await cluster.until_shared()
    numbers, until = count(), asyncio.Event()
    placed: dict[str, httpx2.Response] = {}
    read: list[httpx2.Response] = []

    async def shop() -> None:
        """Place an order, and read it from what contains it."""
        while not until.is_set():
            number = next(numbers)
            key = f"rolling-{number}"
            placed[key] = await place(cluster, rotation[number % len(rotation)], key)
            answer = await cluster.client.get(
                f"{queries.urls[number % len(queries.urls)]}{placed[key].headers['location']}",
                params={"wait_ms": 10_000},
                headers={"Orders-Min-Position": placed[key].headers["orders-position"]},
            )
            read.append(answer)

    async def more() -> None:
        """Let some go through with everybody in place."""
        enough = len(read) + 10 * CLIENTS
        async with asyncio.timeout(DEADLINE_S):
            while len(read) < enough:
                assert not any(client.done() for client in load), [c.exception() for c in load]
                await asyncio.sleep(0.01)

    load = [asyncio.create_task(shop()) for _ in range(CLIENTS)]
    await more()
    for served in (projectors, queries):
        for _ in range(2):
            await served.restart()
            await more()
    for _ in range(2):
        node = rotation.pop(0)
        assert await cluster.end(node) == 0
        started = await cluster.start()
        await cluster.until_shared()
        rotation.append(started)
        await more()
    until.set()
    await asyncio.gather(*load)

    assert [answer.text for answer in placed.values() if answer.status_code != 201] == []
    assert [answer.text for answer in read if answer.status_code != 200] == []
    stored = await cluster.stored()
    assert set(stored) == {answer.json()["order_id"] for answer in placed.values()}
    assert {len(events) for events in stored.values()} == {1}
    assert {answer.json()["order_id"] for answer in read} == set(stored)
