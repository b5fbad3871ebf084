"""The same application on a real port: what only bytes on a connection can show."""

import asyncio
import contextlib
import json
import socket
import time
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from command_api.app import create_app
from domain.decide import DECIDER
from eventlog.codec import is_event
from eventlog.memory import MemoryLog
from eventlog.ownership import Partitions
from runtime.serving import server
from runtime.settings import CommandSettings, LogSettings

DEADLINE_S = 20


class Wire:
    """A port, and the log behind it."""

    def __init__(self, port: int, log: MemoryLog, partitions: Partitions) -> None:
        self.port = port
        self.log = log
        self.partitions = partitions

    async def send(self, *parts: bytes, is_cut: bool = False) -> bytes:
        """Send bytes, and answer all that comes back until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if is_cut:
            writer.transport.abort()
            return b""
        async with asyncio.timeout(DEADLINE_S):
            answer = await reader.read()
        writer.close()
        return answer

    def appended(self) -> int:
        return sum(
            is_event(record.key) for partition in range(4) for record in self.log.records(partition)
        )


@asynccontextmanager
async def wired(in_flight_max: int, *, is_short: bool) -> AsyncIterator[Wire]:
    log = MemoryLog()
    opened: list[Partitions] = []

    @asynccontextmanager
    async def open_partitions(_peers) -> AsyncIterator[Partitions]:
        async with await Partitions.open(
            log, DECIDER, settings=LogSettings(), node="test"
        ) as partitions:
            await partitions.wait_ready(DEADLINE_S)
            opened.append(partitions)
            yield partitions

    settings = CommandSettings(body_timeout_ms=200, in_flight_max=in_flight_max)
    app = create_app(open_partitions, settings)
    running = server(app, "127.0.0.1", 0, short_way=app.state.short_way if is_short else None)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(DEADLINE_S):
        while not running.started:
            await asyncio.sleep(0.005)
    yield Wire(running.servers[0].sockets[0].getsockname()[1], log, opened[0])
    running.should_exit = True
    async with asyncio.timeout(DEADLINE_S):
        await task


@pytest.fixture(params=[True, False], ids=["short way", "long way"])
def is_short(request) -> bool:
    return request.param


@pytest.fixture
async def wire(is_short) -> AsyncIterator[Wire]:
    async with wired(in_flight_max=1, is_short=is_short) as wire:
        yield wire


def head(line: bytes = b"POST /v1/orders HTTP/1.1", *headers: bytes) -> bytes:
    fixed = (b"Host: x", b"Content-Type: application/json", b"Connection: close")
    return b"\r\n".join([line, *fixed, *headers, b"", b""])


def status(answer: bytes) -> int:
    return int(answer.split()[1])


async def test_an_order_is_placed_over_a_connection(wire, placing):
    body = json.dumps(placing).encode()

    answer = await wire.send(
        head(b"POST /v1/orders HTTP/1.1", b"Content-Length: %d" % len(body)), body
    )

    assert status(answer) == 201
    assert b"\r\nserver:" not in answer.lower()
    assert wire.appended() == 1


async def test_an_order_may_come_in_chunks(wire, placing):
    body = json.dumps(placing).encode()
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:5], body[5:])]

    answer = await wire.send(
        head(b"POST /v1/orders HTTP/1.1", b"Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n"
    )

    assert (status(answer), wire.appended()) == (201, 1)


async def test_a_body_that_stops_coming_is_let_go(wire):
    answer = await wire.send(head(b"POST /v1/orders HTTP/1.1", b"Content-Length: 100"), b"{")

    assert (status(answer), wire.appended()) == (408, 0)


async def test_a_body_that_never_ends_is_cut_off(wire):
    chunk = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536)

    answer = await wire.send(
        head(b"POST /v1/orders HTTP/1.1", b"Transfer-Encoding: chunked"), *[chunk] * 5
    )

    assert status(answer) == 413


async def test_nobody_goes_on_sending_a_body_that_was_refused(wire):
    """60 MB, on a connection that would be kept alive: the server closes it, and keeps nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    line = head(b"POST /v1/orders HTTP/1.1", b"Transfer-Encoding: chunked")
    writer.write(line.replace(b"Connection: close\r\n", b""))
    piece, sent = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000), 0
    tracemalloc.start()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(DEADLINE_S):
            while sent < 1_000 and not writer.transport.is_closing():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
                sent += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    writer.transport.abort()

    assert sent < 1_000
    assert peak < 8_000_000
    assert wire.appended() == 0


