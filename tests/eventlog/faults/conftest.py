"""A broker that clients reach through the proxy alone, and a log that is read past it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from uuid import uuid4

import pytest

from domain.decide import DECIDER
from domain.events import Recorded
from eventlog.codec import decode, event_hash, is_event
from eventlog.kafka import KafkaLog
from eventlog.ownership import Partitions
from eventlog.topics import Topics
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.settings import LogSettings

from .proxy import Proxy

READY_S = 60


@pytest.fixture(scope="session")
def proxied(tmp_path_factory) -> Iterator[tuple[int, int]]:
    """The ports of a proxy that is yet to be started, and of its broker."""
    through, own = free_port(), free_port()
    broker = kafka(tmp_path_factory.mktemp("kafka"), own, advertised=through)
    broker.start()
    yield through, own
    broker.stop()


@dataclass
class Faulty:
    """One partition's owner behind a proxy."""

    proxy: Proxy
    partitions: Partitions
    settings: LogSettings

    @property
    def writer(self):
        return self.partitions.writers[0]

    async def stored(self) -> list[Recorded]:
        """All events that are committed, their versions, chains and commands checked."""
        found: list[Recorded] = []
        async with KafkaLog(self.settings) as log:
            end = await log.end(0)
            async for batch in log.read(0, 0, end):
                found += [decode(record) for record in batch.records if is_event(record.key)]
        orders: dict[str, list[Recorded]] = {}
        for event in found:
            orders.setdefault(event.order_id, []).append(event)
        for events in orders.values():
            assert [event.version for event in events] == list(range(1, len(events) + 1))
            for before, event in pairwise(events):
                assert event.prev_hash == event_hash(before.value)
        keys = [(event.order_id, event.command_id, event.command_index) for event in found]
        assert len(set(keys)) == len(keys), "a command is in the log twice"
        return found


@pytest.fixture
def faulty(proxied) -> Callable:
    """Answer `async with faulty(**settings) as it`: an owner that serves, through a proxy."""
    through, own = proxied

    @asynccontextmanager
    async def start(**more: object) -> AsyncIterator[Faulty]:
        name = uuid4().hex
        settings = LogSettings(
            kafka_bootstrap=f"127.0.0.1:{through}",
            kafka_topic=f"orders.{name}",
            environment=name,
            partitions=1,
            snapshot_interval_ms=0,
            **{"request_timeout_ms": 2_000, **more},
        )
        proxy = Proxy(through, own)
        await proxy.start()
        try:
            await asyncio.to_thread(Topics(settings).ensure)
            async with (
                KafkaLog(settings) as log,
                await Partitions.open(log, DECIDER, settings=settings, node="n") as partitions,
            ):
                await partitions.wait_ready(READY_S)
                yield Faulty(proxy, partitions, settings)
        finally:
            await proxy.stop()

    return start
