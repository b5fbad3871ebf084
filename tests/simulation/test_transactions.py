"""The real writer and the real appender on the old protocol of transactions, by seed.

Requests are lost, answers are lost, and late copies arrive: also of a commit, while the next
transaction is open. ORDERLOG_TEST_SEEDS=2000 runs more.
"""

import asyncio
import os

import pytest

from eventlog import kafka
from eventlog.kafka import KafkaAppender
from eventlog.memory import Fault

from .checkers import ViolatedError, check
from .coordinator import OldProtocolLog
from .world import World

SEEDS = int(os.environ.get("ORDERLOG_TEST_SEEDS", "20"))
CANARY_SEEDS = 300
PATIENCE_S = 300
LATE = "a late commit met the next transaction"


class Unverified(OldProtocolLog):
    """As brokers before Kafka 3.6: a record may be appended without a transaction."""

    verifies = False


class Late(Unverified):
    """Every sixth request seems lost, and arrives later on."""

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

    assert reached == {"concurrent transactions", "produced again", "committed again"}


def is_caught(simulate, make_log) -> bool:
    for seed in range(CANARY_SEEDS):
        try:
            check(lived(simulate, seed, make_log))
        except (ViolatedError, TimeoutError):  # A partition that answers nobody is noticed too.
            return True
    return False


def test_a_producer_that_goes_on_after_a_slow_commit_is_caught(simulate, monkeypatch):
    init = KafkaAppender.__init__

    def trusting(self, *arguments) -> None:
        init(self, *arguments)
        self._slow_s = float("inf")

    monkeypatch.setattr(KafkaAppender, "__init__", trusting)

    assert is_caught(simulate, Late)


def test_a_producer_that_is_not_fenced_is_caught(simulate):
    assert is_caught(simulate, Unfenced)


def test_a_commit_that_does_not_wait_for_its_records_is_caught(simulate, monkeypatch):
    async def hasty(self, records, topic) -> int:
        batch = self._producer.create_batch()
        for one in records:
            batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers))
        await self._producer.begin_transaction()
        delivery = await self._producer.send_batch(batch, topic, partition=self._partition)
        delivery.add_done_callback(lambda done: done.exception())
        first = len(self._producer._log.places[self._partition].entries)
        await asyncio.sleep(kafka.BETWEEN_TRANSACTIONS_S)
        await self._producer.commit_transaction()
        return first

    monkeypatch.setattr(KafkaAppender, "_transaction", hasty)

    assert is_caught(simulate, OldProtocolLog)
