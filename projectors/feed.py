"""One projection's own task: queue, connection, positions. It retries, parks, and stops."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from projectors import checkpoints, metrics
from projectors.checkpoints import CheckpointTaken, GenerationChanged
from projectors.database import Connection, is_passing
from projectors.engine import Engine, Move
from projectors.folding import Decoded
from projectors.parked.parking import Item, Parked, TooManyParked
from projectors.parked.settling import settle

_log = structlog.get_logger("orderlog.projectors")

QUEUE_BATCHES_MAX = 4
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
    Postgres ends connections that are silent (see `connect`), so that a process that sleeps is
    replaced; one that has nothing to do speaks up every `speak_s`.
    """

    def __init__(
        self, engine: Engine, connect: Connect, events_max: int, speak_s: float | None = None
    ) -> None:
        self.name = engine.projection.name
        self.positions: dict[int, int] = {}
        self.stuck: dict[int, str] = {}
        self.trouble: str | None = None
        self.is_open = True
        self._engine = engine
        self._connect = connect
        self._events_max = events_max
        self._speak_s = speak_s
        self._connection: Connection | None = None
        self._queue: asyncio.Queue[Decoded | None] = asyncio.Queue(QUEUE_BATCHES_MAX)

    async def open(self) -> bool:
        """Take the lock and read the checkpoints; False: another process applies it."""
        try:
            connection = await self._connected()
            self.positions = await checkpoints.load(connection, self._engine.place)
            await self._engine.load(connection)
        except Standby:
            self.is_open = False
            return False
        except BaseException:
            await self._disconnect()  # The lock must not stay with a connection that is forgotten.
            raise
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
                elif not taken:
                    await self._retried(self._speak)
        finally:
            await self.close()

    async def _take(self) -> list[Decoded] | None:
        """Return one batch and those that wait behind it, up to the size of a transaction.

        Empty: nothing has come for so long that it is time to speak up.
        """
        try:
            async with asyncio.timeout(self._speak_s):
                first = await self._queue.get()
        except TimeoutError:
            return []
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
        records: dict[int, list[Item]] = {}
        ends: dict[int, int] = {}
        for decoded in taken:
            position = ends.get(decoded.partition, self.positions[decoded.partition])
            if decoded.partition in self.stuck or decoded.next_offset <= position:
                continue
            fresh = [item for item in decoded.records if item.offset >= position]
            records.setdefault(decoded.partition, []).extend(fresh)
            ends[decoded.partition] = decoded.next_offset
        return [
            Move(partition, self.positions[partition], end, tuple(records[partition]))
            for partition, end in sorted(ends.items())
        ]

    async def _settle(self, moves: Sequence[Move]) -> None:
        """Apply, and park what must be; stop the partitions that cannot be helped by that."""
        try:
            await settle(moves, self._apply, self._stop_at)
        except (CheckpointTaken, GenerationChanged, Standby):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours or the schema's: nothing is lost
            for move in moves:
                if self.positions[move.partition] < move.new:
                    await self._stop_at(move, error)

    async def _apply(self, moves: Sequence[Move]) -> None:
        """Apply what is not of a partition that has stopped meanwhile."""
        moves = [move for move in moves if move.partition not in self.stuck]
        if not moves:
            return
        started = time.monotonic()
        parked: list[Parked] = []

        async def work(connection: Connection, is_new: bool) -> None:
            if not (is_new and await self._is_done(connection, moves)):
                parked[:] = await self._engine.apply(connection, moves)

        await self._retried(work)
        self.positions |= {move.partition: move.new for move in moves}
        for one in parked:
            _log.error("order_parked", projection=self.name, order=one.order_id, reason=one.error)
        metrics.EVENTS.labels(self.name).inc(sum(len(move.records) for move in moves))
        metrics.APPLY_SECONDS.labels(self.name).observe(time.monotonic() - started)

    async def _is_done(self, connection: Connection, moves: Sequence[Move]) -> bool:
        """Tell, on a new connection, whether the transaction was committed when the last one broke.

        What it parked is read again: its answer was lost, and later events must wait.

        Raises:
            Standby: neither it nor what was before: another process had the projection meanwhile.
        """
        found = await checkpoints.load(connection, self._engine.place)
        if moves and found == self.positions | {move.partition: move.new for move in moves}:
            await self._engine.load(connection)
            return True
        if found != self.positions:
            raise Standby(f"another process has applied {self.name} meanwhile")
        return False

    async def _speak(self, connection: Connection, is_new: bool) -> None:
        if is_new:
            await self._is_done(connection, ())
        else:
            await connection.execute("SELECT 1")

    async def _stop_at(self, move: Move, error: Exception) -> None:
        """Keep this partition where it is; a restart, or a newer release, tries again."""
        partition = move.partition
        if isinstance(error, TooManyParked):
            why = str(error)
        else:
            why = f"cannot apply partition {partition} from offset {move.old}: {error!r}"
        self.stuck[partition] = why
        metrics.STUCK.labels(self.name, partition).set(1)
        _log.error("projection_stopped", projection=self.name, partition=partition, reason=why)

        async def work(connection: Connection, is_new: bool) -> None:
            if is_new:
                await self._is_done(connection, ())
            await checkpoints.set_error(connection, self._engine.place, partition, why)

        await self._retried(work)

    async def _retried(self, work: Callable[[Connection, bool], Awaitable[None]]) -> None:
        """Do `work` until no error stands in its way that passes by itself.

        It is told whether the connection is new: somebody else may have been here meanwhile.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            is_new = self._connection is None
            try:
                await work(await self._connected(), is_new)
            except Exception as error:
                if not is_passing(error):
                    raise
                self.trouble = f"Postgres: {error!r}; trying again"
                metrics.RETRIES.labels(self.name).inc()
                _log.warning("projection_retries", projection=self.name, error=repr(error))
                await self._disconnect()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                self.trouble = None
                return

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._connect()
            if not await self._connection.fetchval(
                "SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK, self.name
            ):
                await self._disconnect()
                raise Standby(f"another process applies {self.name}")
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
