"""A closed loop of connections that each send a request, wait for its answer, and send the next.

Or, with `every_s`, each sends at its own times, as far as the answers let it. The client is as
cheap as it can be, since it shares the machine with what it measures.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass
class Result:
    """What came of a run; `latencies_s` is sorted."""

    answers: int
    seconds: float
    latencies_s: list[float]
    wrong: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def percentile_s(self, share: float) -> float:
        """Return the latency that this share of the answers did not exceed."""
        return self.latencies_s[min(len(self.latencies_s) - 1, int(len(self.latencies_s) * share))]


class _Connection(asyncio.Protocol):
    """Sends what `next_request` gives until it gives None; keeps times and wrong answers."""

    def __init__(
        self, next_request: Callable[[], bytes | None], status: bytes, every_s: float
    ) -> None:
        self._next_request = next_request
        self._status = status
        self._every_s = every_s
        self._due_s = 0.0
        self._buffer = b""
        self._sent_at = 0.0
        self.latencies_s: list[float] = []
        self.wrong: list[bytes] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport
        if self._every_s:
            loop = asyncio.get_running_loop()
            self._due_s = loop.time() + self._every_s * random.random()  # noqa: S311 - a pace
        self._go_on()

    def _go_on(self) -> None:
        """Send the next request when its time has come."""
        loop = asyncio.get_running_loop()
        if self._due_s > loop.time():
            loop.call_at(self._due_s, self.send)
        else:
            self.send()
        self._due_s += self._every_s

    def send(self) -> None:
        """Send the next request, or end."""
        request = self._next_request()
        if request is None:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Take an answer when it is whole."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_HEAD_END)
        if end < 0:
            return
        at = buffer.find(_LENGTH) + len(_LENGTH)
        length = int(buffer[at : buffer.find(b"\r\n", at)])
        if len(buffer) < end + len(_HEAD_END) + length:
            return
        self.latencies_s.append(time.perf_counter() - self._sent_at)
        if not buffer.startswith(self._status):
            self.wrong.append(buffer)
        self._buffer = b""
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the run: a connection that breaks is never part of a good one."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed before the answer"))


async def run(
    port: int,
    connections: int,
    next_request: Callable[[], bytes | None],
    *,
    status: int = 201,
    every_s: float = 0.0,
) -> Result:
    """Send requests until there are no more."""
    loop = asyncio.get_running_loop()
    expected = b"HTTP/1.1 %d " % status
    started = time.perf_counter()
    opened = [
        (
            await loop.create_connection(
                lambda: _Connection(next_request, expected, every_s), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(one.done for one in opened))
    seconds = time.perf_counter() - started
    latencies = sorted(each for one in opened for each in one.latencies_s)
    wrong = [each for one in opened for each in one.wrong]
    return Result(len(latencies), seconds, latencies, wrong)


class Lone:
    """One connection that sends one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> float:
        """Return the seconds until the whole answer to a request that must be 201."""
        started = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(_HEAD_END)
        at = head.find(_LENGTH) + len(_LENGTH)
        await self._reader.readexactly(int(head[at : head.find(b"\r\n", at)]))
        seconds = time.perf_counter() - started
        if not head.startswith(b"HTTP/1.1 201 "):
            raise AssertionError(f"a wrong answer: {head!r}")
        return seconds


async def open_lone(port: int) -> Lone:
    """Connect, and keep the connection."""
    return Lone(*await asyncio.open_connection("127.0.0.1", port))


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of a request, but for the last header and the body."""
    head = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json"]
    head += [f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + _HEAD_END + body


def get(path: str) -> bytes:
    """Return the bytes of a request without a body."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost".encode() + _HEAD_END
