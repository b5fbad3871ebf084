"""uvicorn's HTTP/1.1 connection, with bounds on what comes before a request's body.

uvicorn itself waits for ever for headers that do not come, and keeps whatever comes of them.
"""

import asyncio
import select
import time
import weakref
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_CYCLE = "orderlog.cycle"
"""Where a request's scope has uvicorn's own knowledge of it."""
_CONNECTION = "orderlog.connection"
_CLOSED = getattr(select, "POLLRDHUP", 0)
"""What Linux says of a peer that has closed; elsewhere it is seen a moment later."""
_GATHERED_BYTES_MAX = 64 * 1024
_LATE_S = 0.2
_OLD_FOR_S = 2.0
"""So long after it stood still the loop may find requests of the time before."""
_TITLES = {
    HTTPStatus.BAD_REQUEST: ("malformed-request", "This is no HTTP/1.1 request."),
    HTTPStatus.REQUEST_TIMEOUT: ("head-timeout", "The headers did not come in time."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("head-too-large", "The headers are too large."),
}


def is_received(scope: Scope) -> bool:
    """Tell whether a request's body is here as a whole, so that nothing is to be waited for."""
    known = scope.get(_CYCLE)
    cycle = None if known is None else known()
    return cycle is not None and not cycle.more_body


def has_left(scope: Scope) -> bool:
    """Tell whether the client has closed its connection, as far as it is known to the system.

    A process that stood still finds requests that were given up long ago, and sent again to others:
    the loop would hand them out before it sees that their connections were closed.
    """
    known = scope.get(_CONNECTION)
    connection = None if known is None else known()
    return connection is not None and connection.is_closed()


def end_with_client(scope: Scope) -> None:
    """Cancel the task that runs now when the client closes its connection before it is done."""
    known = scope.get(_CONNECTION)
    connection = None if known is None else known()
    if connection is not None:
        task = asyncio.current_task()
        connection.leave = None if task is None else task.cancel


def break_off(scope: Scope) -> None:
    """Close the client's connection at once, whatever was not taken yet: the answer is cut."""
    known = scope.get(_CONNECTION)
    connection = None if known is None else known()
    if connection is not None:
        connection.transport.abort()


class Pulse:
    """Tells whether the event loop stood still lately: what it finds then may be old.

    Nobody has to be asked whether he is still there as long as requests are read when they come.
    """

    def __init__(self) -> None:
        self._beat_s = self._old_until_s = 0.0

    def beat(self) -> None:
        """Say several times a second that the loop goes on."""
        now_s = time.monotonic()
        if now_s - self._beat_s > _LATE_S:
            self._old_until_s = now_s + _OLD_FOR_S
        self._beat_s = now_s

    def was_late(self) -> bool:
        """Tell whether it does not beat, or did not a moment ago."""
        now_s = time.monotonic()
        return now_s - self._beat_s > _LATE_S or now_s < self._old_until_s


class Gathering:
    """A transport that writes what belongs together at once: a head and its body, many answers.

    Each write is a call of the system and wakes the client, who would get an answer in two parts.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write at the end of what the loop does now."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > _GATHERED_BYTES_MAX:
            self._flush()

    def write_whole(self, data: bytes) -> None:
        """Write an answer that nothing belongs to, behind what was gathered."""
        if self._parts:
            self.write(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Write what is left, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts, self._bytes = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


class Bounded(HttpToolsProtocol):
    """A connection that does not wait for ever, and keeps no more than `bytes_max` of a head."""

    bytes_max: int
    timeout_s: float

    _refused = HTTPStatus.BAD_REQUEST
    _is_in_head = False
    _has_begun = False
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    _is_lost = False
    leave: Callable[[], object] | None = None
    """Is called when the connection ends, whether its last request was answered or not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request."""
        self._self = weakref.ref(self)
        self._closed = select.poll()
        self._closed.register(transport.get_extra_info("socket").fileno(), _CLOSED)
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_timer()
        self._is_lost = True
        super().connection_lost(exc)
        if self.leave is not None:
            self.leave()

    def is_closed(self) -> bool:
        """Tell whether the other side has closed."""
        return self._is_lost or bool(self._closed.poll(0))

    def data_received(self, data: bytes) -> None:
        """Take bytes; as long as they complete no head, they are counted and timed."""
        if self.transport.is_closing():
            return
        self._has_begun = False
        self.feed(data)
        if self.transport.is_closing() or not (self._is_in_head or self._is_silent()):
            return
        # What comes before a head that begins here, or after an early answer, is a body.
        if self._is_in_head and not self._has_begun:
            self._head_bytes += len(data)
        if self._head_bytes > self.bytes_max:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self._await_head()

    def feed(self, data: bytes) -> None:
        """Give bytes to the parser."""
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._is_in_head = self._has_begun = True
        self._head_bytes = 0
        self._unset_keepalive_if_required()  # The one before may have been answered just now.
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Let the request begin, unless its head is too large."""
        self.end_head()
        self.begin()

    def end_head(self) -> None:
        """Have the whole head, unless it is too large."""
        self._is_in_head = False
        self._stop_timer()
        if len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > self.bytes_max:
            self._refused = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError  # The parser stops, and `send_400_response` answers.

    def begin(self) -> None:
        """Hand the request to the application."""
        super().on_headers_complete()
        # Weak, for the cycle has the scope: each request would be left to the garbage collector.
        self.scope[_CYCLE] = weakref.ref(self.cycle)  # type: ignore[literal-required]
        self.scope[_CONNECTION] = self._self  # type: ignore[literal-required]

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words are not used
        """Answer what is no request, as a problem document."""
        self._refuse(self._refused)

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.timeout_s, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_silent(self) -> bool:
        """Tell whether nothing is asked, and no answer before has begun a keep-alive."""
        return self._is_idle() and self.timeout_keep_alive_task is None

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        self._timer = None
        if self._is_in_head and self._is_idle():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Say why, and close."""
        self._stop_timer()
        code, title = _TITLES[status]
        body = (
            f'{{"type":"urn:orderlog:problem:{code}","title":"{title}","status":{status.value},'
            f'"code":"{code}"}}'
        ).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
