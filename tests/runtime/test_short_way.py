"""Requests that are answered without the application: the same HTTP, in the same sequence."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from runtime import connections
from runtime.connections import Pulse
from runtime.serving import Server, server
from runtime.settings import HttpSettings

DEADLINE_S = 20
LIMITS = {"http_keep_alive_ms": 60_000}


class Taking:
    """Takes `/now` and answers it at once, takes `/later` and keeps it; nothing else."""

    def __init__(self) -> None:
        self.later: list[Callable] = []
        self.left = 0

    def __call__(self, target, _headers, body, answer):
        if target == b"/now":
            say(answer, b"short %d" % len(body))
            return lambda: None
        if target == b"/later":
            self.later.append(answer)
            return self.leave
        return None

    def leave(self) -> None:
        self.left += 1


def say(answer: Callable, body: bytes) -> None:
    answer(200, [(b"content-length", b"%d" % len(body))], body)


async def application(scope, receive, send):
    """Answer what it is asked, and how long its body is."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            await send({"type": f"{(await receive())['type']}.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    said = b"long %s %d" % (scope["path"].encode(), len(body))
    length = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": said})


class Client:
    """One connection, kept alive."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the next answer."""
        async with asyncio.timeout(DEADLINE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
            return head, await self.reader.readexactly(length)


class Running:
    def __init__(self, serving: Server, taking: Taking) -> None:
        self.serving, self.taking = serving, taking

    async def connect(self) -> Client:
        port = self.serving.servers[0].sockets[0].getsockname()[1]
        return Client(*await asyncio.open_connection("127.0.0.1", port))

    def connection(self) -> Any:
        """Return the server's end of the only connection."""
        (connection,) = self.serving.server_state.connections
        return connection


@asynccontextmanager
async def served() -> AsyncIterator[Running]:
    taking = Taking()
    running = server(application, "127.0.0.1", 0, HttpSettings(**LIMITS), short_way=taking)
    task = asyncio.create_task(running.serve())
    await until(lambda: running.started)
    yield Running(running, taking)
    running.should_exit = True
    async with asyncio.timeout(DEADLINE_S):
        await task


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with served() as running:
        yield running


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def post(target: bytes, body: bytes = b"", *more: bytes, version: bytes = b"1.1") -> bytes:
    lines = [b"POST %s HTTP/%s" % (target, version), b"host: x", b"content-length: %d" % len(body)]
    return b"\r\n".join([*lines, *more, b"", body])


async def test_a_connection_goes_on_after_an_answer_on_the_short_way(running):
    client = await running.connect()
    for body in (b"", b"12", b"123"):
        client.send(post(b"/now", body))
        head, said = await client.answer()

        assert said == b"short %d" % len(body)
        assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        assert b"connection:" not in head


async def test_an_idle_connection_is_not_taken_for_a_slow_head(running):
    """As long as it is kept alive, nothing has to come."""
    client = await running.connect()
    client.send(post(b"/now"))
    await client.answer()
    connection = running.connection()

    assert connection._timer is None
    assert connection.timeout_keep_alive_task is not None


async def test_what_is_not_taken_comes_to_the_application_whole(running):
    client = await running.connect()
    client.send(post(b"/other", b"12345"))

    assert (await client.answer())[1] == b"long /other 5"


async def test_a_body_in_pieces_goes_the_long_way_and_has_its_time(running):
    """That of a body, which is the application's affair, and not that of a head."""
    client = await running.connect()
    whole = post(b"/now", b"12345")
    client.send(whole[:-3])
    await until(lambda: running.connection().cycle is not None)
    assert running.connection()._timer is None
    client.send(whole[-3:])

    assert (await client.answer())[1] == b"long /now 5"


@pytest.mark.parametrize("body", [b"5\r\n12345\r\n0\r\n\r\n", b"2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"])
async def test_a_body_in_chunks_that_come_together_is_whole(running, body):
    client = await running.connect()
    client.send(b"POST /now HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + body)

    assert (await client.answer())[1] == b"short 5"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /now HTTP/1.1\r\nhost: x\r\n\r\n",
        post(b"/now", b"", b"expect: 100-continue"),
        post(b"/now", version=b"1.0"),
    ],
    ids=["GET", "Expect", "1.0"],
)
async def test_other_requests_go_the_long_way(running, request_):
    client = await running.connect()
    client.send(request_)
    head, said = await client.answer()
    if head.startswith(b"HTTP/1.1 100"):
        head, said = await client.answer()

    assert said == b"long /now 0"


