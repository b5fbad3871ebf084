"""The real writer under kills, takeovers, zombies and every fault of an append, by seed.

ORDERLOG_TEST_SEEDS=2000 runs more; a failure names its seed, and the seed brings it back.
"""

import asyncio
import os

import pytest

from domain.errors import Refused
from eventlog import writer
from eventlog.deciding import settled
from eventlog.memory import Fault
from eventlog.state.staging import Staging
from eventlog.submission import Outcome

from .checkers import ViolatedError, check
from .world import KILLS, SlowLog, World

SEEDS = int(os.environ.get("ORDERLOG_TEST_SEEDS", "60"))
CANARY_SEEDS = 300
PATIENCE_S = 300  # Of simulated time; a run takes about 10.


def lived(simulate, seed: int, make_log=SlowLog):
    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await World(seed, make_log).live()

    return simulate(main)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_guarantee_holds(simulate, seed):
    run = lived(simulate, seed)

    events = check(run)
    assert events > 5
    assert run.kills == KILLS
    answers = [answer for asked in run.asked for answer in asked.answers]
    assert any(isinstance(answer, Outcome) for answer in answers)
    assert any(isinstance(answer, Refused) for answer in answers)


def test_a_seed_gives_the_same_history_again(simulate):
    def stored():
        log = lived(simulate, 7).log
        return [log.records(0), log.records(1)]

    assert stored() == stored()


def test_the_seeds_reach_what_they_are_for(simulate):
    """Faults, takeovers and answers that were found in the log, all of them and often."""
    runs = [lived(simulate, seed) for seed in range(10)]

    assert sum(run.faults for run in runs) > 50
    answers = [answer for run in runs for asked in run.asked for answer in asked.answers]
    assert sum(getattr(answer, "replayed", False) for answer in answers) > 20


class Unfenced(SlowLog):
    """Lets an old owner go on."""

    def is_current(self, _partition: int, _epoch: int) -> bool:
        return True


class LateAfterAll(SlowLog):
    """Finishes what was decided only after the next owner has read the log."""

    async def open_appender(self, partition: int):
        late, self._late[partition] = self._late[partition], []
        appender = await super().open_appender(partition)
        if late:
            asyncio.get_running_loop().call_later(0.5, self.commit, partition, late)
        return appender


def is_caught(simulate, make_log=SlowLog) -> bool:
    for seed in range(CANARY_SEEDS):
        try:
            check(lived(simulate, seed, make_log))
        except (
            ViolatedError,
            TimeoutError,
        ):  # Halted partitions answer nobody: that is noticing too.
            return True
    return False


@pytest.mark.parametrize("broken", [Unfenced, LateAfterAll])
def test_the_checkers_notice_a_log_that_breaks_its_contract(simulate, broken):
    assert is_caught(simulate, broken)


def test_the_checkers_notice_an_owner_that_reads_before_it_fences(simulate, monkeypatch):
    async def acquire(self) -> None:
        log, partition, state = self._log, self.partition, self._state
        await state.catch_up(log, await log.end(partition))
        self._appender = await log.open_appender(partition)
        state.next_offset = await log.end(partition)
        await self._append([state.mark("n", 0)])
        self.health = "serving"

    monkeypatch.setattr(writer.PartitionWriter, "_acquire", acquire)

    assert is_caught(simulate)


def test_the_checkers_notice_refusals_from_memory(simulate, monkeypatch):
    async def confirm(_) -> None:
        """Trust in being the owner."""

    monkeypatch.setattr(writer.PartitionWriter, "_confirm", confirm)

    assert is_caught(simulate)


def test_the_checkers_notice_answers_before_the_commit(simulate, monkeypatch):
    decide_queued = writer.PartitionWriter._decide_queued

    def hasty(self, group, staging):
        decisions, records = decide_queued(self, group, staging)
        for waiting, decision in zip(group, decisions, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(decision.answer)
        return decisions, records

    monkeypatch.setattr(writer.PartitionWriter, "_decide_queued", hasty)

    assert is_caught(simulate)


def test_the_checkers_notice_staged_state_that_is_published_early(simulate, monkeypatch):
    """The next group is then decided on events that may never have been committed."""

    async def commit_group(self, group) -> None:
        staging = Staging(self._state.streams)
        decisions, records = self._decide_queued(group, staging)
        staging.publish(self._state.next_offset)
        if records:
            await self._append(records)
        else:
            await self._confirm()
        for waiting, decision in zip(group, decisions, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(settled(decision.answer, self._state.streams))
        group.clear()

    monkeypatch.setattr(writer.PartitionWriter, "_commit_group", commit_group)

    assert is_caught(simulate)


def test_the_faults_are_all_in_use(simulate):
    seen = set()

    class Watching(SlowLog):
        def __init__(self, rng, faults):
            super().__init__(rng, lambda partition: seen.add(f := faults(partition)) or f)

    for seed in range(5):
        lived(simulate, seed, Watching)

    assert seen == set(Fault)