async def test_a_client_that_goes_away_leaves_nothing_behind(wire, placing):
    """Not an event, and not its place among those in flight, of which there is one here."""
    body = json.dumps(placing).encode()
    start = head(b"POST /v1/orders HTTP/1.1", b"Content-Length: %d" % len(body))
    for length in (0, 1, len(body) - 1):
        await wire.send(start, body[:length], is_cut=True)

    answer = b"HTTP/1.1 429"
    async with asyncio.timeout(DEADLINE_S):
        while status(answer) == 429:  # Until the server has noticed that they have gone.
            answer = await wire.send(start, body)

    assert (status(answer), wire.appended()) == (201, 1)


async def test_a_request_that_was_given_up_while_the_node_slept_is_not_done(wire, placing):
    """Its client may have sent it to another node meanwhile, and been refused there, for good."""
    body = json.dumps(placing).encode()
    start = head(b"POST /v1/orders HTTP/1.1", b"Content-Length: %d" % len(body))
    with socket.create_connection(("127.0.0.1", wire.port)) as client:
        client.sendall(start + body)
    time.sleep(0.6)  # noqa: ASYNC251 - the server sleeps: it is in this loop

    answer = b"HTTP/1.1 429"
    async with asyncio.timeout(DEADLINE_S):
        while status(answer) == 429:
            answer = await wire.send(start, body)

    assert (status(answer), wire.appended()) == (201, 1)


async def test_a_command_that_waits_in_the_queue_ends_with_its_clients_connection(
    placing, is_short
):
    """What is decided goes on; what is not may have been refused elsewhere meanwhile."""
    order_id = str(uuid.UUID(int=7))
    placing_it = json.dumps({**placing, "order_id": order_id}).encode()
    start = head(b"POST /v1/orders HTTP/1.1", b"Content-Length: %d" % len(placing_it))
    accepting = head(
        b"POST /v1/orders/%s/accept HTTP/1.1" % order_id.encode(), b"Content-Length: 2"
    )
    async with wired(in_flight_max=10, is_short=is_short) as wire:
        writer = wire.partitions.writers[wire.partitions.partition_of(order_id)]
        append, reached, go_on = writer._append, asyncio.Event(), asyncio.Event()

        async def held(records) -> int:
            reached.set()
            await go_on.wait()
            return await append(records)

        writer._append = held
        async with asyncio.timeout(DEADLINE_S):
            placed = asyncio.create_task(wire.send(start, placing_it))
            await reached.wait()
            left = await asyncio.open_connection("127.0.0.1", wire.port)
            left[1].write(accepting + b"{}")
            while not writer._queue:
                await asyncio.sleep(0.005)
            left[1].transport.abort()
            while not writer._queue[0].answer.cancelled():
                await asyncio.sleep(0.005)
            go_on.set()
            assert status(await placed) == 201
            again = await wire.send(accepting, b"{}")

    assert (status(again), wire.appended()) == (200, 2)
    assert b'"version":2' in again


async def test_bytes_that_no_client_sends_are_no_fault_of_ours(wire):
    order = b"POST /v1/orders HTTP/1.1"
    heads = [
        head(order, b"Content-Length: -1"),
        head(order, b"Content-Length: 1, 2"),
        head(order, b"Content-Length: " + b"9" * 5_000),
        head(order, b"Content-Length: " + b"9" * 18),
        head(order, b"Idempotency-Key: a\x00b"),
        head(order, b"Idempotency-Key: \xff\xfe"),
        head(order, b"If-Match: \xb2"),
        head(b"POST /v1/orders?dry_run=%ff HTTP/1.1"),
        head(b"POST /v1/orders?dry_run=\xff HTTP/1.1"),
        head(b"POST /v1/orders/\xff/accept HTTP/1.1"),
        head(b"POST /v1/orders/%ff/accept HTTP/1.1"),
        head(b"POST /v1/orders/%2e%2e/%2e%2e HTTP/1.1"),
        head(b"POST http://[::1/v1/orders HTTP/1.1"),
        head(b"POST /v1/orders\x00 HTTP/1.1"),
        head(b"POST * HTTP/1.1"),
        head(b"POST /v1/orders HTTP/9.9"),
    ]

    statuses = {each: status(await wire.send(each)) for each in heads}

    assert {each: code for each, code in statuses.items() if not 400 <= code < 500} == {}
    assert wire.appended() == 0


async def test_a_post_to_another_path_reaches_no_order(wire, placing):
    body = json.dumps(placing).encode()
    for path in (b"//v1/orders", b"/v1/orders;a=b", b"/%76%32/orders", b"/v1/./orders"):
        answer = await wire.send(
            head(b"POST %s HTTP/1.1" % path, b"Content-Length: %d" % len(body)), body
        )
        assert status(answer) == 404, path

    assert wire.appended() == 0
