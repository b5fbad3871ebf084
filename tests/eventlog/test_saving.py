"""Who saves snapshots, where, and what becomes of a save that fails."""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace

import msgspec
import pytest

from eventlog.log import Doubtful, Fenced, IntegrityError, LogUnavailable, Record, TopicMismatch
from eventlog.memory import MemoryLog
from eventlog.partitioner import partition_of
from eventlog.state.saving import Saving
from eventlog.state.snapshots import Head
from eventlog.submission import NotServing

from .logs import (
    OFTEN_MS,
    ORDERS,
    READY_S,
    WatchedLog,
    answers,
    is_short,
    lived,
    until_saved,
)

KIB = 1024


async def test_what_could_not_be_saved_is_saved_later(opened, submit_of, placing):
    class Stumbling(WatchedLog):
        failures = iter([True, False, True])

        async def open_appender(self, partition):
            appender = await super().open_appender(partition)
            save = appender.save

            async def stumble(records):
                if next(self.failures, False):
                    raise Doubtful("not this time")
                await save(records)

            appender.save = stumble
            return appender

    log = Stumbling()
    expected = await lived(opened, log, submit_of, placing)

    assert next(log.failures, None) is None
    assert await answers(opened, log, submit_of, placing) == expected
    assert is_short(log)


@pytest.mark.parametrize(
    ("appended", "part"), [(0, 64), (10, 64), (100, 200), (250, 500), (300, 512), (900, 512)]
)
async def test_a_part_keeps_up_with_what_was_appended(appended, part):
    saving = Saving(0, 10, asyncio.Event())
    saving.appended(appended * KIB)

    assert [saving.part_bytes(), saving.part_bytes()] == [part * KIB, 64 * KIB]


@pytest.mark.parametrize(("interval_s", "is_early"), [(3600, True), (0, False)])
async def test_much_that_was_appended_is_saved_before_its_time(interval_s, is_early):
    wake = asyncio.Event()
    saving = Saving(0, interval_s, wake)
    saving.appended(2_000 * KIB)
    assert not saving.is_due()  # Nobody serves yet.
    saving.start()
    for _ in range(2):
        saving.appended(400 * KIB)

    assert saving.is_due() is is_early
    assert wake.is_set() is is_early
    saving.part_bytes()
    saving.appended(400 * KIB)
    assert not saving.is_due()
    saving.stop()


async def test_a_busy_owner_leaves_little_to_read(opened, submit_of, placing):
    """The interval is an hour; what counts is how much was appended."""
    log = MemoryLog()
    text = "x" * 900
    async with opened(log, snapshot_interval_ms=3_600_000) as partitions:
        for number in range(100):
            await asyncio.gather(
                *(
                    partitions.submit(
                        submit_of(
                            replace(placing, customer_id=text),
                            f"{number}-{one}",
                            str(uuid.UUID(int=100 * number + one)),
                        )
                    )
                    for one in range(100)
                )
            )
        await until(lambda: all(one.counts.snapshots for one in partitions.writers.values()))
    for partition in range(partitions.identity.partitions):
        head = msgspec.msgpack.decode((await saved_in(log, partition))[b"head"], type=Head)
        left = [one for one in log.records(partition) if one.offset >= head.next_offset]
        assert len(log.records(partition)) > 2_000
        assert sum(len(one.value) for one in left) < 2_500 * KIB


async def until(condition) -> None:
    async with asyncio.timeout(READY_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_replaced_owner_saves_nothing(log, submit_of, placing):
    old = await log.open_appender(0)
    new = await log.open_appender(0)

    with pytest.raises(Fenced):
        await old.save([Record(b"head", b"old")])
    await new.save([Record(b"head", b"new")])
    await old.close()
    await new.close()

    async with asyncio.timeout(READY_S):
        while not (found := await saved_in(log, 0)):
            await asyncio.sleep(0.01)
    assert found == {b"head": b"new"}


async def saved_in(log, partition) -> dict[bytes, bytes]:
    return {
        record.key: record.value async for batch in log.saved(partition) for record in batch.records
    }


async def test_what_is_saved_on_kafka_is_used(kafka_log, opened, submit_of, placing):
    async with opened(kafka_log, snapshot_interval_ms=20) as partitions:
        for order in ORDERS:
            await partitions.submit(submit_of(placing, f"p-{order}", order))
        await until_saved(partitions)
    reads = []
    read = kafka_log.read
    kafka_log.read = lambda partition, start, end: (
        reads.append(start) or read(partition, start, end)
    )
    expected = await answers(opened, kafka_log, submit_of, placing)

    assert len(expected) == 4 * len(ORDERS)
    assert len(reads) == 4
    assert min(reads) > 0


UNREADABLE = [
    TopicMismatch("there is no such topic"),
    LogUnavailable("no answer"),
    IntegrityError("the topic was cut off"),
    RuntimeError("not authorised"),
]


@pytest.mark.parametrize("error", UNREADABLE, ids=lambda error: type(error).__name__)
async def test_without_snapshots_that_can_be_read_all_is_served_and_nothing_saved(
    opened, submit_of, placing, error
):
    class Placeless(MemoryLog):
        async def saved(self, _partition):
            raise error
            yield

    log = Placeless()
    async with opened(log, snapshot_interval_ms=OFTEN_MS) as partitions:
        outcome = await partitions.submit(submit_of(placing))
        writer = partitions.writers[outcome.partition]
        await asyncio.sleep(0.05)

        assert writer.counts.snapshots == 0
        assert writer.counts.doubts == 0


async def test_a_place_that_takes_nothing_is_left_alone_in_the_end(opened, submit_of, placing):
    """Each attempt is a doubt, since a transaction failed; a few are enough."""

    class Refusing(MemoryLog):
        async def open_appender(self, partition):
            appender = await super().open_appender(partition)

            async def save(_records):
                raise LogUnavailable("not authorised")

            appender.save = save
            return appender

    log = Refusing()
    async with opened(log, snapshot_interval_ms=OFTEN_MS) as partitions:
        number = 0
        async with asyncio.timeout(READY_S):
            number = 0
            while partitions.writers[0].counts.doubts < 3 or partitions.health()[0] != "serving":
                order = next(o for o in map(str, range(number, 10**6)) if partition_of(o, 4) == 0)
                number = int(order) + 1
                with suppress(NotServing):
                    await partitions.submit(submit_of(placing, order_id=order))
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)

        assert partitions.writers[0].counts.doubts == 3
        assert partitions.health()[0] == "serving"
        assert len(log.records(0)) > 3
