"""Snapshots make a start shorter, and never another answer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest

from domain.commands import Accept, AddNote
from eventlog.log import Doubtful, Fenced, IntegrityError, LogUnavailable, Record, TopicMismatch
from eventlog.memory import MemoryLog
from eventlog.partitioner import partition_of
from eventlog.state.snapshots import Head, fold_id
from eventlog.submission import NotServing

ORDERS = [f"order-{number}" for number in range(12)]
OFTEN_MS = 1
READY_S = 20


class WatchedLog(MemoryLog):
    """Tells from which offset each partition was read last."""

    def __init__(self) -> None:
        super().__init__()
        self.read_from: dict[int, int] = {}

    async def read(self, partition, start, end):
        self.read_from[partition] = start
        async for batch in super().read(partition, start, end):
            yield batch


async def until_saved(partitions) -> None:
    async with asyncio.timeout(READY_S):
        while any(writer._state.streams.changed for writer in partitions.writers.values()):
            await asyncio.sleep(0.01)


async def sent(partitions, submission) -> None:
    """As clients do it: a save that failed is a doubt, and nothing is taken meanwhile."""
    async with asyncio.timeout(READY_S):
        while True:
            with suppress(NotServing):
                await partitions.submit(submission)
                return
            await asyncio.sleep(0.001)


async def lived(opened, log, submit_of, placing) -> list:
    """Some orders, all of them saved, and some events that are not."""
    async with opened(log, snapshot_interval_ms=OFTEN_MS) as partitions:
        for order in ORDERS:
            await sent(partitions, submit_of(placing, f"p-{order}", order))
        await until_saved(partitions)
    async with opened(log, snapshot_interval_ms=0) as partitions:
        for order in ORDERS[::2]:
            await partitions.submit(submit_of(Accept(), f"a-{order}", order))
    return await answers(opened, MemoryCopy(log), submit_of, placing)


class MemoryCopy(WatchedLog):
    """The same log without snapshots."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__()
        self._entries = [list(entries) for entries in log._entries]


async def answers(opened, log, submit_of, placing) -> list:
    """What a new owner says: repeats, a refusal, and something new."""
    said = []
    async with opened(log, snapshot_interval_ms=0) as partitions:
        for order in ORDERS:
            said.append(await partitions.submit(submit_of(placing, f"p-{order}", order)))
            said += await asyncio.gather(
                partitions.submit(submit_of(Accept(), f"a-{order}", order)),
                partitions.submit(submit_of(placing, "other", order)),
                partitions.submit(submit_of(AddNote("n", "x"), "n", order, expected_version=2)),
                return_exceptions=True,
            )
    return [
        repr(one)
        if isinstance(one, Exception)
        else (one.version, one.replayed, [event.type for event in one.events])
        for one in said
    ]


def is_short(log) -> bool:
    """Whether the last owners read less than everything."""
    return all(log.read_from.get(partition_of(order, 4), 0) > 0 for order in ORDERS)


async def test_a_new_owner_reads_only_what_was_not_saved(opened, submit_of, placing):
    log = WatchedLog()
    expected = await lived(opened, log, submit_of, placing)

    assert await answers(opened, log, submit_of, placing) == expected
    assert is_short(log)


def _head(log, partition) -> Head:
    return msgspec.msgpack.decode(log.snapshots[partition][b"head"], type=Head)


def _with_head(**changes) -> Callable[[MemoryLog], None]:
    def change(log: MemoryLog) -> None:
        for saved in log.snapshots:
            if saved:
                head = msgspec.msgpack.decode(saved[b"head"], type=Head)
                changed = {
                    name: value(head) if callable(value) else value
                    for name, value in changes.items()
                }
                saved[b"head"] = msgspec.msgpack.encode(msgspec.structs.replace(head, **changed))

    return change


def _each(change: Callable[[dict[bytes, bytes]], object]) -> Callable[[MemoryLog], None]:
    return lambda log: [change(saved) for saved in log.snapshots if saved] and None


def _flip(saved: dict[bytes, bytes]) -> None:
    for key, value in saved.items():
        if key != b"head":
            saved[key] = value[:-1] + bytes([value[-1] ^ 1])


