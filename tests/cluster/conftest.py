"""Several command nodes as processes, on a real Kafka."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from eventlog.codec import decode, is_event
from eventlog.kafka import KafkaLog
from runtime.embedded.child import free_port

DEADLINE_S = 60


@dataclass
class Node:
    url: str
    process: asyncio.subprocess.Process
    output: Path


@dataclass
class Cluster:
    """Starts and ends nodes; `ask` goes to one of them."""

    settings: object
    folder: Path
    client: httpx2.AsyncClient
    nodes: list[Node] = field(default_factory=list)

    async def start(self, port: int | None = None, **more: str) -> Node:
        port = port or free_port()
        environment = {
            "ORDERLOG_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "ORDERLOG_KAFKA_TOPIC": self.settings.kafka_topic,
            "ORDERLOG_ENVIRONMENT": self.settings.environment,
            "ORDERLOG_GROUP_SESSION_TIMEOUT_MS": "6000",
            "ORDERLOG_GROUP_HEARTBEAT_MS": "200",
        }
        output = self.folder / f"{port}.log"
        with output.open("w") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cli.main", "serve", "command", "--port", str(port)),
                env={**os.environ, **environment, **more},
                stderr=file,
            )
        node = Node(f"http://127.0.0.1:{port}", process, output)
        self.nodes.append(node)
        return node

    async def end(self, node: Node, number: int = signal.SIGTERM) -> int:
        self.nodes.remove(node)
        node.process.send_signal(number)
        async with asyncio.timeout(DEADLINE_S):
            return await node.process.wait()

    async def owned(self, node: Node) -> set[int]:
        """The partitions that a node serves; none while it does not answer."""
        try:
            checks = (await self.client.get(f"{node.url}/readyz")).json()["dependencies"]
        except (httpx2.HTTPError, ValueError):
            return set()
        return {
            int(name.split()[1])
            for name, why in checks.items()
            if name.startswith("partition") and why == "ok"
        }

    async def until_shared(self) -> None:
        """Wait until the nodes serve all partitions, each one, in even shares."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                shares = [await self.owned(node) for node in self.nodes]
                served = Counter(partition for share in shares for partition in share)
                sizes = [len(share) for share in shares]
                if served == dict.fromkeys(range(4), 1) and max(sizes) - min(sizes) <= 1:
                    return
                await asyncio.sleep(0.05)

    async def stored(self) -> dict[str, list]:
        """All events of the log, by order, with their versions checked."""
        found: dict[str, list] = {}
        async with KafkaLog(self.settings) as log:
            for partition in range(4):
                end = await log.end(partition)
                async for batch in log.read(partition, 0, end):
                    for record in batch.records:
                        if is_event(record.key):
                            event = decode(record)
                            found.setdefault(event.order_id, []).append(event)
        for events in found.values():
            assert [event.version for event in events] == list(range(1, len(events) + 1))
        return found


@pytest.fixture
async def cluster(log_settings, tmp_path) -> AsyncIterator[Cluster]:
    async with httpx2.AsyncClient(timeout=30) as client:
        cluster = Cluster(log_settings, tmp_path, client)
        yield cluster
        for node in list(cluster.nodes):
            if node.process.returncode is None:
                await cluster.end(node, signal.SIGKILL)
