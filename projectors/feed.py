"""One projection's own task: queue, connection, positions. It retries, splits, and stops."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from domain.events import Recorded
from projectors import checkpoints, metrics
from projectors.checkpoints import CheckpointTaken, GenerationChanged
from projectors.database import Connection, is_passing
from projectors.engine import Engine, Move
from projectors.folding import Decoded

_log = structlog.get_logger("orderlog.projectors")

QUEUE_BATCHES_MAX = 8
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_LOCK = 0x6F726C70
"""The advisory lock's first half: 'orlp' as a number. One process applies a projection."""

Connect = Callable[[], Awaitable[Connection]]


class Standby(Exception):  # noqa: N818 - the name is the state
    """Another process holds the projection's lock: wait until it is free."""


class Feed:
    """Applies decoded batches to one live generation until it is told to finish.

    The advisory lock says who *should* apply; that nobody applies twice rests on the checkpoint.
    """

    def __init__(self, engine: Engine, connect: Connect, events_max: int) -> None:
        self.name = engine.projection.name
        self.positions: dict[int, int] = {}
        self.stuck: dict[int, str] = {}
        self.trouble: str | None = None
        self.is_open = True
        self._engine = engine
        self._connect = connect
        self._events_max = events_max
        self._connection: Connection | None = None
        self._queue: asyncio.Queue[Decoded | None] = asyncio.Queue(QUEUE_BATCHES_MAX)

    async def open(self) -> bool:
        """Take the lock and read the checkpoints; False: another process applies it."""
        try:
            connection = await self._connected()
        except Standby:
            self.is_open = False
            return False
        self.positions = await checkpoints.load(connection, self._engine.place)
        for partition in self.positions:
            metrics.STUCK.labels(self.name, partition).set(0)
        return True

    async def put(self, decoded: Decoded) -> None:
        """Hand a batch over; waits while the queue is full. Ignored after the feed has stopped."""
        if self.is_open and decoded.partition not in self.stuck:
            await self._queue.put(decoded)

    async def finish(self) -> None:
        """Let `run` end after what is queued."""
        if self.is_open:
            await self._queue.put(None)

    async def close(self) -> None:
        """Drop what is queued, so that nobody waits to put, and let the connection go."""
        self.is_open = False
        while not self._queue.empty():
            self._queue.get_nowait()
        await self._disconnect()

    async def run(self) -> None:
        """Apply until `finish`.

        Raises:
            Standby: the connection was lost, and another process has, or had, the projection.
            CheckpointTaken: somebody moved the checkpoint without the lock: do not go on.
            GenerationChanged: another generation is live: begin there.
        """
        try:
            while (taken := await self._take()) is not None:
                moves = self._moves(taken)
                if moves:
                    await self._settle(moves)
                for decoded in taken:
                    if decoded.fault is not None and decoded.partition not in self.stuck:
                        await self._stop_at(decoded.partition, decoded.fault)
        finally:
            await self.close()

    async def _take(self) -> list[Decoded] | None:
        """Return one batch and those that wait behind it, up to the size of a transaction."""
        first = await self._queue.get()
        if first is None:
            return None
        taken, events = [first], len(first.records)
        while not self._queue.empty() and events < self._events_max:
            following = self._queue.get_nowait()
            if following is None:
                self._queue.put_nowait(None)
                break
            taken.append(following)
            events += len(following.records)
        return taken

    def _moves(self, taken: Sequence[Decoded]) -> list[Move]:
        """Return what is new in the batches: overlap with what was applied is passed over."""
        records: dict[int, list[Recorded]] = {}
        ends: dict[int, int] = {}
        for decoded in taken:
            position = ends.get(decoded.partition, self.positions[decoded.partition])
            if decoded.partition in self.stuck or decoded.next_offset <= position:
                continue
            fresh = [recorded for recorded in decoded.records if recorded.offset >= position]
            records.setdefault(decoded.partition, []).extend(fresh)
            ends[decoded.partition] = decoded.next_offset
        return [
            Move(partition, self.positions[partition], end, tuple(records[partition]))
            for partition, end in sorted(ends.items())
        ]

    async def _settle(self, moves: Sequence[Move]) -> None:
        """Apply; when that is refused for good, halve until the one event is found, and stop there.

        What comes before that event, and every other partition, is applied.
        """
        try:
            await self._apply(moves)
        except (CheckpointTaken, GenerationChanged, Standby):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the function or the database refuses
            parts = _halves(moves)
            if not parts:
                await self._stop_at(moves[0].partition, _sentence(moves[0], error))
            for part in parts:
                rest = [move for move in part if move.partition not in self.stuck]
                if rest:
                    await self._settle(rest)

    async def _apply(self, moves: Sequence[Move]) -> None:
        started = time.monotonic()

        async def work(connection: Connection, is_again: bool) -> None:
            if not (is_again and await self._is_done(connection, moves)):
                await self._engine.apply(connection, moves)

        await self._retried(work)
        self.positions |= {move.partition: move.new for move in moves}
        metrics.EVENTS.labels(self.name).inc(sum(len(move.records) for move in moves))
        metrics.APPLY_SECONDS.labels(self.name).observe(time.monotonic() - started)

    async def _is_done(self, connection: Connection, moves: Sequence[Move]) -> bool:
        """Tell whether the transaction whose answer was lost had been committed.

        Raises:
            Standby: neither it nor what was before: another process had the projection meanwhile.
        """
        found = await checkpoints.load(connection, self._engine.place)
        if all(found.get(move.partition) == move.new for move in moves):
            return True
        if any(found.get(move.partition) != move.old for move in moves):
            raise Standby(f"another process has applied {self.name} meanwhile")
        return False

    async def _stop_at(self, partition: int, why: str) -> None:
        """Keep this partition where it is; a restart, or a newer release, tries again."""
        self.stuck[partition] = why
        metrics.STUCK.labels(self.name, partition).set(1)
        _log.error("projection_stopped", projection=self.name, partition=partition, reason=why)

        async def work(connection: Connection, _: bool) -> None:
            await checkpoints.set_error(connection, self._engine.place, partition, why)

        await self._retried(work)

    async def _retried(self, work: Callable[[Connection, bool], Awaitable[None]]) -> None:
        """Do `work` until no error stands in its way that passes by itself."""
        pause_s, is_again = _FIRST_PAUSE_S, False
        while True:
            try:
                await work(await self._connected(), is_again)
            except Exception as error:
                if not is_passing(error):
                    raise
                self.trouble = f"Postgres: {error!r}; trying again"
                metrics.RETRIES.labels(self.name).inc()
                _log.warning("projection_retries", projection=self.name, error=repr(error))
                await self._disconnect()
                await asyncio.sleep(pause_s)
                pause_s, is_again = min(pause_s * 2, _LONGEST_PAUSE_S), True
            else:
                self.trouble = None
                return

    async def _connected(self) -> Connection:
        if self._connection is None:
            connection = await self._connect()
            if not await connection.fetchval(
                "SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK, self.name
            ):
                await connection.close()
                raise Standby(f"another process applies {self.name}")
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close(timeout=1)


