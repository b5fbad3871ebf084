"""What every implementation of the port promises: the same tests in memory and on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from eventlog.log import Appender, Doubtful, Fenced, Record

ONE, TWO, THREE = (Record(b"k%d" % n, b"v%d" % n, (("h", b"x"),)) for n in range(3))
MARKED = 2
"""A transaction's last record and its marker."""


@pytest.fixture
async def open_appender(log) -> AsyncIterator[Callable[[int], Awaitable[Appender]]]:
    """Answer `await open_appender(partition)`: one that the end of the test closes."""
    opened = []

    async def open_one(partition: int) -> Appender:
        opened.append(await log.open_appender(partition))
        return opened[-1]

    yield open_one
    for appender in opened:
        await appender.close()


async def ended(log, offset, partition=0):
    """Wait for the marker of a commit: Kafka writes it a moment after it has answered."""
    async with asyncio.timeout(10):
        while await log.end(partition) != offset:
            await asyncio.sleep(0.01)


async def stored(log, partition=0, start=0, end=None):
    end = await log.end(partition) if end is None else end
    return [record async for batch in log.read(partition, start, end) for record in batch.records]


async def test_what_is_appended_is_read_with_contiguous_offsets(log, open_appender):
    appender = await open_appender(0)

    first = await appender.append([ONE, TWO])
    second = await appender.append([THREE])

    await ended(log, second + MARKED)
    found = await stored(log)
    assert [(r.offset, r.key, r.value) for r in found] == [
        (first, b"k0", b"v0"),
        (first + 1, b"k1", b"v1"),
        (second, b"k2", b"v2"),
    ]
    assert second == first + 3, "a transaction's marker takes one offset"


async def test_partitions_are_separate(log, open_appender):
    appender = await open_appender(1)
    last = await appender.append([ONE])

    await ended(log, last + MARKED, 1)
    assert await stored(log, 0) == []
    assert [r.partition for r in await stored(log, 1)] == [1]


async def test_a_range_is_read_exactly(log, open_appender):
    appender = await open_appender(0)
    for record in (ONE, TWO, THREE):
        last = await appender.append([record])
    end = last + MARKED
    await ended(log, end)

    assert [r.key for r in await stored(log, 0, 1, end)] == [b"k1", b"k2"]
    assert [r.key for r in await stored(log, 0, 0, 3)] == [b"k0", b"k1"]
    assert await stored(log, 0, end, end) == []
    positions = [batch.next_offset async for batch in log.read(0, 0, end)]
    assert positions[-1] == end, "the position is past the last marker"


async def test_a_later_appender_fences_the_earlier_one(log, open_appender):
    old = await open_appender(0)
    await old.append([ONE])
    new = await open_appender(0)

    with pytest.raises(Fenced):
        await old.append([TWO])
    last = await new.append([THREE])

    await ended(log, last + MARKED)
    assert [r.key for r in await stored(log)] == [b"k0", b"k2"]


async def test_an_appender_that_failed_is_of_no_more_use(log, open_appender):
    old = await open_appender(0)
    await open_appender(0)
    with pytest.raises(Fenced):
        await old.append([ONE])

    with pytest.raises(Doubtful):
        await old.append([ONE])

    assert await stored(log) == []


async def test_the_identity_says_which_log_it_is(log):
    identity = await log.identity()

    assert identity.partitions == 4
    assert identity == await log.identity()
    assert identity.cluster_id
    assert identity.topic_id
