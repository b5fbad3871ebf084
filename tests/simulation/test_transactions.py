"""The real writer and the real appender on the old protocol of transactions, by seed.

Requests are lost, answers are lost, and late copies arrive: also of a commit, while the next
transaction is open. ORDERLOG_TEST_SEEDS=2000 runs more.
"""

import asyncio
import os

import pytest

from eventlog.memory import Fault
from eventlog.transactions.appender import KafkaAppender

from .checkers import ViolatedError, check
from .coordinator import CONCURRENT_S, OldProtocolLog
from .world import World

SEEDS = int(os.environ.get("ORDERLOG_TEST_SEEDS", "20"))
CANARY_SEEDS = 300
PATIENCE_S = 300
LATE = "a late commit met the next transaction"


class Unverified(OldProtocolLog):
    """As brokers before Kafka 3.6: a record may be appended without a transaction."""

    verifies = False


class Again(Unverified):
    """Every sixth request seems lost, arrives later on, and is sent again meanwhile."""

    tries = 3

    def __init__(self, rng, _faults) -> None:
        super().__init__(rng, lambda _: Fault.LATE if rng.random() < 1 / 6 else Fault.NONE)


class Unfenced(OldProtocolLog):
    """Lets an old producer go on."""

    has_epochs = False


def lived(simulate, seed: int, make_log=OldProtocolLog):
    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await World(seed, make_log).live()

    return simulate(main)


@pytest.mark.parametrize("make_log", [OldProtocolLog, Unverified])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_guarantee_holds_under_the_old_protocol(simulate, seed, make_log):
    run = lived(simulate, seed, make_log)

    assert check(run) > 5
    assert LATE not in run.log.reached


def test_the_seeds_reach_what_they_are_for(simulate):
    reached: set[str] = set()
    for seed in range(15):
        reached |= set(lived(simulate, seed).log.reached)

    assert reached == {"concurrent transactions", "came late", "came too late"}


def is_caught(simulate, make_log) -> bool:
    for seed in range(CANARY_SEEDS):
        try:
            check(lived(simulate, seed, make_log))
        except (ViolatedError, TimeoutError):  # A partition that answers nobody is noticed too.
            return True
    return False


def test_a_producer_that_sends_a_commit_again_is_caught(simulate):
    assert is_caught(simulate, Again)


def test_a_producer_that_is_not_fenced_is_caught(simulate):
    assert is_caught(simulate, Unfenced)


def test_a_commit_that_does_not_wait_for_its_records_is_caught(simulate, monkeypatch):
    async def hasty(self, records, topic) -> int:
        delivery = asyncio.ensure_future(self._producer.send(topic, self._partition, records))
        delivery.add_done_callback(lambda done: done.exception())
        first = len(self._producer._log.places[self._partition].entries)
        await asyncio.sleep(CONCURRENT_S)
        await self._producer.end()
        return first

    monkeypatch.setattr(KafkaAppender, "_transaction", hasty)

    assert is_caught(simulate, OldProtocolLog)
