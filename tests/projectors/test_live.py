"""The live projector on a real Kafka and Postgres: whatever happens, the rows are the log's."""

import asyncio
import os
import signal
import subprocess
import sys

import asyncpg

from eventlog.log import Record
from projectors.read_models import PROJECTIONS

from .conftest import at


async def is_exact(facts, served, expected) -> bool:
    return await served() == expected(await facts.decoded())


async def test_the_rows_are_what_the_functions_make_of_the_log(facts, projecting, served, expected):
    await facts.happen(80)

    async with projecting() as projector:
        await projector.reach()

    assert await is_exact(facts, served, expected)


async def test_what_happens_while_it_runs_is_applied(facts, projecting, served, expected):
    async with projecting() as projector:
        for _ in range(5):
            await facts.happen(15)
        await projector.reach()

    assert await is_exact(facts, served, expected)


async def test_a_restart_goes_on_at_the_checkpoint(facts, projecting, served, expected):
    for _ in range(3):
        await facts.happen(25)
        async with projecting() as projector:
            await projector.reach()

    assert await is_exact(facts, served, expected)


async def test_an_aborted_transaction_is_never_projected(facts, projecting, served, expected):
    await facts.happen(10)
    partition, records = facts.histories.groups(1)[0]
    await facts.leave_open(partition, Record(records[0].key, b"never committed"))

    async with projecting() as projector:
        await facts.append(partition, records)
        await facts.happen(10)
        await projector.reach()

    assert await is_exact(facts, served, expected)


async def test_connections_that_are_cut_cost_nothing(
    facts, projecting, served, expected, connection, database_url
):
    owner = await asyncpg.connect(database_url)
    ours = connection.get_server_pid()
    try:
        async with projecting() as projector:
            for _ in range(4):
                await facts.happen(15)
                await owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), $1)",
                    ours,
                )
            await projector.reach()
    finally:
        await owner.close()

    assert await is_exact(facts, served, expected)


async def test_of_two_projectors_one_stands_by_until_the_other_ends(
    facts, projecting, served, expected
):
    async with projecting() as second:
        async with projecting() as first:
            await facts.happen(30)
            await first.reach()
        await facts.happen(30)
        await second.reach()

    assert await is_exact(facts, served, expected)


async def test_a_process_that_is_killed_again_and_again_leaves_exact_rows(
    facts, environment, projecting, served, expected, connection
):
    await facts.happen(250)
    kills = 0
    for _ in range(3):
        before = await at(connection)
        process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time
            [sys.executable, "-m", "cli.main", "project"], env=environment, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(40):
                while await at(connection) in ({}, before):
                    assert process.poll() is None, process.stderr.read().decode()
                    await asyncio.sleep(0.001)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills == 3

    async with projecting() as projector:
        await projector.reach()

    assert await is_exact(facts, served, expected)


async def test_every_projection_has_its_own_checkpoint(facts, projecting, connection):
    await facts.happen(10)
    one = PROJECTIONS["timeline"]

    async with projecting(projections=(one,)) as projector:

        async def is_there() -> bool:
            return (await at(connection)).get("timeline") == facts.ends()

        await projector.until(is_there, "the timeline alone")

    assert set(await at(connection)) == {"timeline"}
