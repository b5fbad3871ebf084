"""`kill -9` in the middle of its work, again and again: nothing is lost, nothing comes twice."""

import asyncio
import random
import signal

from .running import at

KILLS = 4
SEED = 1
PATIENCE_S = 40


async def test_a_process_that_is_killed_again_and_again_leaves_exact_rows(
    facts, start, projecting, served, expected, connection
):
    """It applies three events at a time here, so that it is always in the middle of something."""
    rng = random.Random(SEED)
    await facts.happen(250)

    async def done() -> int:
        return sum(sum(offsets.values()) for offsets in (await at(connection)).values())

    for _ in range(KILLS):
        goal = await done() + rng.randint(1, 60)
        process = start("project")
        async with asyncio.timeout(PATIENCE_S):
            while await done() < goal:
                assert process.poll() is None, process.communicate()
                await asyncio.sleep(rng.random() / 500)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        below = await at(connection)
        await facts.happen(20)
    assert any(below[name] != facts.ends() for name in below)

    async with projecting() as projector:
        await projector.reach()

    assert await served() == expected(facts.decoded())


async def test_a_process_that_is_told_to_end_finishes_in_order(facts, start, connection):
    await facts.happen(20)
    process = start("project")
    async with asyncio.timeout(PATIENCE_S):
        while not await at(connection):
            assert process.poll() is None, process.communicate()
            await asyncio.sleep(0.01)

    process.terminate()

    assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0
