"""What is sent on to a neighbour, and what is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import orjson
import pytest

from command_api.nodes.peers import Peers
from eventlog.submission import PartitionUnavailable
from runtime.serving import server

DEADLINE_S = 20


class Owner:
    """Another node: it keeps what it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                await send({"type": f"{(await receive())['type']}.complete"})
            return
        names = orjson.loads((await receive())["body"])["commands"]
        self.asked += names
        self.is_asked.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = orjson.dumps({"results": [{"name": name} for name in names]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def owner() -> AsyncIterator[Owner]:
    owner = Owner()
    running = server(owner, "127.0.0.1", 0)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(DEADLINE_S):
        while not running.started:
            await asyncio.sleep(0.005)
    owner.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    yield owner
    running.should_exit = True
    async with asyncio.timeout(DEADLINE_S):
        await task


async def test_a_command_whose_client_has_left_is_not_sent_on(owner):
    """Its client may have sent it another way meanwhile, and been refused, for good."""
    async with Peers(DEADLINE_S) as peers:

        def sent(name: str) -> asyncio.Task:
            return asyncio.create_task(peers.send(owner.url, 0, orjson.dumps(name)))

        first = sent("first")
        async with asyncio.timeout(DEADLINE_S):
            await owner.is_asked.wait()
        left, last = sent("left"), sent("last")
        await asyncio.sleep(0)
        left.cancel()
        with suppress(asyncio.CancelledError):
            await left
        owner.may_answer.set()
        answers = await asyncio.gather(first, last)

    assert [answer["name"] for answer in answers] == ["first", "last"]
    assert owner.asked == ["first", "last"]


async def test_a_connection_that_ends_while_it_is_made_leaves_the_outcome_unknown(monkeypatch):
    """anyio asks a socket that uvloop has closed already for its peer: an AttributeError."""

    async def broken(*_, **__):
        raise AttributeError("'NoneType' object has no attribute 'getpeername'")

    async with Peers(DEADLINE_S) as peers:
        monkeypatch.setattr(peers._client, "post", broken)

        with pytest.raises(PartitionUnavailable, match="no answer from the owner at http://gone"):
            await peers.send("http://gone", 0, b"1")
