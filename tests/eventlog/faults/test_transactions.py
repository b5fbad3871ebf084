"""What the network can do to a transaction, and what the owner makes of it (docs/faults.md)."""

import asyncio
import contextlib
import uuid

import pytest

from domain.commands import AddNote
from eventlog.submission import NotServing, Outcome, PartitionUnavailable

from .proxy import END_TXN, INIT_PRODUCER_ID, PRODUCE, end_txn_error, produce_error

SETTLED_S = 60
CODES = {"fenced, as old brokers say it": 47, "fenced": 90, "abortable": 120, "sequence": 45}
CODES["not in a transaction"] = 48


@pytest.fixture
def placed(submit_of, placing):
    """Answer `placed(key)`: a command that begins an order of its own."""
    return lambda key: submit_of(placing, key, str(uuid.uuid5(uuid.NAMESPACE_OID, key)))


async def answer(it, submission) -> Outcome:
    """Send until there is an answer, as a client does."""
    async with asyncio.timeout(SETTLED_S):
        while True:
            with contextlib.suppress(NotServing, PartitionUnavailable):
                return await it.partitions.submit(submission)
            await asyncio.sleep(0.05)


async def told_is_stored(it, outcomes: list[Outcome]) -> None:
    stored = {event.event_id for event in await it.stored()}
    told = {event.event_id for outcome in outcomes for event in outcome.events}
    assert told == stored


async def test_f04_a_late_commit_meets_a_new_producer(faulty, placed):
    """An EndTxn stays in the network, its connection breaks, and it comes late."""
    async with faulty() as it:
        late = it.proxy.rule(END_TXN, is_held=True, is_cut=True)
        first = await answer(it, placed("first"))
        producers = it.proxy.seen[INIT_PRODUCER_ID]
        next_commit = it.proxy.rule(END_TXN, is_held=True)
        second = asyncio.create_task(answer(it, placed("second")))
        async with asyncio.timeout(SETTLED_S):
            while not next_commit.hits:
                await asyncio.sleep(0.01)
        late.release.set()  # Between the produce of the next group and its commit.
        await asyncio.sleep(0.3)
        next_commit.release.set()
        outcomes = [first, await second]

        assert late.hits == 1
        assert it.writer.counts.doubts >= 1
        assert producers >= 2
        await told_is_stored(it, outcomes)


async def test_f06_a_lost_reply_to_a_commit_is_settled_from_the_log(faulty, placed):
    async with faulty() as it:
        lost = it.proxy.rule(END_TXN, is_lost=True)
        outcome = await answer(it, placed("k"))

        assert lost.hits == 1
        assert it.writer.counts.doubts == 1
        assert not outcome.replayed
        await told_is_stored(it, [outcome])


async def test_f07_a_commit_that_outlives_its_deadline_is_settled_from_the_log(faulty, placed):
    async with faulty(commit_deadline_ms=500) as it:
        held = it.proxy.rule(END_TXN, is_held=True)
        waits = asyncio.create_task(answer(it, placed("k")))
        async with asyncio.timeout(SETTLED_S):
            while it.writer.counts.doubts == 0:
                await asyncio.sleep(0.01)
        held.release.set()
        outcome = await waits

        assert held.hits == 1
        await told_is_stored(it, [outcome])


async def test_f08_a_produce_that_comes_after_its_transaction_is_refused(faulty, placed):
    async with faulty(commit_deadline_ms=500) as it:
        held = it.proxy.rule(PRODUCE, is_held=True)
        outcome = await answer(it, placed("k"))
        held.release.set()
        await asyncio.sleep(0.3)
        again = await answer(it, placed("next"))

        assert held.hits == 1
        await told_is_stored(it, [outcome, again])


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@pytest.mark.parametrize(("api", "alter"), [(END_TXN, end_txn_error), (PRODUCE, produce_error)])
async def test_t7_every_error_of_a_transaction_ends_in_a_new_producer(
    faulty, placed, api, alter, code
):
    async with faulty() as it:
        before = it.proxy.seen[INIT_PRODUCER_ID]
        wrong = it.proxy.rule(api, alter=alter(code))
        outcome = await answer(it, placed("k"))

        assert wrong.hits == 1
        assert it.proxy.seen[INIT_PRODUCER_ID] > before
        assert it.writer.counts.doubts >= 1
        await told_is_stored(it, [outcome])


async def test_t2_a_failed_produce_is_never_committed(faulty, placed):
    """Whatever was refused of a group, no EndTxn says that the rest shall stand."""
    async with faulty() as it:
        refused = it.proxy.rule(PRODUCE, alter=produce_error(10))
        before = it.proxy.seen[END_TXN]
        waits = asyncio.create_task(answer(it, placed("k")))
        async with asyncio.timeout(SETTLED_S):
            while it.writer.counts.doubts == 0:
                await asyncio.sleep(0.01)
            assert it.proxy.seen[END_TXN] == before
        outcome = await waits

        assert refused.hits == 1
        await told_is_stored(it, [outcome])


async def test_f17_a_slow_network_is_only_slow(faulty, placed):
    async with faulty() as it:
        it.proxy.latency_s = 0.1
        outcomes = await asyncio.gather(*(answer(it, placed(f"k-{n}")) for n in range(20)))

        assert it.writer.counts.doubts == 0
        await told_is_stored(it, list(outcomes))


async def test_f19_resets_under_load_lose_and_double_nothing(faulty, placed):
    async with faulty() as it:

        async def reset() -> None:
            for _ in range(8):
                await asyncio.sleep(0.3)
                it.proxy.cut_all()

        for number in range(4):  # Besides those at any moment: amid a commit.
            it.proxy.rule(END_TXN, after=3 * number, is_cut=True)
        resets = asyncio.create_task(reset())

        async def send(client: int) -> list[Outcome]:
            told = []
            while not resets.done():
                told.append(await answer(it, placed(f"{client}-{len(told)}")))
            return told

        outcomes = await asyncio.gather(*(send(client) for client in range(6)))
        await resets

        assert it.writer.counts.doubts >= 1
        await told_is_stored(it, [outcome for one in outcomes for outcome in one])


async def test_t8_a_broker_that_is_gone_holds_nothing_up(faulty, placed):
    async with faulty(commit_deadline_ms=500, acquire_deadline_ms=1_000) as it:
        appender = it.writer._appender
        await it.proxy.stop()
        async with asyncio.timeout(10):
            await appender.close()
            with pytest.raises((NotServing, PartitionUnavailable)):
                await it.partitions.submit(placed("k"))
        await it.proxy.start()
        outcome = await answer(it, placed("k"))

        await told_is_stored(it, [outcome])


async def test_t18_whoever_stops_waiting_takes_nobody_along(faulty, placed, submit_of):
    async with faulty() as it:
        first = await answer(it, placed("first"))
        held = it.proxy.rule(END_TXN, is_held=True)
        waiting = [
            asyncio.create_task(
                it.partitions.submit(submit_of(AddNote(f"n-{n}", "x"), f"n-{n}", first.order_id))
            )
            for n in range(4)
        ]
        async with asyncio.timeout(SETTLED_S):
            while not held.hits:
                await asyncio.sleep(0.005)
        waiting[0].cancel()
        held.release.set()
        others = await asyncio.gather(*waiting[1:])

        assert [outcome.events[0].type for outcome in others] == ["NoteAdded"] * 3
        stored = await it.stored()
        assert {event.command_id for event in stored} == {"first", *(f"n-{n}" for n in range(4))}
