"""T17: a node whose event loop stands still loses its partitions, and is not aware of it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import pytest

from domain.decide import DECIDER
from eventlog._gen.orders.v1.events_pb2 import Ownership
from eventlog.codec import decode, is_event
from eventlog.group.membership import Membership
from eventlog.kafka import KafkaLog
from eventlog.log import LogUnavailable
from eventlog.ownership import Partitions
from eventlog.partitioner import partition_of
from eventlog.submission import NotServing, PartitionUnavailable
from tests.submissions import submission as submit

from .compacted import stored
from .given import PARTITIONS, PLACING, READY_S, note, order_in

SESSION_MS = 6_000
"""The least that a broker lets a member choose."""


@asynccontextmanager
async def node(settings, name: str) -> AsyncIterator[Partitions]:
    """A command node without its HTTP side."""

    async def let_go(url: str, partition: int) -> None:
        raise LogUnavailable(f"{url} is not asked for partition {partition}: fencing is enough")

    async with (
        KafkaLog(settings) as log,
        await Partitions.open(
            log, DECIDER, settings=settings, node=name, let_go=let_go
        ) as partitions,
    ):
        membership = Membership(
            settings, f"http://{name}:80", partitions.owned, partitions.assigned, partitions.refuse
        )
        await membership.start()
        try:
            yield partitions
        finally:
            await membership.stop()


class Apart:
    """A node with an event loop of its own, in a thread, that can be made to stand still."""

    def __init__(self, settings, name: str) -> None:
        self.partitions: Partitions | None = None
        self.stalled = threading.Event()
        self._go_on = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(settings, name))

    def _run(self, settings, name: str) -> None:
        async def live() -> None:
            async with node(settings, name) as self.partitions:
                await self._end.wait()

        self._loop.run_until_complete(live())
        self._loop.close()

    def _stand_still(self) -> None:
        self.stalled.set()
        assert self._go_on.wait(2 * READY_S)

    def stall(self, *submissions) -> list:
        """Queue commands, and let nothing in this node happen after that; return their answers."""
        asked = [
            asyncio.run_coroutine_threadsafe(self.partitions.submit(one), self._loop)
            for one in submissions
        ]
        self._loop.call_soon_threadsafe(self._stand_still)
        assert self.stalled.wait(READY_S)
        return [asyncio.wrap_future(one) for one in asked]

    def go_on(self) -> None:
        self._go_on.set()

    async def submit(self, one):
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self.partitions.submit(one), self._loop)
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._go_on.set()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(READY_S)
        assert not self._thread.is_alive()


def serves(partitions: Partitions | None) -> set[int]:
    if partitions is None:
        return set()
    return {partition for partition, state in partitions.health().items() if state == "serving"}


async def until(condition, deadline_s: int = READY_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.02)


def marks(settings, partition: int) -> list[str]:
    """Who took a partition over, in the log's own words, oldest first."""
    found = [r for r in stored(settings, partition) if not is_event(r.key)]
    return [Ownership.FromString(record.value).node for record in found]


@pytest.fixture
def grouped(log_settings):
    return log_settings.model_copy(
        update={"group_session_timeout_ms": SESSION_MS, "group_heartbeat_ms": 200}
    )


async def settled(partitions: Partitions, one):
    """Send a command until it is answered, as a client would: same key."""
    async with asyncio.timeout(READY_S):
        while True:
            with suppress(PartitionUnavailable):
                return await partitions.submit(one)
            await asyncio.sleep(0.05)


async def test_it_comes_back_by_taking_over_and_nothing_is_doubled(grouped):
    with Apart(grouped, "stalled") as apart:
        await until(lambda: serves(apart.partitions) == set(range(PARTITIONS)))
        orders = [order_in(partition) for partition in range(PARTITIONS)]
        for order_id in orders:
            await apart.submit(submit(PLACING, order_id))
        async with node(grouped, "awake") as awake:
            await until(lambda: len(serves(awake)) == len(serves(apart.partitions)) == 2)
            lost = serves(apart.partitions)
            on_lost = [
                order_id for order_id in orders if partition_of(order_id, PARTITIONS) in lost
            ]
            caught = [submit(note(), order_id) for order_id in on_lost]

            waiting = apart.stall(*caught)
            await until(lambda: serves(awake) == set(range(PARTITIONS)))
            answered = [await settled(awake, one) for one in caught]
            assert serves(apart.partitions) == lost, "it is not aware of it"
            apart.go_on()
            late = await asyncio.gather(*waiting, return_exceptions=True)
            first = [await _anywhere(apart, awake, submit(note(), one)) for one in orders]
            await until(
                lambda: (
                    len(serves(awake)) == len(serves(apart.partitions)) == 2
                    and not serves(awake) & serves(apart.partitions)
                )
            )
            back = serves(apart.partitions)
            again = [await _anywhere(apart, awake, submit(note(), one)) for one in orders]

            for outcome, same in zip(answered, late, strict=True):
                assert isinstance(same, PartitionUnavailable) or same.events == outcome.events
            for partition in range(PARTITIONS):
                owner = "stalled" if partition in back else "awake"
                assert marks(grouped, partition)[-1] == owner, "who serves has taken over"
            for partition in lost & back:
                assert marks(grouped, partition)[-2:] == ["awake", "stalled"]

    for order_id in orders:
        events = [
            decode(record)
            for record in stored(grouped, partition_of(order_id, PARTITIONS))
            if is_event(record.key) and record.key.startswith(order_id.encode())
        ]
        expected = 3 + (order_id in on_lost)
        assert [event.version for event in events] == list(range(1, expected + 1))
        assert len({event.command_id for event in events}) == expected
    assert len({o.events[0].event_id for o in (*answered, *first, *again)}) == 2 + 2 * PARTITIONS


async def _anywhere(apart: Apart, awake: Partitions, one):
    """Send it to one node and the other, until its owner takes it."""
    async with asyncio.timeout(READY_S):
        while True:
            for send in (apart.submit, awake.submit):
                with suppress(NotServing, PartitionUnavailable):
                    return await send(one)
            await asyncio.sleep(0.05)
