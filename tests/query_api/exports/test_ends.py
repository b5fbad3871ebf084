"""An export that is under way, and the end of its process or of its client, for real."""

import asyncio
import os
import signal
import sys

import pytest

from audit.access.topic import trail_of
from domain.events import NoteAdded
from domain.values import Actor
from eventlog import codec
from eventlog.log import Record
from eventlog.partitioner import partition_of
from runtime.embedded.child import free_port
from runtime.settings import LogSettings

RUN = "import sys; from query_api.app import run; sys.exit(run())"
ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
NOTES = 160
NOTE = "n" * 200_000
DEADLINE_S = 30


@pytest.fixture
async def heavy(kafka_log) -> None:
    """An order with 32 MB of notes: more than any socket takes that nobody reads."""
    partition = partition_of(ORDER, 4)
    appender = await kafka_log.open_appender(partition)
    prev_hash = codec.FIRST_PREV_HASH
    for first in range(1, NOTES + 1, 4):
        records = []
        for version in range(first, first + 4):
            envelope = codec.Envelope(
                **dict.fromkeys(("event_id", "tenant_id", "command_id"), "x"),
                **dict.fromkeys(("correlation_id", "causation_id", "reason"), "x"),
                **dict.fromkeys(("occurred_at_us", "recorded_at_us"), 1_790_000_000_000_000),
                order_id=ORDER,
                version=version,
                fingerprint=bytes(32),
                prev_hash=prev_hash,
                command_index=0,
                command_size=1,
                actor=Actor("user", "u-1"),
            )
            value = codec.encode(envelope, NoteAdded(f"n-{version}", NOTE))
            prev_hash = codec.event_hash(value)
            records.append(Record(codec.event_key(ORDER, version), value))
        await appender.append(records)
    await appender.close()
    async with asyncio.timeout(DEADLINE_S):
        while await kafka_log.end(partition) < NOTES:  # The last marker may be on its way.
            await asyncio.sleep(0.01)


@pytest.fixture
async def process(heavy, database_url, log_settings: LogSettings):
    """The query API as a process of its own: (process, port)."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        env={
            **os.environ,
            "ORDERLOG_DATABASE_URL": database_url,
            "ORDERLOG_QUERY_PORT": str(port),
            "ORDERLOG_KAFKA_BOOTSTRAP": log_settings.kafka_bootstrap,
            "ORDERLOG_KAFKA_TOPIC": log_settings.kafka_topic,
            "ORDERLOG_ENVIRONMENT": log_settings.environment,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    yield process, port
    if process.returncode is None:
        process.kill()
        await process.wait()


async def begun(port: int, query: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for an export and read its beginning."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.02)
        writer.write(f"GET /v1/audit/export{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(1_000)
    return reader, writer


async def ended(log_settings: LogSettings) -> dict:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            entries = (await trail_of(log_settings)).entries
            if entries and entries[0]["state"] != "begun":
                return entries[0]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("query", ["", "?archive=tar"])
async def test_the_process_ends_in_order_while_a_client_reads_nothing(
    process, log_settings: LogSettings, query
):
    running, port = process
    _, writer = await begun(port, query)

    running.send_signal(signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_S):
        _, stderr = await running.communicate()
    writer.close()

    assert running.returncode == 0, stderr.decode()
    assert b"Traceback" not in stderr
    access = await ended(log_settings)
    assert access["state"] == "cut"


async def test_a_client_that_goes_away_stops_the_export(process, log_settings: LogSettings):
    running, port = process
    _, writer = await begun(port, "")

    writer.close()

    access = await ended(log_settings)
    assert access["state"] == "cut"
    assert 0 < access["events"] < NOTES
    assert running.returncode is None
