"""The owner of a partition: what it answers, and what it never does."""

import asyncio
from contextlib import suppress

import pytest

from domain.commands import Accept, AddNote, PlaceOrder
from domain.decide import DECIDER
from domain.errors import NoSuchOrder, OrderExists, Rejected
from eventlog import codec
from eventlog.log import Record
from eventlog.memory import Fault, MemoryLog
from eventlog.ownership import Partitions
from eventlog.partitioner import partition_of
from eventlog.submission import (
    KeyReused,
    PartitionHalted,
    PartitionUnavailable,
    VersionMismatch,
)
from runtime.settings import LogSettings

from .logs import events

READY_S = 20


def held(partitions: Partitions, order_id: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold back the next commit of an order's partition: when it is reached, and until when."""
    writer = partitions.writers[partition_of(order_id, 4)]
    append, reached, go_on = writer._append, asyncio.Event(), asyncio.Event()

    async def late(records):
        reached.set()
        await go_on.wait()
        return await append(records)

    writer._append = late
    return reached, go_on


async def test_the_same_key_twenty_times_at_once_appends_once(
    log, opened, submit_of, placing, order_id
):
    async with opened(log) as partitions:
        outcomes = await asyncio.gather(
            *(partitions.submit(submit_of(placing, "same")) for _ in range(20))
        )

        assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 19
        assert len({outcome.events for outcome in outcomes}) == 1
        assert {outcome.version for outcome in outcomes} == {1}
        partition = partition_of(order_id, 4)
        async with asyncio.timeout(10):  # The markers are written after the commit is answered.
            while (end := await log.end(partition)) < outcomes[0].next_offset:
                await asyncio.sleep(0.01)
        found = [
            record
            async for batch in log.read(partition, 0, end)
            for record in batch.records
            if codec.is_event(record.key)
        ]
        assert len(found) == 1


async def test_an_answer_survives_its_owner(log, opened, submit_of, placing):
    async with opened(log) as partitions:
        first = await partitions.submit(submit_of(placing, "k"))
    async with opened(log) as partitions:
        again = await partitions.submit(submit_of(placing, "k"))

    assert again.replayed
    assert (again.events, again.version) == (first.events, first.version)


async def test_the_position_of_an_answer_contains_its_events(log, opened, submit_of, placing):
    async with opened(log) as partitions:
        outcome = await partitions.submit(submit_of(placing))
        found = [
            codec.decode(record)
            async for batch in log.read(outcome.partition, 0, outcome.next_offset)
            for record in batch.records
            if codec.is_event(record.key)
        ]

    assert [recorded.event_id for recorded in found] == [outcome.events[0].event_id]
    assert found[0].offset == outcome.next_offset - 1


@pytest.mark.parametrize("moment_us", [0, 1, 1_790_000_000_000_000])
async def test_when_it_happened_is_kept_as_it_was_said(opened, submit_of, placing, moment_us):
    log = MemoryLog()
    async with opened(log) as partitions:
        await partitions.submit(submit_of(placing, occurred_at_us=moment_us))

    assert [event.occurred_at_us for event in events(log)] == [moment_us]


async def test_a_key_of_another_request_is_refused(opened, submit_of, placing):
    other = PlaceOrder("c-2", "EUR", placing.lines)
    async with opened(MemoryLog()) as partitions:
        await partitions.submit(submit_of(placing, "k"))
        with pytest.raises(KeyReused):
            await partitions.submit(submit_of(other, "k"))


async def test_an_unexpected_version_names_what_was_missed(opened, submit_of, placing):
    async with opened(MemoryLog()) as partitions:
        await partitions.submit(submit_of(placing))
        await partitions.submit(submit_of(AddNote("n-1", "a"), expected_version=1))
        with pytest.raises(VersionMismatch) as caught:
            await partitions.submit(submit_of(Accept(), expected_version=1))

    assert caught.value.current_version == 2
    assert [(missed.type, missed.version) for missed in caught.value.missed] == [("NoteAdded", 2)]


async def test_refusals_are_the_commands_own_and_append_nothing(opened, submit_of, placing):
    log = MemoryLog()
    async with opened(log) as partitions:
        with pytest.raises(NoSuchOrder):
            await partitions.submit(submit_of(Accept()))
        await partitions.submit(submit_of(placing))
        with pytest.raises(OrderExists):
            await partitions.submit(submit_of(placing))
        with pytest.raises(Rejected, match=r"ISO 4217|already|at least") as caught:
            await partitions.submit(submit_of(PlaceOrder("c", "EUR", ()), order_id="other"))

    assert caught.value.rule == "lines-missing"
    assert [recorded.type for recorded in events(log)] == ["OrderPlaced"]


async def test_a_dry_run_answers_and_changes_nothing(opened, submit_of, placing):
    log = MemoryLog()
    async with opened(log) as partitions:
        tried = await partitions.submit(submit_of(placing, "k", is_dry_run=True))
        done = await partitions.submit(submit_of(placing, "k"))

    assert (tried.version, tried.events[0].type) == (1, "OrderPlaced")
    assert not done.replayed
    assert len(events(log)) == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.ANSWER_LOST, Fault.LATE])
