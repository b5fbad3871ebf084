"""The OpenAPI document and the API agree, whatever is sent: generated requests, every check."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest

from command_api.app import create_app
from domain.decide import DECIDER
from eventlog.memory import MemoryLog
from eventlog.ownership import Partitions
from personal_data.keys import MemoryKeys
from runtime.serving import server
from runtime.settings import CommandSettings, LogSettings

DEADLINE_S = 240
CONFIGURATION = """
# The rules of an order say no to many a request that the schema allows.
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/v1/commands"
# A batch is answered 200, and each command in it with its own status.
checks.negative_data_rejection.enabled = false
"""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve over a log in memory."""

    @asynccontextmanager
    async def open_partitions(_peers) -> AsyncIterator[Partitions]:
        async with await Partitions.open(
            MemoryLog(), DECIDER, settings=LogSettings(), node="test"
        ) as partitions:
            await partitions.wait_ready(DEADLINE_S)
            yield partitions

    keys = MemoryKeys()
    app = create_app(open_partitions, CommandSettings(), lambda: nullcontext(keys))
    running = server(app, "127.0.0.1", 0)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(DEADLINE_S):
        while not running.started:
            await asyncio.sleep(0.005)
    yield running.servers[0].sockets[0].getsockname()[1]
    running.should_exit = True
    await task


async def test_generated_requests_find_no_fault(port, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    fuzzing = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"http://127.0.0.1:{port}/openapi.json",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=20",
        "--seed=20261127",
        "--no-color",
        "--generation-database=none",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        printed, _ = await fuzzing.communicate()

    assert fuzzing.returncode == 0, printed.decode()
