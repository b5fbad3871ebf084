"""Engine, feeds, parking, retries and rebuilds on a real Postgres, by seed; the log is in memory.

Histories, batches, crashes, lost commits, a rival, poison, retries and switches all come from the
seed. ORDERLOG_TEST_SEEDS=1000 runs more; a failure names its seed, and the seed brings it back.
"""

import logging
import os
from collections import Counter

import pytest
import structlog

from projectors import checkpoints
from projectors.engine import Engine, _step
from projectors.feed import Feed
from projectors.parked.parking import Parking
from projectors.replay.built import ParityFailed

from .checking import ViolatedError
from .simulation import World

SEEDS = int(os.environ.get("ORDERLOG_TEST_SEEDS", "16"))
CANARY_SEEDS = 60
REACHED = {
    *("cut before", "cut after", "standby", "GenerationChanged", "rogue CheckpointTaken"),
    *("left parked", "taken up", "discarded", "built", "switched", "rolled back"),
}


@pytest.fixture(autouse=True)
def _quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def lived(database_settings, owner, monkeypatch):
    """Answer `await lived(seed)`: what the seed has come across."""

    async def live(seed: int, **temper: float) -> Counter[str]:
        with monkeypatch.context() as patch:
            world = World(seed, database_settings, owner, patch, **temper)
            await world.live()
        return world.reached

    return live


async def test_rows_and_parked_orders_are_exact_after_every_step(lived):
    """All seeds share one database, which saves time; together they reach what they are for."""
    reached: Counter[str] = Counter()
    for seed in range(SEEDS):
        try:
            reached += await lived(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise

    assert reached.keys() >= REACHED


@pytest.fixture
def is_caught(lived):
    async def ask(**temper: float) -> bool:
        for seed in range(CANARY_SEEDS):
            try:
                await lived(seed, **temper)
            except (ViolatedError, ParityFailed):  # The gate of a rebuild notices too.
                return True
        return False

    return ask


async def test_a_checkpoint_that_anybody_may_move_is_caught(is_caught, monkeypatch):
    careless = checkpoints._ADVANCE.replace("AND c.next_offset = m.old", "")
    assert careless != checkpoints._ADVANCE
    monkeypatch.setattr(checkpoints, "_ADVANCE", careless)

    assert await is_caught()


async def test_a_parked_order_whose_later_events_are_forgotten_is_caught(is_caught, monkeypatch):
    save = Parking.save

    async def forgetful(self, *arguments) -> None:
        self.waiting.clear()
        await save(self, *arguments)

    monkeypatch.setattr(Parking, "save", forgetful)

    assert await is_caught()


async def test_a_checkpoint_in_another_transaction_than_its_rows_is_caught(is_caught, monkeypatch):
    async def apart(self, connection, moves, batch) -> None:
        async with connection.transaction():
            await checkpoints.advance(connection, self.place, [_step(move) for move in moves])
        async with connection.transaction():
            await self.write(connection, [item for m in moves for item in m.records], batch)
            await batch.save(connection, self.place, self.parked_max)

    monkeypatch.setattr(Engine, "_transact", apart)

    assert await is_caught()


async def test_a_lost_answer_after_which_nobody_asks_what_was_parked_is_caught(
    is_caught, monkeypatch
):
    async def trusting(self, connection, moves) -> bool:
        found = await checkpoints.load(connection, self._engine.place)
        return all(found[move.partition] == move.new for move in moves)

    monkeypatch.setattr(Feed, "_is_done", trusting)

    assert await is_caught(cuts=0.6, poison=0.15)
