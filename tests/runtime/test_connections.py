"""What a connection may ask for before the application hears of it."""

import asyncio
import contextlib
import json
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from runtime.serving import server
from runtime.settings import HttpSettings

DEADLINE_S = 20
LIMITS = {"http_head_bytes_max": 2048, "http_head_timeout_ms": 300, "http_keep_alive_ms": 1000}
GET = b"GET / HTTP/1.1\r\nhost: x\r\n"


async def answer(scope, receive, send):
    """Answer at once, however large the body is that comes."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            await send({"type": f"{(await receive())['type']}.complete"})
        return
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(params=[None, lambda *_: None], ids=["long way", "short way"])
async def port(request) -> AsyncIterator[int]:
    """The bounds are the same, whether there is a short way or not."""
    running = server(answer, "127.0.0.1", 0, HttpSettings(**LIMITS), short_way=request.param)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(DEADLINE_S):
        while not running.started:
            await asyncio.sleep(0.005)
    yield running.servers[0].sockets[0].getsockname()[1]
    running.should_exit = True
    async with asyncio.timeout(DEADLINE_S):
        await task


async def told(port: int, *parts: bytes) -> bytes:
    """Send, and return all that comes back until the other side closes; it must."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        for _ in range(10):
            await asyncio.sleep(0)  # The server is in this loop: it reads one part after the other.
    async with asyncio.timeout(DEADLINE_S):
        said = await reader.read()
    writer.close()
    return said


def problem(said: bytes) -> tuple[int, str]:
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    document = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document["status"], document["code"]


LARGE = {
    "one long header": GET + b"a: " + b"x" * 2048 + b"\r\n\r\n",
    "a long path": b"GET /" + b"x" * 2048 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "many headers": GET + b"a: b\r\n" * 400 + b"\r\n",
}


@pytest.mark.parametrize("head", LARGE.values(), ids=LARGE)
async def test_a_head_over_the_limit_is_refused(port, head):
    assert problem(await told(port, head)) == (431, "head-too-large")


@pytest.mark.parametrize("cut", [1, 2_040, -2, -20])
@pytest.mark.parametrize("head", LARGE.values(), ids=LARGE)
async def test_a_head_over_the_limit_is_refused_in_two_pieces_as_well(port, head, cut):
    """Also when the piece that ends it is a small one."""
    assert problem(await told(port, head[:cut], head[cut:])) == (431, "head-too-large")


async def test_a_small_head_after_a_large_one_of_the_same_connection_is_answered(port):
    nearly = GET + b"a: " + b"x" * 1_900 + b"\r\n\r\n"
    close = GET + b"connection: close\r\n\r\n"

    said = await told(port, nearly[:-2], nearly[-2:], nearly + nearly[:9], nearly[9:], close)

    assert said.count(b"HTTP/1.1 200") == 4


async def test_a_head_that_never_ends_is_cut_off(port):
    """Not even one header of it is complete, so only the bytes can be counted."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET + b"a: ")

    assert await sent_until_closed(writer, b"x" * 60_000, at_most=1_000) < 1_000


async def sent_until_closed(writer: asyncio.StreamWriter, piece: bytes, at_most: int) -> int:
    """Send the same again and again; return how often it went out before the connection closed."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(DEADLINE_S):
            for number in range(at_most):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
                if writer.transport.is_closing():
                    return number
            return at_most
    return number


@pytest.mark.parametrize("begun", [b"G", GET, GET + b"a: b\r\n"])
async def test_a_head_that_stops_coming_is_given_up(port, begun):
    assert problem(await told(port, begun)) == (408, "head-timeout")


async def test_a_head_that_comes_byte_by_byte_has_no_more_time(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    writer.write(GET + b"a: ")
    async with asyncio.timeout(DEADLINE_S):
        while not reading.done():
            with contextlib.suppress(ConnectionError):
                writer.write(b"x")
                await writer.drain()
            await asyncio.wait([reading], timeout=0.02)
    writer.transport.abort()

    with contextlib.suppress(ConnectionError):  # A byte that crossed the answer resets it.
        assert problem(await reading) == (408, "head-timeout")


@pytest.mark.parametrize("said", [b"", b"\r\n", b"\r\n" * 50])
async def test_a_connection_without_a_request_is_closed(port, said):
    assert await told(port, said) == b""


async def test_the_next_request_has_its_time_too(port):
    said = await told(port, GET + b"\r\n", b"GET / HTTP/1.1\r\nhost")

    first, _, second = said.partition(b"ok")
    assert first.startswith(b"HTTP/1.1 200")
    assert problem(second) == (408, "head-timeout")


async def test_a_connection_that_only_sends_line_breaks_is_closed(port):
    assert (await told(port, GET + b"\r\n", b"\r\n")).endswith(b"ok")


async def test_requests_in_one_piece_are_answered_one_by_one(port):
    """What was read of one request is not counted against the head of the next."""
    large = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n" + b"x" * 9000
    close = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

    said = await told(port, large + large + close[:20], close[20:])

    assert said.count(b"HTTP/1.1 200") == 3


async def test_a_body_that_comes_after_its_answer_is_no_head(port):
    """Found by fuzzing under load: it was counted, and 431 came as the next request's answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n")
    first = await reader.readuntil(b"ok")
    writer.write(b"x" * 4_500)
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.write(b"x" * 4_500 + b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    async with asyncio.timeout(DEADLINE_S):
        second = await reader.read()
    writer.close()

    assert [said.split(b" ")[1] for said in (first, second)] == [b"200", b"200"]


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET\r\n\r\n"])
async def test_what_is_no_request_is_told_so(port, said):
    assert problem(await told(port, said)) == (400, "malformed-request")


async def test_a_body_that_nobody_reads_takes_no_memory(port):
    """60 MB to a server that has answered long since."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 60000000\r\n\r\n")
    assert (await reader.read(100)).startswith(b"HTTP/1.1 200")
    tracemalloc.start()
    await sent_until_closed(writer, b"x" * 60_000, at_most=1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    writer.transport.abort()

    assert peak < 4_000_000
