"""Snapshots make a start shorter, and never another answer."""

from collections.abc import Callable

import msgspec
import pytest

from domain.commands import AddNote
from eventlog.memory import MemoryLog
from eventlog.state.snapshots import Head, fold_id

from .logs import OFTEN_MS, ORDERS, MemoryCopy, WatchedLog, answers, is_short, lived, until_saved


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


def test_rules_are_named_by_their_source():
    assert fold_id("domain") == fold_id("domain")
    assert fold_id("domain") != fold_id("audit")


async def test_an_event_in_a_snapshot_is_not_folded_twice(opened, submit_of, placing):
    """Buckets are saved one after the other, so one may be ahead of what the head says."""
    log = WatchedLog()
    expected = await lived(opened, log, submit_of, placing)
    _with_head(next_offset=0)(log)

    assert await answers(opened, log, submit_of, placing) == expected
