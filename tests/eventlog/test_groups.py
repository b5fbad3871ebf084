"""What is decided and committed together, and what waits for the next group."""

import asyncio

from domain.commands import Accept, AddNote, PlaceOrder
from domain.errors import OrderExists
from domain.values import Line
from eventlog import codec
from eventlog.memory import Fault, MemoryLog
from eventlog.partitioner import partition_of
from eventlog.submission import (
    CommandTooLarge,
    Overloaded,
)

from .logs import events


async def test_commands_of_a_group_see_each_other_and_share_a_transaction(
    opened, submit_of, placing
):
    log = MemoryLog()
    async with opened(log) as partitions:
        writer = partitions.writers[partition_of(submit_of(placing).order_id, 4)]
        before = writer.counts.transactions
        placed, accepted, noted = await asyncio.gather(
            partitions.submit(submit_of(placing)),
            partitions.submit(submit_of(Accept())),
            partitions.submit(submit_of(AddNote("n", "x"))),
        )

    assert [placed.version, accepted.version, noted.version] == [1, 2, 3]
    assert writer.counts.transactions == before + 1
    chain = [(recorded.prev_hash, codec.event_hash(recorded.value)) for recorded in events(log)]
    assert chain[0][0] == codec.FIRST_PREV_HASH
    assert [before for before, _ in chain[1:]] == [own for _, own in chain[:-1]]


async def test_a_refusal_waits_for_the_neighbour_it_rests_on(opened, submit_of, placing):
    """The second order is refused because of the first, whose commit is lost."""
    log = MemoryLog()
    async with opened(log) as partitions:
        faults = iter([Fault.LOST])
        log.faults = lambda _: next(faults, Fault.NONE)
        other = PlaceOrder("c-2", "USD", placing.lines)
        first, second = await asyncio.gather(
            partitions.submit(submit_of(placing, "a")),
            partitions.submit(submit_of(other, "b")),
            return_exceptions=True,
        )

    assert first.version == 1
    assert isinstance(second, OrderExists)
    assert len(events(log)) == 1


async def test_a_full_queue_is_said_at_once(opened, submit_of, placing):
    async with opened(MemoryLog(), queue_commands_max=2) as partitions:
        outcomes = await asyncio.gather(
            *(partitions.submit(submit_of(placing, f"k{n}")) for n in range(5)),
            return_exceptions=True,
        )

    assert [type(outcome) for outcome in outcomes[2:]] == [Overloaded] * 3
    assert outcomes[0].version == 1


async def test_a_command_that_is_too_large_fails_alone(opened, submit_of, placing):
    large = PlaceOrder("c-1", "EUR", tuple(Line("S" * 90, 1, 1) for _ in range(50)))
    log = MemoryLog()
    async with opened(log, group_bytes_max=2_000) as partitions:
        good, bad = await asyncio.gather(
            partitions.submit(submit_of(placing)),
            partitions.submit(submit_of(large, order_id="0193a5c0-0000-7000-8000-000000000009")),
            return_exceptions=True,
        )

    assert good.version == 1
    assert isinstance(bad, CommandTooLarge)
    assert len(events(log)) == 1


async def test_a_group_that_is_too_large_is_spread_over_transactions(opened, submit_of, placing):
    log = MemoryLog()
    async with opened(log, group_bytes_max=1_500) as partitions:
        await partitions.submit(submit_of(placing))
        outcomes = await asyncio.gather(
            *(partitions.submit(submit_of(AddNote(f"n{n}", "x" * 200))) for n in range(20))
        )

    assert [outcome.version for outcome in outcomes] == list(range(2, 22))


async def test_what_did_not_fit_into_a_group_is_not_doubled_by_a_doubt(opened, submit_of):
    """An order that waits for the next group has no place in the log yet."""
    orders = [n for n in map(str, range(100)) if partition_of(n, 4) == 0][:6]
    large = PlaceOrder("c-1", "EUR", tuple(Line("S" * 90, 1, 1) for _ in range(5)))
    said = []
    log = MemoryLog()
    async with opened(log, group_bytes_max=2_000) as partitions:
        faults = iter([Fault.NONE, Fault.ANSWER_LOST, Fault.NONE, Fault.LOST])
        log.faults = lambda _: next(faults, Fault.NONE)
        for _ in range(2):
            said += await asyncio.gather(
                *(partitions.submit(submit_of(large, f"k-{o}", o)) for o in orders)
            )
        writer = partitions.writers[0]

    assert [outcome.replayed for outcome in said] == [False] * 6 + [True] * 6
    assert [outcome.version for outcome in said] == [1] * 12
    assert said[0].next_offset < said[1].next_offset
    assert writer.counts.doubts == 2
    assert sorted(event.order_id for event in events(log)) == sorted(orders)


async def test_closing_commits_what_is_queued(opened, submit_of, placing):
    log = MemoryLog()
    async with opened(log) as partitions:
        waiting = asyncio.create_task(partitions.submit(submit_of(placing)))
        await asyncio.sleep(0)

    assert (await waiting).version == 1
    assert len(events(log)) == 1
