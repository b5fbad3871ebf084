"""Three brokers, a key store, three command nodes: each can be killed, paused, started again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import httpx2

from domain.events import NoteAdded, Recorded
from eventlog.codec import decode, is_event, ownership_epoch
from eventlog.kafka import KafkaLog
from eventlog.topics import Topics
from migrations import upgrade
from personal_data.postgres import PostgresKeys
from personal_data.sealing import opened
from runtime.embedded.child import Child, free_port
from runtime.embedded.kafka_cluster import KafkaCluster, kafka_cluster
from runtime.embedded.postgres import postgres, remove
from runtime.embedded.roles import ensure_logins, ensure_owner
from runtime.settings import LogSettings

from .checkers import Log, Owner

NODES, PARTITIONS = 3, 6
SESSION_MS = 6_000
_HEAL_S = 300


@dataclass
class World:
    """A context manager; everything that runs in it ends with it."""

    folder: Path
    cluster: KafkaCluster = field(init=False)
    keys: Child = field(init=False)
    nodes: list[Child] = field(init=False)
    urls: list[str] = field(init=False)
    settings: LogSettings = field(init=False)
    _keys_url: str = field(init=False)

    async def __aenter__(self) -> Self:
        self.cluster = await asyncio.to_thread(kafka_cluster, self.folder / "kafka")
        self.settings = LogSettings(
            kafka_bootstrap=self.cluster.bootstrap,
            partitions=PARTITIONS,
            replication_factor=3,
            min_insync_replicas=2,
            request_timeout_ms=10_000,
        )
        self.nodes = []
        keys_port = free_port()
        self.keys, credentials = postgres(self.folder / "postgres", keys_port)
        try:
            await asyncio.to_thread(self.cluster.start)
            await asyncio.to_thread(self.keys.start)
            owner = await ensure_owner(keys_port, credentials)
            await asyncio.to_thread(upgrade, owner)
            self._keys_url = (await ensure_logins(keys_port, credentials))["command"]
            await asyncio.to_thread(Topics(self.settings).ensure)
            ports = [free_port() for _ in range(NODES)]
            self.urls = [f"http://127.0.0.1:{port}" for port in ports]
            self.nodes = [self._node(port) for port in ports]
            await asyncio.gather(*(asyncio.to_thread(node.start) for node in self.nodes))
            await self.until_served()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in (*self.nodes, *self.cluster.brokers):
            if child.is_running():
                child.process.send_signal(signal.SIGCONT)
                child.process.kill()
                child.process.wait()
        await asyncio.to_thread(self.keys.stop)
        remove(self.folder / "postgres")

    def _node(self, port: int) -> Child:
        environment = {
            "ORDERLOG_KAFKA_BOOTSTRAP": self.cluster.bootstrap,
            "ORDERLOG_KEYS_DATABASE_URL": self._keys_url,
            "ORDERLOG_REPLICATION_FACTOR": "3",
            "ORDERLOG_MIN_INSYNC_REPLICAS": "2",
            "ORDERLOG_GROUP_SESSION_TIMEOUT_MS": str(SESSION_MS),
            "ORDERLOG_GROUP_HEARTBEAT_MS": "300",
            "ORDERLOG_SNAPSHOT_INTERVAL_MS": "2000",
            "ORDERLOG_REQUEST_TIMEOUT_MS": "10000",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        return Child(
            name=f"node-{port}",
            command=[sys.executable, "-m", "cli.main", "serve", "command", "--port", str(port)],
            log_file=self.folder / f"node-{port}.log",
            is_ready=lambda: _answers(f"http://127.0.0.1:{port}/livez"),
            environment={**os.environ, **environment},
            start_s=120,
        )

    async def until_served(self) -> None:
        """Wait until every partition has one owner that serves it."""
        async with asyncio.timeout(_HEAL_S), httpx2.AsyncClient(timeout=5) as http:
            while True:
                served: list[str] = []
                for url in self.urls:
                    try:
                        checks = (await http.get(f"{url}/readyz")).json()["dependencies"]
                    except (httpx2.HTTPError, ValueError, KeyError):
                        continue
                    served += [name for name, said in checks.items() if said == "ok"]
                if sorted(served) == [f"partition {number}" for number in range(PARTITIONS)]:
                    return
                await asyncio.sleep(0.2)

    async def log(self) -> Log:
        """Read everything that is committed."""
        found = Log([], [])
        async with KafkaLog(self.settings) as log:
            for partition in range(PARTITIONS):
                end = await log.end(partition)
                async for batch in log.read(partition, 0, end):
                    for record in batch.records:
                        if is_event(record.key):
                            found.events.append(decode(record))
                        else:
                            epoch = ownership_epoch(record)
                            found.owners.append(Owner(partition, record.offset, epoch))
        return Log(await self._in_the_clear(found.events), found.owners)

    async def _in_the_clear(self, events: list[Recorded]) -> list[Recorded]:
        """Return the events with their notes opened, so that the rules can judge plain commands."""
        store = PostgresKeys(self._keys_url, _HEAL_S, "orderlog_command")
        async with store.opened():
            keys = await store.found({event.order_id for event in events})
        return [
            one._replace(event=replace(one.event, text=json.loads(_note(keys, one))))
            if isinstance(one.event, NoteAdded)
            else one
            for one in events
        ]


def _note(keys: Mapping[str, bytes], recorded: Recorded) -> bytes:
    return opened(keys[recorded.order_id], recorded.event.text)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).is_success
    except httpx2.HTTPError:
        return False
