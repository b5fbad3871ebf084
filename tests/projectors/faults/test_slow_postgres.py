"""Postgres is slow: the projectors read no more than their queues hold, and the log goes on."""

import signal
import time

import pytest

from projectors.feed import QUEUE_BATCHES_MAX
from projectors.folding import Decoded
from tests.projectors.checking import Exact, look

EVENTS_MAX = 10
SLOW = """
CREATE FUNCTION read_models.slow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END $$
"""
SLOWLY = """
CREATE TRIGGER slow BEFORE INSERT ON read_models.timeline_g1
FOR EACH STATEMENT EXECUTE FUNCTION read_models.slow()
"""


def held(projector) -> list[int]:
    """Return how many events each queue holds."""
    return [
        sum(len(one.records) for one in list(feed._queue._queue) if isinstance(one, Decoded))
        for feed in projector.live._feeds
    ]


@pytest.mark.usefixtures("live_tables")
async def test_a_slow_postgres_holds_the_reader_up_and_nobody_else(
    facts, projecting, connection, owner
):
    await facts.happen(50)
    started = time.monotonic()
    await facts.happen(50)
    usual_s = time.monotonic() - started
    await owner.execute(SLOW)
    await owner.execute(SLOWLY)
    async with projecting(events_max=EVENTS_MAX) as projector:
        most, slowest_s, exact = 0, 0.0, Exact()
        for _ in range(6):
            started = time.monotonic()
            await facts.happen(50)
            slowest_s = max(slowest_s, time.monotonic() - started)
            exact.require(await look(connection), facts.decoded())
            most = max([most, *held(projector)])
        late = await look(connection)

        async def is_full() -> bool:
            return sum(held(projector)) > 0

        await projector.until(is_full, "what is read waits")
        await owner.execute("DROP TRIGGER slow ON read_models.timeline_g1")
        await projector.reach()

    assert late.at["timeline"] != facts.ends()
    assert most <= QUEUE_BATCHES_MAX * EVENTS_MAX
    assert slowest_s < 10 * usual_s + 1, "commands have nothing to do with it"
    exact.require(await look(connection), facts.decoded())


async def test_a_postgres_that_stands_still_for_a_while_is_waited_for(
    facts, projecting_there, patient, server
):
    """SIGSTOP for all of its processes; nobody gets an answer, and no connection breaks."""
    await facts.happen(30)
    async with projecting_there() as projector:
        await projector.reach()
        server.signal(signal.SIGSTOP)
        try:
            await facts.happen(40)
        finally:
            server.signal(signal.SIGCONT)
        await projector.reach()

    Exact().require(await patient.look(), facts.decoded())