async def test_every_doubt_is_settled_from_the_log(opened, submit_of, placing, fault):
    log = MemoryLog()
    async with opened(log) as partitions:
        faults = iter([fault])
        log.faults = lambda _: next(faults, Fault.NONE)
        outcome = await partitions.submit(submit_of(placing, "k"))
        again = await partitions.submit(submit_of(placing, "k"))
        writer = partitions.writers[outcome.partition]

    assert (outcome.version, outcome.replayed) == (1, False)
    assert again.replayed
    assert [recorded.event_id for recorded in events(log)] == [outcome.events[0].event_id]
    assert (writer.counts.doubts, writer.counts.acquisitions) == (1, 2)


async def test_the_first_record_of_an_owner_marks_the_takeover(opened):
    log = MemoryLog()
    async with opened(log):
        pass
    async with opened(log):
        pass

    found = log.records(0)
    assert [record.key for record in found] == [b"owner/0"] * 2
    assert [codec.ownership_epoch(record) for record in found] == [1, 2]


async def test_an_owner_that_was_replaced_refuses_nothing_from_memory(
    log, opened, submit_of, placing
):
    """A refusal commits nothing, so that fencing alone would not stop it."""
    async with opened(log) as old:
        async with opened(log) as new:
            await new.submit(submit_of(placing))
        with pytest.raises(PartitionUnavailable):
            await old.submit(submit_of(Accept(), "k"))
        await old.wait_ready(READY_S)
        accepted = await old.submit(submit_of(Accept(), "k"))

    assert accepted.version == 2


async def test_what_waits_when_another_owner_served_is_not_decided_after_it(
    opened, submit_of, placing
):
    """The other owner may have refused it, and that was for good."""
    log = MemoryLog()
    async with opened(log) as old:
        reached, go_on = held(old, submit_of(placing).order_id)
        waiting = asyncio.ensure_future(old.submit(submit_of(placing, "k")))
        await reached.wait()
        async with opened(log) as new:
            with pytest.raises(NoSuchOrder):
                await new.submit(submit_of(Accept(), "other"))
        go_on.set()
        with pytest.raises(PartitionUnavailable):
            await waiting

    assert events(log) == []


async def test_an_owner_that_lost_its_partition_answers_from_the_log(opened, submit_of, placing):
    log = MemoryLog()
    async with opened(log) as old:
        async with opened(log) as new:
            placed = await new.submit(submit_of(placing, "k"))
        again = await old.submit(submit_of(placing, "k"))

    assert again.events == placed.events
    assert len(events(log)) == 1


async def test_a_client_that_leaves_cancels_no_commit_and_takes_along_what_is_not_decided(
    opened, submit_of, placing
):
    """It may have been sent again by another way, and refused there, for good."""
    log = MemoryLog()
    async with opened(log) as partitions:
        reached, go_on = held(partitions, submit_of(placing).order_id)
        decided = asyncio.create_task(partitions.submit(submit_of(placing, "decided")))
        await reached.wait()
        queued = asyncio.create_task(partitions.submit(submit_of(Accept(), "queued")))
        await asyncio.sleep(0)
        for waiting in (decided, queued):
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
        go_on.set()
        again = await partitions.submit(submit_of(placing, "decided"))

    assert again.replayed
    assert [event.command_id for event in events(log)] == ["decided"]


@pytest.mark.parametrize("plant", ["gap", "bytes", "future"])
async def test_a_log_that_contradicts_itself_halts_the_partition(
    opened, submit_of, placing, plant, order_id
):
    log = MemoryLog()
    async with opened(log) as partitions:
        outcome = await partitions.submit(submit_of(placing))
    (record,) = [r for r in log.records(outcome.partition) if codec.is_event(r.key)]
    planted = {
        "gap": Record(codec.event_key(order_id, 1), record.value),
        "bytes": Record(b"foreign", b"\xff\xff"),
        "future": Record(codec.event_key(order_id, 2), b""),
    }[plant]
    log.commit(outcome.partition, [planted])

    async with (
        await Partitions.open(log, DECIDER, settings=LogSettings(), node="test") as partitions,
        asyncio.timeout(10),
    ):
        while not partitions.health()[outcome.partition].startswith("halted"):
            await asyncio.sleep(0.001)
        with pytest.raises(PartitionHalted, match=str(outcome.partition)):
            await partitions.submit(submit_of(Accept()))
        healthy = [state for p, state in partitions.health().items() if p != outcome.partition]
        assert healthy == ["serving"] * 3, "the other partitions go on"