async def is_free(connection: Connection, name: str) -> bool:
    """Tell whether nobody applies the projection at this moment."""
    taken: bool = await connection.fetchval(
        "SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK, name
    )
    if taken:
        await connection.execute("SELECT pg_advisory_unlock($1, hashtext($2))", _LOCK, name)
    return taken


def troubles(feeds: Sequence[Feed]) -> Mapping[str, str | None]:
    """Say per projection what is wrong with it; None: nothing."""
    return {
        feed.name: feed.trouble or (" / ".join(feed.stuck.values()) if feed.stuck else None)
        for feed in feeds
    }


def _halves(moves: Sequence[Move]) -> list[Sequence[Move]]:
    """Return the moves as two parts, first partitions apart, then events; empty: one event."""
    if len(moves) > 1:
        middle = len(moves) // 2
        return [moves[:middle], moves[middle:]]
    move = moves[0]
    middle = len(move.records) // 2
    if not middle:
        return []
    between = move.records[middle].offset
    return [
        [Move(move.partition, move.old, between, move.records[:middle])],
        [Move(move.partition, between, move.new, move.records[middle:])],
    ]


def _sentence(move: Move, error: Exception) -> str:
    where = f"partition {move.partition} offset {move.old}"
    if move.records:
        recorded = move.records[0]
        where = f"partition {move.partition} offset {recorded.offset} ({recorded.type} of order "
        where += f"{recorded.order_id}, version {recorded.version})"
    return f"cannot apply {where}: {error!r}. Fix the function or the log's reader, then restart"
