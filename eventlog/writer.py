"""PartitionWriter: the one owner of one partition. Acquire, decide, commit, and doubt.

The order of acquiring is the heart of the product: fence, then read to the end, then mark the
takeover, then serve. Reading first would miss the old owner's last commit (Kafka KIP-98).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from domain.decider import Decider
from eventlog.deciding import Deciding, Decision, settled
from eventlog.log import Appender, Doubtful, EventLog, IntegrityError, LogError, Record, Undecodable
from eventlog.partition_state import PartitionState
from eventlog.stream import Staging
from eventlog.submission import (
    NotServing,
    Outcome,
    Overloaded,
    PartitionHalted,
    PartitionUnavailable,
    Submission,
)

State = TypeVar("State")
_log = structlog.get_logger("orderlog.writer")

_BACKOFF_S = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
_MARKERS_PER_TRANSACTION = 1


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """Names and limits of one writer."""

    node: str
    source: str
    group_commands_max: int = 500
    group_bytes_max: int = 900_000
    queue_commands_max: int = 5_000


@dataclass(slots=True)
class _Waiting:
    """A command in the queue. The future holds its answer as a value, refusals included."""

    submission: Submission
    answer: asyncio.Future[Outcome | Exception]
    is_doubtful: bool = False


@dataclass(slots=True)
class _Counts:
    """What a writer has done; read by metrics and by tests that gate on counts."""

    transactions: int = 0
    commands: int = 0
    doubts: int = 0
    acquisitions: int = 0


class PartitionWriter(Generic[State]):
    """Own one partition: queue commands, decide them in order, commit them in groups.

    One task runs `run`; everything else only queues and waits, so a cancelled request never
    cancels a commit.
    """

    def __init__(
        self,
        log: EventLog,
        partition: int,
        decider: Decider[State, Any, Any],
        options: WriterOptions,
        *,
        clock_us: Callable[[], int],
        new_event_id: Callable[[], str],
    ) -> None:
        self.partition = partition
        self.health = "acquiring"
        self.on_change: Callable[[], None] = lambda: None
        """Is called whenever `health` is another one."""
        self.counts = _Counts()
        self._log = log
        self._options = options
        self._clock_us = clock_us
        self._deciding = Deciding(
            decider, partition, options.source, clock_us, new_event_id, options.group_bytes_max
        )
        self._state = PartitionState(partition, decider)
        self._appender: Appender | None = None
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()

    async def submit(self, submission: Submission) -> Outcome:
        """Queue one command and wait for its answer, which is durable when it comes.

        Raises:
            domain.errors.Refused: the command's own answer; nothing was appended.
            Overloaded: the queue is full; nothing was queued, send again later.
            NotServing: nothing was queued or decided; the owner may be another node by now.
            PartitionUnavailable: the outcome is unknown: send again, same key.
        """
        if self.health.startswith("halted"):
            raise self._unavailable()
        if self.health != "serving":
            raise NotServing(f"partition {self.partition} is {self.health}", 1)
        if len(self._queue) >= self._options.queue_commands_max:
            raise Overloaded(f"partition {self.partition} has a full queue")
        waiting = _Waiting(submission, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._wake.set()
        answer = await asyncio.shield(waiting.answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _unavailable(self) -> PartitionUnavailable:
        if self.health.startswith("halted"):
            return PartitionHalted(f"partition {self.partition} is {self.health}", 30)
        return PartitionUnavailable(f"partition {self.partition} is {self.health}", 1)

    async def run(self) -> None:
        """Acquire and serve until `close`; after every doubt acquire again. Halts on corruption."""
        attempt = 0
        while not self._closing.is_set():
            await self._pause(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
            try:
                await self._acquire()
                attempt = 0
                await self._serve()
            except (IntegrityError, Undecodable) as error:
                self._halt(error)
                break
            except LogError as error:
                attempt += 1
                self._doubt(error)
            except Exception as error:  # noqa: BLE001 - any fault at all is a doubt, never the end
                attempt += 1
                _log.exception("writer_fault", partition=self.partition)
                self._doubt(error)
            finally:
                await self._drop_appender()
        self._refuse_all()

    async def _pause(self, seconds: float) -> None:
        """Wait before trying again; `close` ends the wait."""
        if seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)

    async def _acquire(self) -> None:
        """Fence, read to the end, mark the takeover. The order matters: see the module."""
        started = time.monotonic()
        self._appender = await self._log.open_appender(self.partition)
        if await self._state.catch_up(self._log, await self._log.end(self.partition)):
            self._drop_undecided()
        await self._append([self._state.mark(self._options.node, self._clock_us())])
        self.counts.acquisitions += 1
        self._become("serving")
        _log.info(
            "partition_acquired",
            partition=self.partition,
            epoch=self._state.epoch,
            orders=len(self._state.streams),
            seconds=round(time.monotonic() - started, 3),
        )

    def _drop_undecided(self) -> None:
        """Answer what waits and is not in the log: unknown.

        The owner in between may have refused the same commands, and a refusal is for good: they
        must not be appended after it.
        """
        waiting = list(self._queue)
        self._queue.clear()
        for one in waiting:
            if self._state.knows(one.submission.order_id, one.submission.command_id):
                self._queue.append(one)
            elif not one.answer.done():
                one.answer.set_result(self._unavailable())

    async def _append(self, records: list[Record]) -> int:
        """Commit one transaction; anything unexpected is a doubt."""
        if self._appender is None:
            raise Doubtful(f"partition {self.partition} has no appender")
        first = await self._appender.append(records)
        if first != self._state.next_offset:
            raise Doubtful(f"offset {first} where {self._state.next_offset} was expected")
        self._state.next_offset = first + len(records) + _MARKERS_PER_TRANSACTION
        self.counts.transactions += 1
        return first

    async def _confirm(self) -> None:
        """Make sure that no other owner served before now; a commit proves it by itself.

        So refusals and repeats are as current as acceptances, without a write (decision 9).
        """
        high = await self._log.high_watermark(self.partition)
        expected = self._state.next_offset
        # The last marker may still be on its way; a log that is shorter than that was made again.
        if not expected - _MARKERS_PER_TRANSACTION <= high <= expected:
            raise Doubtful(f"the log goes on to {high} where {expected} was expected")

    async def _serve(self) -> None:
        while True:
            while not self._queue:
                if self._closing.is_set():
                    return
                self._wake.clear()
                await self._wake.wait()
            group: list[_Waiting] = []
            try:
                await self._commit_group(group)
            except BaseException:
                for waiting in reversed(group):
                    waiting.is_doubtful = True
                    self._queue.appendleft(waiting)
                raise

    async def _commit_group(self, group: list[_Waiting]) -> None:
        """Decide what is queued, commit it, and only then publish and answer: refusals too."""
        staging = Staging(self._state.streams, self._state.initial)
        decisions, records = self._decide_queued(group, staging)
        if records:
            staging.publish(await self._append(records))
        else:
            await self._confirm()
        self.counts.commands += len(group)
        for waiting, decision in zip(group, decisions, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(settled(decision.answer, self._state.streams))
        group.clear()

    def _decide_queued(
        self, group: list[_Waiting], staging: Staging[State]
    ) -> tuple[list[Decision], list[Record]]:
        decisions: list[Decision] = []
        records: list[Record] = []
        size_bytes = 0
        while self._queue and len(group) < self._options.group_commands_max:
            waiting = self._queue[0]
            before = staging.get(waiting.submission.order_id)
            decision = self._deciding.decide(
                staging,
                waiting.submission,
                index=len(records),
                was_doubtful=waiting.is_doubtful,
            )
            if size_bytes + decision.size_bytes > self._options.group_bytes_max:
                staging.put(waiting.submission.order_id, before)
                break
            group.append(self._queue.popleft())
            decisions.append(decision)
            records.extend(decision.records)
            size_bytes += decision.size_bytes
        return decisions, records

    def _doubt(self, error: Exception) -> None:
        """Stop accepting; what waits is answered from the log after the next acquisition."""
        self._become("in doubt")
        self.counts.doubts += 1
        _log.warning("partition_in_doubt", partition=self.partition, why=str(error))

    def _halt(self, error: Exception) -> None:
        self._become(f"halted: {error}")
        _log.error("partition_halted", partition=self.partition, why=str(error))

    def _become(self, health: str) -> None:
        self.health = health
        self.on_change()

    def _refuse_all(self) -> None:
        if not self.health.startswith("halted"):
            self._become("released")
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                waiting.answer.set_result(self._unavailable())

    async def _drop_appender(self) -> None:
        appender, self._appender = self._appender, None
        if appender is not None:
            await appender.close()

    def close(self) -> None:
        """Stop accepting, commit what is queued, then let `run` return."""
        self._closing.set()
        if self.health == "serving":
            self._become("releasing")
        self._wake.set()
