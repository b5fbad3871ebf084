"""The OpenAPI document and the API agree, whatever is sent: generated requests, every check."""

import asyncio
import sys

import pytest

from domain import commands
from tests.audit.conftest import Writer

DEADLINE_S = 240


@pytest.fixture
async def api(serve, shop, kafka_log, log_settings):
    """With a log, too, for the audit export."""
    await Writer().write(kafka_log, 6)
    async with serve(log=log_settings) as api:
        yield api


async def test_generated_requests_find_no_fault(api, shop, tmp_path):
    for customer_id in ("c-1", "c-2"):
        order_id = shop.place(customer_id)
        shop.do(order_id, commands.Accept())
    await shop.project()

    fuzzing = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"http://127.0.0.1:{api.port}/openapi.json",
        "--phases=examples,coverage,fuzzing",
        "--checks=all",
        # Positions and cursors are opaque: no schema tells which ones this service gave.
        "--exclude-checks=positive_data_acceptance",
        "--max-examples=20",
        "--seed=20261127",
        "--exclude-path-regex=/stream$",
        "--no-color",
        "--generation-database=none",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        printed, _ = await fuzzing.communicate()

    assert fuzzing.returncode == 0, printed.decode()