async def test_a_connection_that_is_to_be_closed_is_closed(running):
    client = await running.connect()
    client.send(post(b"/now", b"", b"connection: close"))
    head, _ = await client.answer()

    assert b"\r\nconnection: close\r\n" in head
    async with asyncio.timeout(DEADLINE_S):
        assert await client.reader.read() == b""


async def test_answers_come_in_the_sequence_of_their_requests(running):
    client = await running.connect()
    client.send(post(b"/later") + post(b"/now") + post(b"/other"))
    await until(lambda: len(running.connection().pipeline) == 2)

    say(running.taking.later[0], b"first")

    assert [(await client.answer())[1] for _ in range(3)] == [
        b"first",
        b"long /now 0",
        b"long /other 0",
    ]


@pytest.mark.parametrize("second", [b"/later", b"/other"])
async def test_no_keep_alive_runs_while_something_is_asked(running, second):
    """The first is answered before the second has begun, and both came together."""
    client = await running.connect()
    client.send(post(b"/now") + post(second, b"12345")[:-1])
    await client.answer()

    assert running.connection().timeout_keep_alive_task is None


async def test_a_client_that_leaves_is_told_of_and_its_answer_goes_nowhere(running):
    client = await running.connect()
    client.send(post(b"/later"))
    await until(lambda: running.taking.later)
    client.writer.transport.abort()
    await until(lambda: running.taking.left)

    say(running.taking.later[0], b"too late")

    assert running.taking.left == 1


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_an_answer_in_front_of_another_request_goes_nowhere_either(run):
    """uvicorn tells the end of a connection to its last request only, and uvloop refuses writes."""

    async def main() -> None:
        async with served() as running:
            client = await running.connect()
            client.send(post(b"/later") + post(b"/other"))
            await until(lambda: running.taking.later and running.connection().pipeline)
            running.connection().transport.abort()  # Reading is paused: the server ends it.
            await until(lambda: running.taking.left)

            say(running.taking.later[0], b"too late")

    run(main())


async def test_a_server_that_stops_answers_what_it_has_taken():
    async with served() as running:
        client = await running.connect()
        client.send(post(b"/later"))
        await until(lambda: running.taking.later)
        connection = running.connection()
        running.serving.should_exit = True
        await until(lambda: not connection.cycle.keep_alive)

        say(running.taking.later[0], b"done")

        head, said = await client.answer()
        assert said == b"done"
        assert b"\r\nconnection: close\r\n" in head


def test_a_loop_that_stood_still_is_late_for_a_while(monkeypatch):
    now = 100.0
    monkeypatch.setattr(connections.time, "monotonic", lambda: now)
    pulse = Pulse()
    assert pulse.was_late()  # Nobody has said yet that it goes on.
    for _ in range(30):
        pulse.beat()
        now += 0.1
    assert not pulse.was_late()

    now += 0.6
    assert pulse.was_late()
    pulse.beat()
    assert pulse.was_late()
    for _ in range(25):
        now += 0.1
        pulse.beat()
    assert not pulse.was_late()


async def test_the_loop_of_a_server_has_a_pulse(running):
    await until(lambda: not running.serving._pulse.was_late())
    time.sleep(0.6)  # noqa: ASYNC251 - it stands still
    assert running.serving._pulse.was_late()
