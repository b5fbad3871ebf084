"""A log and a database as an earlier release left them, and processes of this one before them."""

import asyncio
import gzip
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from sqlalchemy.engine import make_url

from eventlog.kafka import KafkaLog
from eventlog.log import Record
from runtime.embedded.child import free_port
from runtime.settings import LogSettings

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RELEASES = sorted(GOLDEN.glob("*/stack"))
DEADLINE_S = 60


def read(release: Path, name: str) -> str:
    return gzip.decompress((release / f"{name}.gz").read_bytes()).decode()


@dataclass
class Old:
    """What a release left: what it was sent, and what it answered then; and verbs of this one."""

    sent: list[dict[str, Any]]
    answers: dict[str, Any]
    environment: dict[str, str]
    client: httpx2.AsyncClient
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *words: str, **more: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *words),
            env={**os.environ, **self.environment, **more},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.running.append(process)
        return process

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Run a verb to its end; return exit code, output and errors."""
        process = await self.start(*words)
        async with asyncio.timeout(DEADLINE_S):
            out, errors = await process.communicate()
        self.running.remove(process)
        return process.returncode, out.decode(), errors.decode()

    async def serve(self, *words: str, variable: str, **more: str) -> str:
        """Start a process that serves on a free port; return its address once it answers."""
        port = free_port()
        process = await self.start(*words, **{variable: str(port)}, **more)
        url = f"http://127.0.0.1:{port}"

        async def answers() -> bool:
            assert process.returncode is None, (await process.communicate())[1].decode()
            try:
                return (await self.client.get(f"{url}/livez")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(answers)
        return url

    async def dependencies(self, url: str) -> dict[str, str]:
        return (await self.client.get(f"{url}/readyz")).json()["dependencies"]

    async def until_ready(self, url: str) -> None:
        async def is_ready() -> bool:
            return (await self.client.get(f"{url}/readyz")).status_code == 200

        await eventually(is_ready)

    async def end(self) -> None:
        for process in self.running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(process.communicate() for process in self.running))


async def eventually(condition: Callable) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.05)


@pytest.fixture(params=RELEASES, ids=lambda release: release.parent.name)
def release(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
async def old_log(release: Path, log_settings: LogSettings) -> LogSettings:
    """The topic again, record by record at the same offsets, one transaction for each then."""
    lines = [json.loads(line) for line in read(release, "log.jsonl").splitlines()]
    async with KafkaLog(log_settings) as log:
        for partition, of_partition in groupby(lines, lambda line: line["partition"]):
            appender = await log.open_appender(partition)
            # Within a transaction offsets follow each other; its marker takes the one after it.
            for _, group in groupby(
                enumerate(of_partition), lambda pair: pair[1]["offset"] - pair[0]
            ):
                records = [line for _, line in group]
                first = await appender.append(
                    [Record(one["key"].encode(), bytes.fromhex(one["value"])) for one in records]
                )
                assert first == records[0]["offset"]
            await appender.close()
    return log_settings


@pytest.fixture
async def old_database(
    release: Path,
    old_log: LogSettings,
    postgres_url: str,
    template: str,
    drop_database: Callable[[str], None],
) -> AsyncIterator[str]:
    """The database again, of the topic that was made again. Its roles are those of `template`."""
    name = f"old_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"CREATE DATABASE {name}")
    url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    restored = await asyncpg.connect(url)
    await restored.execute(read(release, "database.sql"))
    async with KafkaLog(old_log) as log:
        identity = await log.identity()
    await restored.execute(
        "UPDATE orderlog.log_identity SET cluster_id = $1, topic = $2, topic_id = $3",
        *(identity.cluster_id, identity.topic, identity.topic_id),
    )
    await restored.close()
    yield url
    await owner.close()
    await asyncio.to_thread(drop_database, name)


@pytest.fixture
async def old(release: Path, old_log: LogSettings, old_database: str) -> AsyncIterator[Old]:
    environment = {
        "ORDERLOG_KAFKA_BOOTSTRAP": old_log.kafka_bootstrap,
        "ORDERLOG_KAFKA_TOPIC": old_log.kafka_topic,
        "ORDERLOG_ENVIRONMENT": old_log.environment,
        "ORDERLOG_DATABASE_URL": old_database,
        "ORDERLOG_KEYS_DATABASE_URL": old_database,
        "ORDERLOG_HEARTBEAT_MS": "100",
    }
    async with httpx2.AsyncClient(timeout=30) as client:
        old = Old(
            json.loads(read(release, "sent.json")),
            json.loads(read(release, "answers.json")),
            environment,
            client,
        )
        try:
            yield old
        finally:
            await old.end()
