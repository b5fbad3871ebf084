"""Logs in memory: the facts in one; ones with snapshots, and what their next owner says."""

import asyncio
from contextlib import suppress

from domain.commands import Accept, AddNote
from eventlog import codec
from eventlog.memory import MemoryLog
from eventlog.partitioner import partition_of
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


def events(log: MemoryLog) -> list:
    """Answer the facts in a log of four partitions."""
    return [
        codec.decode(record)
        for partition in range(4)
        for record in log.records(partition)
        if codec.is_event(record.key)
    ]
