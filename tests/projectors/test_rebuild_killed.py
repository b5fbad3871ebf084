"""A rebuild that ends in the middle leaves the live rows alone, and the next one goes on."""

import asyncio
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from projectors import generations
from projectors.read_models import PROJECTIONS

from .running import DEADLINE_S, at

ORDERS = PROJECTIONS["orders"]
HELD = 3
TABLES = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'orders_g%' ORDER BY 1"
ONCE = ("rebuild", "--projection", "orders", "--workers", "2")


@pytest.fixture
async def projected(facts, projecting) -> None:
    await facts.happen(150)
    async with projecting() as projector:
        await projector.reach()


@pytest.fixture
async def halfway(projected, connection, owner, start, eventually) -> AsyncIterator:
    """A rebuild in a process of its own: it has built three partitions and waits at the fourth."""
    await generations.create(connection, ORDERS, 4)
    async with owner.transaction():
        await owner.execute(
            "SELECT 1 FROM orderlog.checkpoints WHERE generation = 2 AND partition = $1 FOR UPDATE",
            HELD,
        )
        process = start(*ONCE)

        async def is_halfway() -> bool:
            assert process.poll() is None, process.communicate()
            done = await connection.fetch(
                "SELECT partition FROM orderlog.checkpoints "
                "WHERE generation = 2 AND next_offset > 0"
            )
            waits = await connection.fetchval("SELECT bool_or(NOT granted) FROM pg_locks")
            return {row["partition"] for row in done} == {0, 1, 2} and waits

        await eventually(is_halfway, "three partitions are built")
        yield process


async def states(connection) -> dict[int, str]:
    rows = await connection.fetch(
        "SELECT generation, state FROM orderlog.generations WHERE projection = 'orders'"
    )
    return dict(map(tuple, rows))


async def tables(connection) -> list[str]:
    return [row["tablename"] for row in await connection.fetch(TABLES)]


async def test_killed_it_leaves_no_process_behind(halfway, eventually):
    """Its workers are waiting for the database here, and would wait for ever for more work."""
    workers = psutil.Process(halfway.pid).children(recursive=True)
    assert len(workers) >= 2

    halfway.kill()

    def are_gone() -> bool:
        return not any(psutil.pid_exists(worker.pid) and is_alive(worker) for worker in workers)

    await eventually(are_gone, "the workers are gone")


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_live_rows_are_untouched_and_a_second_run_works(
    halfway, connection, cli, is_exact, owner, number
):
    halfway.send_signal(number)
    await asyncio.to_thread(halfway.wait, DEADLINE_S)

    assert await states(connection) == {1: "live", 2: "building"}
    assert await is_exact()
    await owner.execute("COMMIT AND CHAIN")  # What held the rebuild up is over.
    done = await cli(*ONCE)
    assert done.exit_code == 0, done.output
    assert "generation 2 is live; equal to the one before" in done.stdout
    assert await states(connection) == {1: "previous", 2: "live"}
    assert await tables(connection) == ["orders_g1", "orders_g2"]
    assert await is_exact()


async def test_interrupted_it_says_so_and_exits_with_130(halfway):
    halfway.send_signal(signal.SIGINT)
    _, said = await asyncio.to_thread(halfway.communicate, timeout=DEADLINE_S)

    assert halfway.returncode == 130
    assert "interrupted; the same command goes on from here" in said


async def test_a_second_one_beside_it_is_refused(halfway, cli, connection):
    refused = await cli(*ONCE)

    assert refused.exit_code == 1
    assert "another rebuild of orders is running" in refused.stderr
    assert await states(connection) == {1: "live", 2: "building"}


async def test_projecting_goes_on_beside_it(halfway, facts, projecting, is_exact, connection):
    await facts.happen(40)

    async with projecting() as projector:
        await projector.reach()

    assert (await at(connection))["orders"] == facts.ends()
    assert await is_exact()
