"""The live projector: one reader, one feed per projection, from the checkpoints on, until told."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from eventlog.log import IntegrityError, LogIdentity, LogUnavailable
from eventlog.topics import Topics
from projectors import binding, checkpoints, generations, metrics
from projectors.checkpoints import CheckpointTaken, GenerationChanged
from projectors.database import (
    GENERATIONS_CHANNEL,
    Connection,
    Incompatible,
    connect,
    is_passing,
)
from projectors.engine import Engine
from projectors.feed import Feed, Standby, is_free, troubles
from projectors.follow import Follower
from projectors.generations import Generation, verified_rows
from projectors.kinds import Projection
from projectors.lag import HELD_TIMEOUTS, Lags
from projectors.read_models import PROJECTIONS
from runtime.settings import DatabaseSettings, LogSettings, ProjectorSettings

_log = structlog.get_logger("orderlog.projectors")

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_DRAIN_S = 6.0  # Docker kills ten seconds after SIGTERM.
_SILENT_BEATS = 30
"""After so many heartbeats without a word from its process, a projection is another one's."""


class Live:
    """Applies the log to the live generation of every projection; `status` says how it goes."""

    def __init__(
        self,
        log: LogSettings,
        database: DatabaseSettings,
        projector: ProjectorSettings,
        projections: Sequence[Projection] = tuple(PROJECTIONS.values()),
    ) -> None:
        self._log_settings = log
        self._database = database
        self._settings = projector
        self._projections = projections
        self._stopped: dict[str, str] = {}
        self._standby: set[str] = set()
        self._refused: dict[str, str] = {}
        self._feeds: list[Feed] = []
        self._identity: LogIdentity | None = None
        self._trouble: dict[str, str | None] = {"kafka": "not yet read", "postgres": "starting"}
        self._lags = Lags()

    def status(self) -> Mapping[str, str | None]:
        """Say per dependency and projection what is wrong; None: nothing. Any thread may ask."""
        held_limit_s = HELD_TIMEOUTS * self._log_settings.transaction_timeout_ms / 1000
        late = self._lags.troubles(self._settings.lag_seconds_max, held_limit_s)
        own = troubles(tuple(self._feeds))
        return {
            **self._trouble,
            "transactions": late.get("transactions"),
            **self._refused,
            **{name: why or late.get(name) for name, why in own.items()},
            **self._stopped,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Apply until `stop` is set, whatever passes by itself in between.

        Raises:
            Incompatible: wrong schema or log; the message has the remedy.
            CheckpointTaken: other processes moved the checkpoints of all projections.
        """
        pause_s = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                await self._session(stop)
                pause_s = _FIRST_PAUSE_S
            except IntegrityError as error:
                raise Incompatible(str(error)) from error
            except Exception as error:
                if not is_passing(error) and not isinstance(error, LogUnavailable):
                    raise
                where = "kafka" if isinstance(error, LogUnavailable) else "postgres"
                self._trouble[where] = f"{error!r}; trying again"
                _log.warning("projector_starts_again", reason=repr(error), pause_s=pause_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await stop.wait()
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _session(self, stop: asyncio.Event) -> None:
        """Begin at what the database says, and go on until that changes."""
        connection = await connect(self._database)
        try:
            identity = await binding.bind(connection, self._log_settings)
            self._identity = identity
            await generations.ensure_live(connection, self._projections, identity.partitions)
            changed = asyncio.Event()
            await connection.add_listener(GENERATIONS_CHANNEL, lambda *_: changed.set())
            live = {
                g.projection: g for g in await generations.load(connection) if g.state == "live"
            }
            await self._open_feeds(live)
            self._trouble["postgres"] = None
            await self._work(connection, live, stop, changed)
        finally:
            for feed in self._feeds:
                await feed.close()
            with contextlib.suppress(Exception):
                await connection.close(timeout=1)

    async def _open_feeds(self, live: Mapping[str, Generation]) -> None:
        self._feeds, self._standby, self._refused = [], set(), {}
        self._lags = Lags()
        silent_ms = _SILENT_BEATS * self._settings.heartbeat_ms
        metrics.forget()
        for projection in self._projections:
            name, generation = projection.name, live[projection.name]
            if name in self._stopped:
                continue
            if generation.function_version != projection.function_version:
                self._refused[name] = (
                    f"generation {generation.generation} of {name} was made by version "
                    f"{generation.function_version} of its function, this release has version "
                    f"{projection.function_version}: run `orderlog rebuild --projection {name}`"
                )
                _log.error("projection_refused", projection=name, reason=self._refused[name])
                continue
            feed = Feed(
                Engine(
                    projection,
                    generation.generation,
                    parked_max=self._settings.parked_orders_max,
                ),
                lambda: connect(self._database, silent_ms=silent_ms),
                self._settings.batch_events_max,
                silent_ms / 3_000,
            )
            if await feed.open():
                self._feeds.append(feed)
            else:
                self._standby.add(name)
                _log.info("projection_standby", projection=name)

    async def _work(
        self,
        connection: Connection,
        live: Mapping[str, Generation],
        stop: asyncio.Event,
        changed: asyncio.Event,
    ) -> None:
        feeds: dict[asyncio.Task[Any], Feed] = {
            asyncio.create_task(feed.run(), name=feed.name): feed for feed in self._feeds
        }
        others: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._heartbeat(connection, live, changed)),
            asyncio.create_task(changed.wait()),
            asyncio.create_task(stop.wait()),
        ]
        running: set[asyncio.Task[Any]] = set(feeds)
        try:
            while not changed.is_set() and not stop.is_set():
                done, _ = await asyncio.wait(
                    {*others, *running}, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done & set(others):
                    task.result()
                for task in done & running:
                    running.discard(task)
                    self._ended(feeds[task].name, task.exception(), changed)
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._drain(running, [feeds[task] for task in running])

    def _ended(self, name: str, error: BaseException | None, changed: asyncio.Event) -> None:
        """Decide what the end of one feed means for the others."""
        if isinstance(error, GenerationChanged | Standby):
            changed.set()
        elif isinstance(error, CheckpointTaken):
            self._stopped[name] = str(error)
            _log.error("projection_stopped", projection=name, reason=str(error))
            if len(self._stopped) == len(self._projections):
                raise error
        elif error is not None:
            raise error

    async def _drain(self, tasks: set[asyncio.Task[Any]], feeds: Sequence[Feed]) -> None:
        """Let what is queued be applied, within a deadline."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await asyncio.gather(*(feed.finish() for feed in feeds))
                await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        """Hand every batch to every feed; a full queue stops the reading."""
        starts: dict[int, int] = {}
        for feed in self._feeds:
            for partition, position in feed.positions.items():
                starts[partition] = min(position, starts.get(partition, position))
        if not starts:
            await asyncio.Event().wait()  # All projections are refused or elsewhere.
        follower = Follower(self._log_settings, self._settings, starts)
        try:
            while True:
                try:
                    found = await follower.next()
                except LogUnavailable as error:
                    self._trouble["kafka"] = f"{error}; trying again"
                    await asyncio.sleep(_FIRST_PAUSE_S)
                    continue
                self._trouble["kafka"] = None
                for decoded in found:
                    for feed in self._feeds:
                        await feed.put(decoded)
        finally:
            await follower.close()

    async def _heartbeat(
        self, connection: Connection, live: Mapping[str, Generation], changed: asyncio.Event
    ) -> None:
        """Note where the log ends; look for another log, other generations, free projections."""
        topics = Topics(self._log_settings)
        partitions = max((len(feed.positions) for feed in self._feeds), default=0)
        while True:
            try:
                if self._identity is not None:
                    await binding.require_same(topics, self._identity)
                if partitions:
                    await self._measure(connection, topics, partitions)
                else:
                    self._trouble["kafka"] = None  # Nothing is read here; it could be at once.
            except LogUnavailable as error:
                if not partitions:
                    self._trouble["kafka"] = f"{error}; trying again"
            now = [g for g in await generations.load(connection) if g.state == "live"]
            is_other = any(g != live.get(g.projection) for g in now)
            if is_other or any([await is_free(connection, name) for name in self._standby]):
                changed.set()
            await asyncio.sleep(self._settings.heartbeat_ms / 1000)

    async def _measure(self, connection: Connection, topics: Topics, partitions: int) -> None:
        """Note in the database and in the metrics how far everything is."""
        ends = await asyncio.to_thread(topics.ends, partitions)
        highs = await asyncio.to_thread(topics.ends, partitions, is_committed_only=False)
        names = [feed.name for feed in self._feeds]
        self._lags.note(ends, highs, {feed.name: feed.positions for feed in self._feeds})
        held_s = self._lags.held_s()
        await checkpoints.set_ends(connection, ends, names, held_s)
        for (name, partition), behind in self._lags.records().items():
            metrics.LAG.labels(name, partition).set(behind)
        for (name, partition), behind_s in self._lags.seconds().items():
            metrics.LAG_SECONDS.labels(name, partition).set(behind_s)
        for partition in ends:
            metrics.OPEN_TRANSACTION.labels(partition).set(held_s.get(partition, 0.0))
        for name, partition, orders in await checkpoints.parked_orders(connection, names):
            metrics.PARKED.labels(name, partition).set(orders)
        for name, verified in (await verified_rows(connection, names)).items():
            metrics.DRIFT.labels(name).set(verified.differing)
            metrics.VERIFIED.labels(name).set(verified.at.timestamp())
