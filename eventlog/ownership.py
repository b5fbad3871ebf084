"""Which partitions this node owns, and where the others are.

A node that is alone owns all of them. In a group, `assigned` says what this node should own now:
partitions that stay go on as if nothing had happened, lost ones commit what is queued and let go,
gained ones are taken over by fencing, whatever their last owner thinks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias

import structlog
import uuid_utils

from domain.decider import Decider
from eventlog.group.assignment import Table
from eventlog.log import EventLog, LogIdentity, LogUnavailable
from eventlog.partitioner import partition_of
from eventlog.submission import NotServing, Outcome, Submission
from eventlog.waiting import Turns, WriterOptions
from eventlog.writer import PartitionWriter
from runtime.settings import LogSettings

_log = structlog.get_logger("orderlog.ownership")

_CLOSE_S = 8.0

LetGo: TypeAlias = Callable[[str, int], Awaitable[None]]
"""Asks the node at a URL to commit what it has queued for a partition, and waits until it has."""

MakeWriter: TypeAlias = Callable[[int], PartitionWriter[Any]]


def now_us() -> int:
    """Return the time in microseconds UTC."""
    return time.time_ns() // 1000


def new_event_id() -> str:
    """Return a UUIDv7 as text."""
    return str(uuid_utils.uuid7())


async def _nobody(_url: str, _partition: int) -> None:
    """Let nothing go: there is no other node."""


async def _stay() -> None:
    """Leave no group: there is none."""


@dataclass(slots=True)
class _Place:
    """One partition: whether it is to be owned here. `changed` is replaced when it was set."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Partitions:
    """The partitions of one log, and the writers of those owned here. A context manager."""

    def __init__(self, identity: LogIdentity, make_writer: MakeWriter, let_go: LetGo) -> None:
        self.identity = identity
        self.writers: dict[int, PartitionWriter[Any]] = {}
        self._make_writer = make_writer
        self._let_go = let_go
        self._table = Table({}, {})
        self._places = {partition: _Place() for partition in range(identity.partitions)}
        self._is_closing = False
        self.leave: Callable[[], Awaitable[None]] = _stay
        """Has the partitions taken over by other nodes, as far as there are any."""
        self.has_joined = False
        """Whether it was ever said what is to be owned here."""
        self.refused: str | None = None
        """Why the group does not let this node in; None: nothing is known to be wrong."""
        self._tasks = [
            asyncio.create_task(self._keep(partition)) for partition in range(identity.partitions)
        ]

    @classmethod
    async def open(  # noqa: PLR0913 - clock, ids and neighbours are seams
        cls,
        log: EventLog,
        decider: Decider[Any, Any, Any],
        *,
        settings: LogSettings,
        node: str,
        clock_us: Callable[[], int] = now_us,
        new_event_id: Callable[[], str] = new_event_id,
        let_go: LetGo | None = None,
    ) -> "Partitions":
        """Own every partition; with `let_go`, own none until `assigned` says so.

        `wait_ready` tells when all that are owned serve.
        """
        identity = await log.identity()
        options = WriterOptions(
            node=node,
            source=f"orderlog/{settings.environment}",
            topic_id=identity.topic_id,
            group_commands_max=settings.group_commands_max,
            group_bytes_max=settings.group_bytes_max,
            queue_commands_max=settings.queue_commands_max,
            hot_orders_max=settings.hot_orders_max,
            patience_s=settings.acquire_deadline_ms / 1000,
            snapshot_interval_s=settings.snapshot_interval_ms / 1000,
        )

        turns = Turns(settings.transactions_max, settings.retry_backoff_ms / 1000)

        def make_writer(partition: int) -> PartitionWriter[Any]:
            return PartitionWriter(
                log,
                partition,
                decider,
                options,
                turns=turns,
                clock_us=clock_us,
                new_event_id=new_event_id,
            )

        partitions = cls(identity, make_writer, let_go or _nobody)
        if let_go is None:
            partitions.assigned(range(identity.partitions), Table({}, {}))
        return partitions

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def assigned(self, mine: Iterable[int], table: Table) -> None:
        """Own these partitions from now on, and no others; `table` has everybody's."""
        self._table = table
        self.has_joined, self.refused = True, None
        wanted = set(mine)
        for partition, place in self._places.items():
            if partition in wanted:
                place.unwanted.clear()
                place.wanted.set()
            elif place.wanted.is_set():
                place.wanted.clear()
                place.unwanted.set()
                if partition in self.writers:
                    self.writers[partition].close()
            self._has_changed(partition)

    def refuse(self, why: str) -> None:
        """Remember why this node is not in the group, until it is."""
        self.refused = why

    def owned(self) -> frozenset[int]:
        """Return what is to be owned here."""
        return frozenset(p for p, place in self._places.items() if place.wanted.is_set())

    def partition_of(self, order_id: str) -> int:
        """Return the partition of an order."""
        return partition_of(order_id, self.identity.partitions)

    def elsewhere(self, partition: int) -> str | None:
        """Return the URL of the owner; None: it is this node, or nobody knows of one yet."""
        is_here = self._places[partition].wanted.is_set()
        return None if is_here else self._table.owners.get(partition)

    def changed(self, partition: int) -> asyncio.Event:
        """Return an event that is set when owner or health of a partition are others than now."""
        return self._places[partition].changed

    def queue(self, submission: Submission) -> asyncio.Future[Outcome | Exception]:
        """Hand a command to the owner of its order, here; see `PartitionWriter.queue`.

        Raises:
            eventlog.submission.Overloaded, PartitionHalted: send again later.
            eventlog.submission.NotServing: nothing was decided: send it to the owner of then.
        """
        partition = self.partition_of(submission.order_id)
        writer = self.writers.get(partition)
        if writer is None:
            raise NotServing(f"partition {partition} is not served here", 1)
        return writer.queue(submission)

    async def submit(self, submission: Submission) -> Outcome:
        """Do the same and wait for the answer; raise what it is when it is no outcome."""
        answer = await self.queue(submission)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def released(self, partition: int) -> None:
        """Wait until this node has let go of a partition."""
        while partition in self.writers:
            await self.changed(partition).wait()

    def health(self) -> dict[int, str]:
        """Return the state of each partition owned here; `serving` is the good one."""
        states = dict.fromkeys(self.owned(), "acquiring")
        return states | {partition: writer.health for partition, writer in self.writers.items()}

    async def wait_ready(self, deadline_s: float) -> None:
        """Wait until every partition owned here is served.

        Raises:
            LogUnavailable: not within `deadline_s`; the message names the states.
        """
        deadline = time.monotonic() + deadline_s
        while any(state != "serving" for state in self.health().values()):
            if time.monotonic() > deadline:
                raise LogUnavailable(f"partitions not served in time: {self.health()}")
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Commit what is queued and release every partition."""
        self._is_closing = True
        for place in self._places.values():
            place.wanted.set()
            place.unwanted.set()
        for writer in self.writers.values():
            writer.close()
        _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _keep(self, partition: int) -> None:
        """Own a partition whenever it is wanted; one task per partition, for the node's life."""
        place = self._places[partition]
        while True:
            await place.wanted.wait()
            if self._is_closing:
                return
            await self._ask_before(partition)
            if self._is_closing:
                return
            writer = self._make_writer(partition)
            writer.on_change = lambda: self._has_changed(partition)
            self.writers[partition] = writer
            self._has_changed(partition)
            if place.wanted.is_set():
                await writer.run()
            if writer.health.startswith("halted"):
                await place.unwanted.wait()  # Whoever is to own it next must look at it too.
            if self._is_closing:
                return
            del self.writers[partition]
            self._has_changed(partition)

    async def _ask_before(self, partition: int) -> None:
        """Let the last owner finish what it has begun; fencing would cut it off."""
        url = self._table.before.get(partition)
        if url is not None:
            try:
                await self._let_go(url, partition)
            except Exception as error:  # noqa: BLE001 - it may be gone: fencing needs nobody's help
                _log.info(
                    "last_owner_did_not_answer", partition=partition, url=url, why=repr(error)
                )

    def _has_changed(self, partition: int) -> None:
        place = self._places[partition]
        place.changed.set()
        place.changed = asyncio.Event()