def _forget_half(saved: dict[bytes, bytes]) -> None:
    for key in [key for key in saved if key != b"head"][::2]:
        del saved[key]


WORTHLESS = {
    "deleted": _each(lambda saved: saved.clear()),
    "without head": _each(lambda saved: saved.pop(b"head")),
    "some buckets deleted": _each(_forget_half),
    "bits flipped": _each(_flip),
    "head damaged": _each(lambda saved: saved.update({b"head": saved[b"head"][:-1]})),
    "head is something else": _each(lambda saved: saved.update({b"head": b"\x93\x01\x02\x03"})),
    "a tombstone": _each(lambda saved: saved.update(dict.fromkeys(saved, None))),
    "of another topic": _with_head(topic_id="another"),
    "of another release": _with_head(fold=b"0" * 16),
    "newer than the log": _with_head(next_offset=1_000_000),
    "of fewer buckets": _with_head(hashes=lambda head: head.hashes[:-1]),
}


@pytest.mark.parametrize("what", WORTHLESS)
async def test_worthless_snapshots_change_no_answer(opened, submit_of, placing, what):
    log = WatchedLog()
    expected = await lived(opened, log, submit_of, placing)
    WORTHLESS[what](log)

    assert await answers(opened, log, submit_of, placing) == expected
    assert not is_short(log)


async def test_old_snapshots_are_only_a_longer_way(opened, submit_of, placing):
    log = WatchedLog()
    await lived(opened, log, submit_of, placing)
    old = [dict(saved) for saved in log.snapshots]
    async with opened(log, snapshot_interval_ms=OFTEN_MS) as partitions:
        for order in ORDERS:
            await partitions.submit(submit_of(AddNote("m", "y"), f"m-{order}", order))
        await until_saved(partitions)
    expected = await answers(opened, MemoryCopy(log), submit_of, placing)
    log.snapshots = old

    assert await answers(opened, log, submit_of, placing) == expected
    assert is_short(log)


async def test_snapshots_that_contradict_the_log_are_dropped(opened, submit_of, placing):
    """A head that claims too much: the events between are missing, and the log has them."""
    log = WatchedLog()
    expected = await lived(opened, log, submit_of, placing)
    for partition, saved in enumerate(log.snapshots):
        if saved:
            others = [f"bucket/{n}".encode() for n, h in enumerate(_head(log, partition).hashes)]
            for key in others:
                saved.pop(key, None)
    _with_head(hashes=lambda head: [b""] * len(head.hashes))(log)

    assert await answers(opened, log, submit_of, placing) == expected


async def test_orders_of_dropped_snapshots_do_not_come_back(opened, submit_of, placing):
    """What contradicts the log is not saved again beside what the log says."""
    log, other = WatchedLog(), WatchedLog()
    await lived(opened, other, submit_of, placing)
    async with opened(log, snapshot_interval_ms=0) as partitions:
        for order in ORDERS[::2]:
            await partitions.submit(submit_of(placing, f"p-{order}", order))
            for number in range(12):
                await partitions.submit(submit_of(AddNote(f"n{number}", "x"), order_id=order))
    log.snapshots = other.snapshots
    async with opened(log, snapshot_interval_ms=OFTEN_MS) as partitions:
        for order in ORDERS[::2]:
            await partitions.submit(submit_of(AddNote("last", "x"), order_id=order))
        await until_saved(partitions)
    expected = await answers(opened, MemoryCopy(log), submit_of, placing)

    assert await answers(opened, log, submit_of, placing) == expected
    assert any(log.read_from.values())


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


def test_rules_are_named_by_their_source():
    assert fold_id("domain") == fold_id("domain")
    assert fold_id("domain") != fold_id("audit")


async def test_an_event_in_a_snapshot_is_not_folded_twice(opened, submit_of, placing):
    """Buckets are saved one after the other, so one may be ahead of what the head says."""
    log = WatchedLog()
    expected = await lived(opened, log, submit_of, placing)
    _with_head(next_offset=0)(log)

    assert await answers(opened, log, submit_of, placing) == expected
