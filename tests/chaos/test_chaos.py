"""The short form of `make chaos`: one fault of each kind that takes seconds, and every checker.

Three brokers, three nodes and the clients want a machine to themselves, so `make test` asks for it
after everything else: ORDERLOG_TEST_CHAOS=1.
"""

import asyncio
import os

import pytest

from .nemesis import Nemesis
from .run import live

SEED = 7
FAULTS = (
    "node-kill",
    "broker-kill",
    "coordinator-kill",
    "node-pause",
    "two-of-three-down",
    "broker-pause",
)


@pytest.mark.skipif("ORDERLOG_TEST_CHAOS" not in os.environ, reason="ORDERLOG_TEST_CHAOS=1 runs it")
@pytest.mark.timeout(600)
async def test_every_guarantee_holds_on_three_brokers_and_three_nodes(tmp_path):
    async def faults(nemesis: Nemesis) -> None:
        for kind in FAULTS:
            await nemesis.inject(kind)
            await asyncio.sleep(1)

    said: list[str] = []
    report = await live(tmp_path, SEED, 8, faults, said.append)

    assert report.wrong == [], report.lines()
    assert report.in_blackout == 0
    assert report.injected == dict.fromkeys(FAULTS, 1)
    assert report.acknowledged > 50
    assert report.refused > 0
    assert any("two-of-three-down" in line for line in said)
