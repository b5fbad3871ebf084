"""PartitionWriter: the one owner of one partition. Acquire, decide, commit, and doubt.

The order of acquiring is the heart of the product: fence, then read to the end, then mark the
takeover, then serve. Reading first would miss the old owner's last commit (Kafka KIP-98).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog

from domain.decider import Decider
from eventlog.deciding import Deciding, Decision, settled
from eventlog.log import (
    Appender,
    Doubtful,
    EventLog,
    IntegrityError,
    LogError,
    Record,
    Undecodable,
)
from eventlog.state.partition import PartitionState
from eventlog.state.saving import Saving
from eventlog.state.snapshots import Snapshots
from eventlog.state.staging import Staging
from eventlog.submission import (
    NotServing,
    Outcome,
    Overloaded,
    PartitionHalted,
    PartitionUnavailable,
    Submission,
)
from eventlog.waiting import Counts, Turns, Waiting, WriterOptions
from runtime.failpoints import reach

State = TypeVar("State")
_log = structlog.get_logger("orderlog.writer")

_BACKOFF_S = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
_MARKERS_PER_TRANSACTION = 1


class PartitionWriter(Generic[State]):
    """Own one partition: queue commands, decide them in order, commit them in groups.

    One task runs `run`; everything else only queues and waits, so a cancelled request never
    cancels a commit.
    """

    def __init__(  # noqa: PLR0913 - clock and ids are seams
        self,
        log: EventLog,
        partition: int,
        decider: Decider[State, Any, Any],
        options: WriterOptions,
        *,
        turns: Turns,
        clock_us: Callable[[], int],
        new_event_id: Callable[[], str],
    ) -> None:
        self.partition = partition
        self.health = "acquiring"
        self.on_change: Callable[[], None] = lambda: None
        """Is called whenever `health` is another one."""
        self.counts = Counts()
        self._log = log
        self._turns = turns
        self._options = options
        self._clock_us = clock_us
        self._deciding = Deciding(
            decider, partition, options.source, clock_us, new_event_id, options.group_bytes_max
        )
        snapshots = Snapshots(partition, options.topic_id, decider.evolve, options.group_bytes_max)
        self._state = PartitionState(partition, decider, snapshots, options.hot_orders_max)
        self._appender: Appender | None = None
        self._loop = asyncio.get_running_loop()  # Asking each time costs a call of the system.
        self._queue: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._saving = Saving(partition, options.snapshot_interval_s, self._wake)

    @property
    def orders(self) -> int:
        """How many orders this owner knows."""
        return len(self._state.streams)

    def queue(self, submission: Submission) -> asyncio.Future[Outcome | Exception]:
        """Queue one command; what is awaited is its durable answer, or why there is none.

        Whoever cancels it loses the answer, and the command unless it is decided already. Among
        the exceptions: `domain.errors.Refused`, nothing was appended; `PartitionUnavailable`, the
        outcome is unknown: send again, same key.

        Raises:
            Overloaded: the queue is full; nothing was queued, send again later.
            NotServing: nothing was queued or decided; the owner may be another node by now.
            PartitionHalted: a person must look.
        """
        if self.health.startswith("halted"):
            raise self._unavailable()
        if self.health != "serving":
            raise NotServing(f"partition {self.partition} is {self.health}", 1)
        if len(self._queue) >= self._options.queue_commands_max:
            raise Overloaded(f"partition {self.partition} has a full queue")
        waiting = Waiting(submission, self._loop.create_future())
        self._queue.append(waiting)
        self._wake.set()
        return waiting.answer

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
            except Exception as error:  # noqa: BLE001 - any fault at all is a doubt, never the end
                attempt += 1
                if not isinstance(error, LogError):
                    _log.exception("writer_fault", partition=self.partition)
                self._doubt(error)
            finally:
                self._saving.stop()
                await self._drop_appender()
        self._refuse_all()

    async def _pause(self, seconds: float) -> None:
        """Wait before trying again; `close` ends the wait."""
        if seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()

    async def _acquire(self) -> None:
        """Fence, read to the end, mark the takeover. The order matters: see the module."""
        started = time.monotonic()
        self._appender = await self._log.open_appender(self.partition)
        if await self._state.catch_up(self._log, await self._log.end(self.partition)):
            self._drop_undecided()
        reach("caught_up")
        await self._append([self._state.mark(self._options.node, self._clock_us())])
        reach("marked")
        self.counts.acquired()
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
        with self.counts.transaction():
            first = await self._appender.append(records)
        if first != self._state.next_offset:
            raise Doubtful(f"offset {first} where {self._state.next_offset} was expected")
        self._state.next_offset = first + len(records) + _MARKERS_PER_TRANSACTION
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
        self._saving.start()
        while True:
            if self._saving.is_due():
                await self._save()
            if not self._queue:
                if self._closing.is_set():
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group: list[Waiting] = []
            try:
                async with self._turns.one():
                    await self._commit_group(group)
            except BaseException:
                for waiting in reversed(group):
                    waiting.is_doubtful = True
                    self._queue.appendleft(waiting)
                raise

    async def _save(self) -> None:
        """Save a part of what has changed, between two groups; the log does not need it."""
        records = self._state.unsaved(self._saving.part_bytes())
        if records and self._appender is not None:
            with self._saving.attempt(self._state.streams):
                await self._appender.save(records)
            self.counts.snapshots += 1
            if self._state.streams.changed:
                self._saving.go_on()

    async def _commit_group(self, group: list[Waiting]) -> None:
        """Decide what is queued, commit it, and only then publish and answer: refusals too."""
        staging = Staging(self._state.streams)
        decisions, records = self._decide_queued(group, staging)
        if records:
            staging.publish(await self._append(records))
            self._saving.appended(sum(decision.size_bytes for decision in decisions))
        else:
            await self._confirm()
        self.counts.answered(len(group))
        for waiting, decision in zip(group, decisions, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(settled(decision.answer, self._state.streams))
        group.clear()

    def _decide_queued(
        self, group: list[Waiting], staging: Staging[State]
    ) -> tuple[list[Decision], list[Record]]:
        return self._deciding.take(self._queue, group, staging, self._options.group_commands_max)

    def _doubt(self, error: Exception) -> None:
        """Stop accepting; what waits is answered from the log after the next acquisition."""
        self._become("in doubt")
        if self.counts.doubted(error) > self._options.patience_s:
            self._answer_unknown()
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
        self._answer_unknown()

    def _answer_unknown(self) -> None:
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
