"""The faults. Each begins, lasts, and is healed again; a seed says which comes when."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from runtime.embedded.child import Child
from runtime.embedded.errors import StackError

from .world import SESSION_MS, World

_GONE_S = 10
_STARTS = 5


@dataclass
class Nemesis:
    """Injects faults into `world`, one after the other, with quiet times between."""

    world: World
    rng: random.Random
    active: set[str] = field(default_factory=set)
    injected: Counter[str] = field(default_factory=Counter)
    blackouts: list[tuple[float, float]] = field(default_factory=list)
    """When two of three brokers were down: nothing can be acknowledged then."""

    def kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the faults by their names."""
        return {
            "broker-kill": self.broker_kill,
            "coordinator-kill": self.coordinator_kill,
            "broker-pause": self.broker_pause,
            "rolling-restart": self.rolling_restart,
            "two-of-three-down": self.two_down,
            "node-kill": self.node_kill,
            "node-restart": self.node_restart,
            "node-pause": self.node_pause,
            "rebalance-storm": self.storm,
            "keys-away": self.keys_away,
        }

    async def inject(self, kind: str) -> None:
        """Do it, from beginning to healed."""
        self.injected[kind] += 1
        self.active.add(kind)
        try:
            await self.kinds()[kind]()
        finally:
            self.active.discard(kind)

    async def run(self, seconds: float) -> None:
        """Inject faults by seed until the time is up; heal everything."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(self.rng.uniform(1, 5))
            broker = ["broker-kill", "coordinator-kill", "broker-pause", "rolling-restart"]
            node = ["node-kill", "node-restart", "node-pause", "rebalance-storm", "keys-away"]
            choice = self.rng.random()
            if choice < 0.2:
                await self.inject("two-of-three-down")
            elif choice < 0.5:
                await self.inject(self.rng.choice(broker))
            elif choice < 0.75:
                await self.inject(self.rng.choice(node))
            else:
                await asyncio.gather(
                    self.inject(self.rng.choice(broker)), self.inject(self.rng.choice(node))
                )

    async def broker_kill(self) -> None:
        await self._kill_and_start(self.rng.choice(self.world.cluster.brokers))

    async def coordinator_kill(self) -> None:
        """Kill the broker that coordinates some of our transactions."""
        leader = await asyncio.to_thread(self._leader)
        await self._kill_and_start(self.world.cluster.brokers[leader - 1])

    def _leader(self) -> int:
        admin = AdminClient({"bootstrap.servers": self.world.cluster.bootstrap, "log_level": 0})
        topic = "__transaction_state"
        described = admin.describe_topics(TopicCollection([topic]))[topic].result(_GONE_S)
        return int(self.rng.choice(described.partitions).leader.id)

    async def broker_pause(self) -> None:
        await _pause(self.rng.choice(self.world.cluster.brokers), self.rng.uniform(2, 6))

    async def rolling_restart(self) -> None:
        for broker in self.world.cluster.brokers:
            await asyncio.to_thread(broker.stop)
            await asyncio.to_thread(broker.start)
            await asyncio.sleep(2)

    async def two_down(self) -> None:
        """Take two brokers away; whoever is answered 2xx after that has been lied to."""
        two = self.rng.sample(self.world.cluster.brokers, 2)
        for broker in two:
            _kill(broker)
        began = time.monotonic()
        await asyncio.sleep(self.rng.uniform(4, 8))
        self.blackouts.append((began, time.monotonic()))
        await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in two))

    async def node_kill(self) -> None:
        await self._kill_and_start(self.rng.choice(self.world.nodes))

    async def node_restart(self) -> None:
        node = self.rng.choice(self.world.nodes)
        await asyncio.to_thread(node.stop)
        await _start(node)

    async def node_pause(self) -> None:
        """Let an owner sleep until others have its partitions; it wakes up as a zombie."""
        await _pause(self.rng.choice(self.world.nodes), SESSION_MS / 1000 + self.rng.uniform(1, 3))

    async def keys_away(self) -> None:
        """Take the key store away; only commands with personal data may notice."""
        await asyncio.to_thread(self.world.keys.stop)
        await asyncio.sleep(self.rng.uniform(1, 4))
        await _start(self.world.keys)

    async def storm(self) -> None:
        for _ in range(3):
            await self.node_restart()

    async def _kill_and_start(self, child: Child) -> None:
        _kill(child)
        await asyncio.sleep(self.rng.uniform(0, 4))
        await _start(child)


async def _start(child: Child) -> None:
    """Start it as its supervisor would: a node that ends because Kafka is away is tried again."""
    for _ in range(_STARTS - 1):
        with suppress(StackError):
            await asyncio.to_thread(child.start)
            return
        await asyncio.sleep(1)
    await asyncio.to_thread(child.start)


def _kill(child: Child) -> None:
    child.process.kill()
    child.process.wait()


async def _pause(child: Child, seconds: float) -> None:
    child.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        child.process.send_signal(signal.SIGCONT)
