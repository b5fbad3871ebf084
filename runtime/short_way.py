"""The short way of a request: from the parser to a function, and from there to the connection.

Between an HTTP parser and a command lie a task, a scope and messages of ASGI, which cost more than
the command. What a `ShortWay` takes goes without them; whatever it does not take, or does not come
in one piece, goes the way of any request to the application.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from runtime.connections import Bounded, Gathering, Pulse
from runtime.settings import HttpSettings

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
"""Names in lower case, as they came."""

Answering: TypeAlias = Callable[[int, RawHeaders, bytes], None]
"""Sends the one answer: a status, all headers, and a body."""

ShortWay: TypeAlias = Callable[[bytes, RawHeaders, bytes, Answering], Callable[[], object] | None]
"""Takes a POST: its target, headers, whole body, and what answers it. Never raises.

Returns what to call when the client leaves before the answer; None: it is not taken, and whatever
was given is not used any more.
"""


def connections(limits: HttpSettings, short_way: ShortWay | None, pulse: Pulse) -> type[Bounded]:
    """Return the class of connections for `uvicorn.Config(http=...)`."""
    bounds = {
        "bytes_max": limits.http_head_bytes_max,
        "timeout_s": limits.http_head_timeout_ms / 1000,
    }
    if short_way is None:
        return type("Connection", (Bounded,), bounds)
    return type(
        "Connection", (_Short,), {**bounds, "take": staticmethod(short_way), "pulse": pulse}
    )


class _Short(Bounded):
    take: ShortWay
    pulse: Pulse

    _body: list[bytes] | None = None
    """What has come of the body of a request that may be taken."""

    def feed(self, data: bytes) -> None:
        """Give bytes to the parser; a body that is in pieces goes the long way."""
        super().feed(data)
        if self._body is not None and not self.transport.is_closing():
            self._go_on(b"".join(self._body))

    def on_headers_complete(self) -> None:
        """Wait for the body of a plain POST, and let any other request begin."""
        if not self._is_plain():
            super().on_headers_complete()
            return
        self.end_head()
        self._body = []

    def _is_plain(self) -> bool:
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and not self.expect_100_continue
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        )

    def on_body(self, body: bytes) -> None:
        """Keep what comes."""
        if self._body is None:
            super().on_body(body)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Have a whole request taken; if it is not, let it begin."""
        if self._body is None:
            super().on_message_complete()
            return
        if self.pulse.was_late() and self.is_closed():  # Given up long ago: see `has_left`.
            self._body = None
            self.transport.abort()
            return
        body = b"".join(self._body)
        answer = _Answer(self, keep_alive=self.parser.should_keep_alive())
        leave = self.take(self.url, self.headers, body, answer)
        if leave is None:
            self._go_on(body)
            super().on_message_complete()
            return
        self._body = None
        self.leave = leave
        if not answer.response_complete:
            self.cycle = answer  # type: ignore[assignment]

    def _go_on(self, body: bytes) -> None:
        """Go the long way, with what has come of the body."""
        self._body = None
        self.begin()
        if body:
            super().on_body(body)


class _Answer:
    """A request on the short way, in the place of uvicorn's `RequestResponseCycle`."""

    __slots__ = ("_connection", "disconnected", "keep_alive", "response_complete")

    def __init__(self, connection: _Short, *, keep_alive: bool) -> None:
        self._connection: _Short | None = connection
        self.keep_alive = keep_alive
        self.response_complete = self.disconnected = False

    @property
    def message_event(self) -> "_Answer":
        """Stand in for the event that an application waits for."""
        return self

    def set(self) -> None:
        """Wake nobody."""

    def __call__(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Send the answer, if anybody is still there."""
        connection, self._connection = self._connection, None  # Nothing is left to collect.
        self.response_complete = True
        if connection is None or self.disconnected or connection.transport.is_closing():
            return  # A request behind this one may have been told of the end instead.
        parts: list[Any] = [STATUS_LINE[status]]
        for name, value in (*connection.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        transport: Gathering = connection.transport  # type: ignore[assignment]
        transport.write_whole(b"".join(parts))
        if not self.keep_alive:
            transport.close()
        connection.on_response_complete()
