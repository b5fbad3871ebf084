"""Clients, nodes that die and come back, and a log with faults: all of it from one seed."""

import asyncio
import hashlib
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain import commands
from domain.decide import DECIDER
from domain.errors import Refused
from domain.values import Actor, Line, LineQuantity
from eventlog.log import LogError
from eventlog.memory import Fault, MemoryAppender, MemoryLog
from eventlog.ownership import Partitions
from eventlog.submission import Outcome, Submission
from runtime.settings import LogSettings

PARTITIONS = 2
CLIENTS, COMMANDS_EACH, ORDERS = 6, 15, 4
KILLS = 4
ANSWER_S, RETRY_S = 4.0, 0.3
START_US = 1_790_000_000_000_000
HOUR_US, JUMPS = 3_600_000_000, 0.1


@dataclass
class Asked:
    """One request, sent once or again and again, and every answer its client got."""

    submission: Submission
    answers: list[Outcome | Refused] = field(default_factory=list)


@dataclass
class Run:
    """What a simulation leaves behind, for the checkers."""

    log: MemoryLog
    asked: list[Asked] = field(default_factory=list)
    kills: int = 0
    faults: int = 0


class SlowLog(MemoryLog):
    """Takes its time, by seed, so that everything can come between everything."""

    def __init__(self, rng: random.Random, run_faults: Callable[[int], Fault]) -> None:
        super().__init__(PARTITIONS, run_faults)
        self.rng = rng

    async def pause(self) -> None:
        await asyncio.sleep(self.rng.choice([0, 0.001, 0.01, 0.1]))

    async def open_appender(self, partition: int) -> "SlowAppender":
        await self.pause()
        appender = SlowAppender(self, await super().open_appender(partition))
        await self.pause()
        return appender

    async def end(self, partition: int) -> int:
        await self.pause()
        return await super().end(partition)


class SlowAppender:
    def __init__(self, log: SlowLog, appender: MemoryAppender) -> None:
        self._log = log
        self._appender = appender

    async def append(self, records) -> int:
        await self._log.pause()
        first = await self._appender.append(records)
        await self._log.pause()
        return first

    async def close(self) -> None:
        await self._appender.close()


class Node:
    """One process: killed without warning, its clients get no answer any more."""

    def __init__(self, partitions: Partitions) -> None:
        self.partitions = partitions
        self.gone = asyncio.get_running_loop().create_future()

    async def submit(self, submission: Submission) -> Outcome:
        answering = asyncio.ensure_future(self.partitions.submit(submission))
        done, _ = await asyncio.wait(
            [answering, self.gone], timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
        )
        if answering not in done:
            answering.cancel()
            raise ConnectionError("no answer")
        return answering.result()

    async def kill(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)
        for task in self.partitions._tasks:
            task.cancel()
        await asyncio.gather(*self.partitions._tasks, return_exceptions=True)


class World:
    """Nodes over one log; `wrong` may replace the log by one that breaks a rule."""

    def __init__(self, seed: int, make_log: Callable[..., SlowLog] = SlowLog) -> None:
        self.rng = random.Random(seed)
        self.faults_left = 10
        self.run = Run(make_log(self.rng, self._fault))
        self.nodes: list[Node] = []
        self._now_us = START_US

    def _fault(self, _partition: int) -> Fault:
        if self.faults_left and self.rng.random() < 0.2:
            self.faults_left -= 1
            self.run.faults += 1
            return self.rng.choice([Fault.LOST, Fault.ANSWER_LOST, Fault.LATE])
        return Fault.NONE

    def _clock_us(self) -> int:
        """Go on, and jump by an hour now and then, in either direction (F33)."""
        self._now_us += self.rng.randrange(1_000)
        if self.rng.random() < JUMPS:
            self._now_us += self.rng.choice([-HOUR_US, HOUR_US])
        return self._now_us

    def _event_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    async def start_node(self) -> None:
        opened = await Partitions.open(
            self.run.log,
            DECIDER,
            settings=LogSettings(group_commands_max=self.rng.choice([1, 3, 500])),
            node="n",
            clock_us=self._clock_us,
            new_event_id=self._event_id,
        )
        self.nodes.append(Node(opened))

    async def live(self) -> Run:
        """Let all clients have all their answers, while nodes come and go."""
        await self.start_node()
        await asyncio.gather(self._chaos(), *(self._client(number) for number in range(CLIENTS)))
        for node in self.nodes:
            await node.kill()
        return self.run

    async def _chaos(self) -> None:
        """Kill the owner; now and then the next one starts while the old one still lives."""
        for _ in range(KILLS):
            await asyncio.sleep(self.rng.uniform(0.05, 1.0))
            victim = self.nodes[-1]
            if self.rng.random() < 0.5:
                await victim.kill()
                await self.start_node()
            else:
                await self.start_node()
                await asyncio.sleep(self.rng.uniform(0, 1.0))
                await victim.kill()
            self.nodes.remove(victim)
            self.run.kills += 1

    async def _client(self, number: int) -> None:
        for submission in self._wishes(number):
            asked = Asked(submission)
            self.run.asked.append(asked)
            resends = self.rng.choice([0, 0, 0, 2])
            for _ in range(1 + resends):
                asked.answers.append(await self._until_answered(submission))
            await asyncio.sleep(self.rng.choice([0, 0.01, 0.2, 0.6]))

    async def _until_answered(self, submission: Submission) -> Outcome | Refused:
        while True:
            try:
                return await self.rng.choice(self.nodes).submit(submission)
            except Refused as refusal:
                return refusal
            except (LogError, ConnectionError):
                await asyncio.sleep(RETRY_S * self.rng.random())

    def _wishes(self, client: int) -> Iterator[Submission]:
        for number in range(COMMANDS_EACH):
            order_id = str(uuid.UUID(int=self.rng.randrange(ORDERS)))
            command = self._command(f"{client}-{number}")
            yield Submission(
                order_id=order_id,
                command=command,
                command_name=type(command).__name__,
                command_id=f"{client}/{number}",
                fingerprint=hashlib.sha256(repr(command).encode()).digest(),
                expected_version=self.rng.choice([None, None, None, None, 1, 3]),
                occurred_at_us=None,
                correlation_id="corr",
                causation_id="cause",
                actor=Actor("user", "u-1"),
                tenant_id="default",
            )

    def _command(self, name: str) -> commands.OrderCommand:
        return self.rng.choice(
            [
                commands.PlaceOrder("c-1", "EUR", (Line("A", 9, 100),)),
                commands.PlaceOrder("c-2", "EUR", (Line("B", 3, 700),)),
                commands.Accept(),
                commands.AddNote(name, "a note"),
                commands.CancelLines((LineQuantity("1", 1),), None),
                commands.CreateShipment(name, (LineQuantity("1", 1),), None),
                commands.RequestAuthorisation(name, 100, None),
                commands.RecordAuthorisation(name, f"psp-{name}", 100),
            ]
        )
