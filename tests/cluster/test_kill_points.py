"""F01: a node that dies at any step of a takeover or of a commit loses and doubles nothing."""

import asyncio
import signal

import httpx2
import pytest

from .test_nodes import place

COMMANDS = 12
STARTING = ("fenced:2", "caught_up:2", "marked:2")
COMMITTING = ("decided:3", "begun:6", "delivered:6", "committed:6", "published:3")
DEADLINE_S = 60


async def until_ended(node) -> None:
    async with asyncio.timeout(DEADLINE_S):
        assert await node.process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("point", STARTING)
async def test_a_takeover_that_is_cut_off_is_done_again(cluster, point):
    dying = await cluster.start(ORDERLOG_FAILPOINTS=point)
    cluster.nodes.remove(dying)
    await until_ended(dying)

    node = await cluster.start()
    await cluster.until_shared()
    answers = [await place(cluster, node, f"k-{number}") for number in range(COMMANDS)]

    assert {answer.status_code for answer in answers} == {201}
    assert len(await cluster.stored()) == COMMANDS


@pytest.mark.parametrize("point", COMMITTING)
async def test_a_commit_that_is_cut_off_happened_whole_or_not_at_all(cluster, point):
    """The same keys, sent again to whoever lives, find out which, and make it so."""
    dying = await cluster.start(ORDERLOG_FAILPOINTS=point)
    await cluster.until_shared()
    acknowledged: dict[str, dict] = {}

    async def send(key: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while key not in acknowledged:
                try:
                    answer = await place(cluster, cluster.nodes[0], key)
                except (httpx2.TransportError, IndexError):
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code == 201:
                    acknowledged[key] = answer.json()
                else:
                    assert answer.status_code == 503, answer.text
                    await asyncio.sleep(0.1)

    load = [asyncio.create_task(send(f"k-{number}")) for number in range(COMMANDS)]
    await until_ended(dying)
    cluster.nodes.remove(dying)
    await cluster.start()
    await asyncio.gather(*load)

    stored = await cluster.stored()
    assert set(stored) == {answer["order_id"] for answer in acknowledged.values()}
    assert {len(events) for events in stored.values()} == {1}
    for answer in acknowledged.values():
        assert stored[answer["order_id"]][0].event_id == answer["events"][0]["event_id"]
