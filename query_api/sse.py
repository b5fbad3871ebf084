"""Server-Sent Events: frames, and a response that follows a read model until somebody leaves."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from query_api import metrics
from query_api.checkpoints import Checkpoints
from query_api.problems import Problem

_log = structlog.get_logger("orderlog.query")

HEARTBEAT_S = 15.0
"""Proxies close what is silent for longer; a comment now and then keeps the stream open."""

_SEND_S = 30.0
_RETRY_AFTER_S = 5
_BEGINNING = b"retry: 2000\n\n"
_HEARTBEAT = b": still here\n\n"


def frame(data: Any, event_id: str | int, event: str | None = None) -> bytes:
    """Write one event; JSON has no line breaks. Without `event` it is a `message`."""
    name = f"event: {event}\n" if event else ""
    return f"{name}id: {event_id}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


class Streams:
    """Counts the streams of this process; each takes memory, and questions per notification."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Problem: `too-many-streams`.
        """
        if self._open >= self._most:
            raise Problem(
                "too-many-streams",
                f"{self._most} streams are open on this node, which is as many as it may have",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._open += 1
        try:
            with metrics.STREAMS.track_inprogress():
                yield
        finally:
            self._open -= 1


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the read model gave: frames, and whether there is more right behind them.

    `is_news` tells of checkpoints, in the words of `CONTAINED`, whether to look again.
    """

    frames: bytes
    is_more: bool
    is_news: Callable[[str], bool]


class Following:
    """Makes the streams of this process."""

    def __init__(self, checkpoints: Checkpoints, streams: Streams) -> None:
        self._checkpoints = checkpoints
        self._streams = streams

    def response(
        self, projection: str, look: Callable[[], Awaitable[Look]], headers: Mapping[str, str]
    ) -> "EventStream":
        """Return a response that looks, sends what it saw, and looks again when there is news."""
        return EventStream(self._frames(projection, look), self._streams, headers)

    async def _frames(
        self, projection: str, look: Callable[[], Awaitable[Look]]
    ) -> AsyncGenerator[bytes, None]:
        yield _BEGINNING
        while not self._checkpoints.is_closed:
            try:
                seen = await look()
            except Problem as problem:
                _log.warning("stream_ended", code=problem.code)  # The client resumes by itself.
                return
            if seen.frames:
                yield seen.frames
            if seen.is_more:
                continue
            if not await self._checkpoints.until(projection, seen.is_news, HEARTBEAT_S):
                yield _HEARTBEAT


class EventStream(StreamingResponse):
    """Sends frames until they end, the client leaves, or it does not read for `_SEND_S`."""

    media_type = "text/event-stream"

    def __init__(
        self, frames: AsyncGenerator[bytes, None], streams: Streams, headers: Mapping[str, str]
    ) -> None:
        super().__init__(frames, headers={**headers, "X-Accel-Buffering": "no"})
        self._frames, self._streams = frames, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it; leaving a stream is its usual end and no error."""
        del scope
        async with contextlib.aclosing(self._frames):
            with self._streams.one():
                await send(
                    {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                )
                tasks = {
                    asyncio.create_task(self._send(send)),
                    asyncio.create_task(left(receive)),
                }
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        try:
            async for sent in self._frames:
                async with asyncio.timeout(_SEND_S):
                    await send({"type": "http.response.body", "body": sent, "more_body": True})
        except TimeoutError:
            _log.warning("stream_not_read", seconds=_SEND_S)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def left(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
