"""Waiting for the projectors: one listening connection per process wakes everyone who waits."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping

import asyncpg
import structlog

from query_api.database import Connection, Database
from query_api.positions import CONTAINED

_log = structlog.get_logger("orderlog.query")

CHANNELS = ("orderlog_checkpoints", "orderlog_generations")
"""Notified by the projectors: a live checkpoint moved; another generation is live."""

POLL_S = 1.0
"""How often those who wait look without a notification: one may have been lost."""

LAST_WAIT_S = 2.0
"""How long a request goes on waiting once the process is to end: what it waits for comes within
milliseconds where projectors run. Below the ten seconds after which containers are killed."""

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_ALL = f"SELECT projection, {CONTAINED} GROUP BY projection"
_BROKEN = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Checkpoints:
    """The live checkpoints, looked at again whenever they move, as long as someone waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look = asyncio.Event()
        self._round = asyncio.Event()
        self._found: Mapping[str, str] = {}
        self._waiting = 0
        self._closed_at = math.inf

    @property
    def is_closed(self) -> bool:
        """Tell whether the process is to end."""
        return self._closed_at < math.inf

    async def until(
        self,
        projection: str,
        is_enough: Callable[[str], bool],
        timeout_s: float,
        *,
        last_wait_s: float = 0.0,
    ) -> bool:
        """Wait until `is_enough` of the projection's checkpoints, in the words of `CONTAINED`.

        The first look is taken at once. False: not within `timeout_s`, or not within `last_wait_s`
        since `close` was called.
        """
        deadline = time.monotonic() + timeout_s
        self._waiting += 1
        self._look.set()
        try:
            while True:
                left_s = min(deadline, self._closed_at + last_wait_s) - time.monotonic()
                if left_s <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`: before Python 3.12 it swallows the cancellation of whoever
                    # leaves at the moment of a round, and a stream would keep its place.
                    async with asyncio.timeout(left_s):
                        await self._round.wait()
                    if projection in self._found and is_enough(self._found[projection]):
                        return True
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let everyone go who waits, now and later, or in `last_wait_s`: the process ends."""
        self._closed_at = min(self._closed_at, time.monotonic())
        self._publish(self._found)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen in the background."""
        task = asyncio.create_task(self._run(), name="checkpoints")
        try:
            yield
        finally:
            self.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                connection = await self._database.connect()
                try:
                    pause_s = _FIRST_PAUSE_S
                    await self._listen(connection)
                finally:
                    connection.terminate()
            except _BROKEN as error:
                _log.warning("not_listening", reason=repr(error), pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _listen(self, connection: Connection) -> None:
        connection.add_termination_listener(lambda _: self._look.set())
        for channel in CHANNELS:
            await connection.add_listener(channel, lambda *_: self._look.set())
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S if self._waiting else None):
                    await self._look.wait()
            self._look.clear()
            if connection.is_closed():
                raise ConnectionResetError("the listening connection was closed")
            if self._waiting:
                rows = await connection.fetch(_ALL)
                self._publish({row["projection"]: row["contained"] for row in rows})

    def _publish(self, found: Mapping[str, str]) -> None:
        self._found = found
        before, self._round = self._round, asyncio.Event()
        before.set()
