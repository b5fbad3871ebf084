"""An export as it is sent: a few at once, at the client's pace, cut when the client leaves."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_api import metrics
from query_api.problems import Problem
from query_api.sse import left
from runtime.connections import break_off

_log = structlog.get_logger("orderlog.query")

_SEND_S = 30.0
_RETRY_AFTER_S = 10

Begun = AbstractAsyncContextManager[AsyncGenerator[bytes, None]]


class Exports:
    """Counts the exports of this process, and ends them with it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Cut what is being sent, and begin nothing any more: the process ends."""
        self._closed.set()

    async def closed(self) -> None:
        """Return when the process is to end."""
        await self._closed.wait()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Problem: `too-many-exports`, or `log-unavailable` when the process is to end.
        """
        if self._closed.is_set():
            raise _stopping()
        if self._open >= self._most:
            raise Problem(
                "too-many-exports",
                f"{self._most} exports are under way on this node, which is as many as it may "
                "have (ORDERLOG_QUERY_EXPORTS_MAX)",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._open += 1
        try:
            with metrics.EXPORTS.track_inprogress():
                yield
        finally:
            self._open -= 1


def _stopping() -> Problem:
    detail = "this process stops, and begins nothing any more; ask again"
    return Problem("log-unavailable", detail, retry_after_s=_RETRY_AFTER_S)


class ExportResponse(Response):
    """Sends what `begin` yields. Its last byte is sent only when all was: a cut one is broken off.

    `begin` raises a `Problem` before anything is sent; what it does when it is left runs to its
    end also when the client is gone.
    """

    def __init__(
        self, exports: Exports, begin: Callable[[], Begun], media_type: str, name: str
    ) -> None:
        self._exports, self._begin = exports, begin
        self._is_begun = self._is_sent = False
        self.media_type = media_type
        self.status_code = 200
        self.background = None
        self.init_headers(
            {
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        with self._exports.one():
            sending = asyncio.create_task(self._send(send))
            leaving = {
                asyncio.create_task(left(receive)),
                asyncio.create_task(self._exports.closed()),
            }
            try:
                await asyncio.wait({sending, *leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, *leaving):
                    task.cancel()
                if self._is_begun and not self._is_sent:
                    break_off(scope)
                # What was begun is left in order, which takes a moment: its end is recorded.
                await asyncio.gather(sending, *leaving, return_exceptions=True)
            self._judge(sending)

    def _judge(self, sending: asyncio.Task[None]) -> None:
        """Answer with a problem what had not begun; note what was cut."""
        error = None if sending.cancelled() else sending.exception()
        if self._is_begun:
            if error is not None:
                _log.warning("export_cut", reason=repr(error))
        elif error is not None:
            raise error
        elif sending.cancelled():
            raise _stopping()

    async def _send(self, send: Send) -> None:
        async with self._begin() as pieces:
            async for piece in pieces:
                if not self._is_begun:
                    self._is_begun = True
                    await send(
                        {
                            "type": "http.response.start",
                            "status": self.status_code,
                            "headers": self.raw_headers,
                        }
                    )
                async with asyncio.timeout(_SEND_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            self._is_sent = True
