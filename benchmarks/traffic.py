"""An open loop: requests go out at their times, whatever became of those before.

A latency counts from the moment in which its request was due, so a server that stands still is
seen as its users see it. When too many wait, requests are not sent, and counted as such.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_STATUS = slice(9, 12)
_CONNECTIONS = 256
_BACKLOG_S = 5
_TICK_S = 0.002
_DRAIN_S = 60
_OK = range(200, 300)

BROKEN = 0
"""Instead of a status: the connection broke, or no answer came in the end."""


@dataclass(frozen=True, slots=True)
class Request:
    """Its bytes, and who is told the body of a good answer."""

    sent: bytes
    on_answer: Callable[[bytes], None] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    due_s: float
    latency_s: float
    status: int

    @property
    def is_good(self) -> bool:
        """Tell whether it is 2xx."""
        return self.status in _OK


@dataclass(slots=True)
class Answers:
    """What came of the requests that were due in some time; `held_back` were not sent."""

    seconds: float
    all: list[Answer] = field(default_factory=list)
    held_back: int = 0

    @property
    def good(self) -> int:
        """How many were answered well."""
        return sum(answer.is_good for answer in self.all)

    def percentile_ms(self, share: float) -> float:
        """Return the latency that this share of the answers did not exceed."""
        latencies = sorted(answer.latency_s for answer in self.all) or [0.0]
        return latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000

    def bad(self) -> dict[int, int]:
        """Return how many were not answered well, by status."""
        counts: dict[int, int] = {}
        for answer in self.all:
            if not answer.is_good:
                counts[answer.status] = counts.get(answer.status, 0) + 1
        return counts


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, done: "Callable[[_Line, int, bytes], None]") -> None:
        self._done = done
        self._buffer = b""
        self.request: Request | None = None
        self.due_s = 0.0
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, request: Request, due_s: float) -> None:
        self.request, self.due_s = request, due_s
        self._transport.write(request.sent)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data
        end = buffer.find(_HEAD_END)
        if end < 0:
            return
        at = buffer.find(_LENGTH) + len(_LENGTH)
        body = end + len(_HEAD_END)
        if len(buffer) < body + int(buffer[at : buffer.find(b"\r\n", at)]):
            return
        self._buffer = b""
        self._done(self, int(buffer[_STATUS]), buffer[body:])

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        self._done(self, BROKEN, b"")


class OpenLoop:
    """`rate` requests a second to one port, until told to stop."""

    def __init__(self, port: int, rate: int, make: Callable[[], Request]) -> None:
        self._port, self._rate, self._make = port, rate, make
        self._free: deque[_Line] = deque()
        self._waiting: deque[float] = deque()
        self._busy: set[_Line] = set()
        self._answers: list[Answer] = []
        self._held_back: list[float] = []
        self._lost = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set, then wait for what is under way."""
        await self._connect(_CONNECTIONS)
        started, sent = monotonic(), 0
        while not stop.is_set():
            due = int((monotonic() - started) * self._rate)
            for number in range(sent, due):
                self._due(started + number / self._rate)
            sent = due
            if self._lost:
                await self._connect(self._lost)
            await asyncio.sleep(_TICK_S)
        await self._drain(monotonic() + _DRAIN_S)
        for line in self._busy:
            self._answers.append(Answer(line.due_s, _DRAIN_S, BROKEN))
        self._answers.extend(Answer(due_s, _DRAIN_S, BROKEN) for due_s in self._waiting)
        for line in (*self._free, *self._busy):
            line.request = None
            line.close()

    def between(self, start_s: float, end_s: float) -> Answers:
        """Return what was due from `start_s` to `end_s` of the monotonic clock."""
        return Answers(
            end_s - start_s,
            [answer for answer in self._answers if start_s <= answer.due_s < end_s],
            sum(start_s <= due_s < end_s for due_s in self._held_back),
        )

    async def _drain(self, deadline_s: float) -> None:
        while self._busy or self._waiting:
            if monotonic() > deadline_s:
                return
            await asyncio.sleep(_TICK_S)

    async def _connect(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, line = await loop.create_connection(
                lambda: _Line(self._answered), "127.0.0.1", self._port
            )
            self._free.append(line)
        self._lost = 0

    def _due(self, due_s: float) -> None:
        if self._free:
            self._send(self._free.popleft(), due_s)
        elif len(self._waiting) < self._rate * _BACKLOG_S:
            self._waiting.append(due_s)
        else:
            self._held_back.append(due_s)

    def _send(self, line: _Line, due_s: float) -> None:
        self._busy.add(line)
        line.send(self._make(), due_s)

    def _answered(self, line: _Line, status: int, body: bytes) -> None:
        """Take an answer, or the end of a connection."""
        request, line.request = line.request, None
        self._busy.discard(line)
        if request is not None:
            latency_s = monotonic() - line.due_s
            self._answers.append(Answer(line.due_s, latency_s, status))
            if status in _OK and request.on_answer is not None:
                request.on_answer(body)
        if not line.is_open:
            self._lost += 1
            if line in self._free:
                self._free.remove(line)
        elif self._waiting:
            self._send(line, self._waiting.popleft())
        else:
            self._free.append(line)
