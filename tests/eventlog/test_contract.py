"""What every implementation of the port promises: the same tests in memory and on Kafka."""

import asyncio

import pytest

from eventlog.log import Doubtful, Fenced, Record

ONE, TWO, THREE = (Record(b"k%d" % n, b"v%d" % n, (("h", b"x"),)) for n in range(3))


async def ended(log, offset, partition=0):
    """Wait for the marker of a commit: Kafka writes it a moment after it has answered."""
    async with asyncio.timeout(10):
        while await log.end(partition) != offset:
            await asyncio.sleep(0.01)


async def stored(log, partition=0, start=0, end=None):
    end = await log.end(partition) if end is None else end
    return [record async for batch in log.read(partition, start, end) for record in batch.records]


async def test_what_is_appended_is_read_with_contiguous_offsets(log):
    appender = await log.open_appender(0)

    first = await appender.append([ONE, TWO])
    second = await appender.append([THREE])

    await ended(log, second + 2)
    found = await stored(log)
    assert [(r.offset, r.key, r.value) for r in found] == [
        (first, b"k0", b"v0"),
        (first + 1, b"k1", b"v1"),
        (second, b"k2", b"v2"),
    ]
    assert second == first + 3, "a transaction's marker takes one offset"
    await appender.close()


async def test_partitions_are_separate(log):
    appender = await log.open_appender(1)
    await appender.append([ONE])

    assert await stored(log, 0) == []
    assert [r.partition for r in await stored(log, 1)] == [1]
    await appender.close()


async def test_a_range_is_read_exactly(log):
    appender = await log.open_appender(0)
    for record in (ONE, TWO, THREE):
        await appender.append([record])
    end = await log.end(0)

    assert [r.key for r in await stored(log, 0, 1, end)] == [b"k1", b"k2"]
    assert [r.key for r in await stored(log, 0, 0, 3)] == [b"k0", b"k1"]
    assert await stored(log, 0, end, end) == []
    positions = [batch.next_offset async for batch in log.read(0, 0, end)]
    assert positions[-1] == end, "the position is past the last marker"
    await appender.close()


async def test_a_later_appender_fences_the_earlier_one(log):
    old = await log.open_appender(0)
    await old.append([ONE])
    new = await log.open_appender(0)

    with pytest.raises(Fenced):
        await old.append([TWO])
    await new.append([THREE])

    assert [r.key for r in await stored(log)] == [b"k0", b"k2"]
    await old.close()
    await new.close()


async def test_an_appender_that_failed_is_of_no_more_use(log):
    old = await log.open_appender(0)
    new = await log.open_appender(0)
    with pytest.raises(Fenced):
        await old.append([ONE])

    with pytest.raises(Doubtful):
        await old.append([ONE])

    assert await stored(log) == []
    await old.close()
    await new.close()


async def test_the_identity_says_which_log_it_is(log):
    identity = await log.identity()

    assert identity.partitions == 4
    assert identity == await log.identity()
    assert identity.cluster_id
    assert identity.topic_id
