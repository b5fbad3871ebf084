"""The command API over a log in memory, which keeps the same contract as Kafka."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson
import pytest

from command_api.app import create_app
from command_api.bodies import Beginning, Body
from command_api.problems import CODES
from domain.decide import DECIDER
from domain.events import Recorded
from eventlog.codec import decode, is_event
from eventlog.log import Record
from eventlog.memory import MemoryAppender, MemoryLog
from eventlog.ownership import Partitions
from personal_data.keys import Keys, MemoryKeys
from personal_data.opening import open_all
from runtime.settings import CommandSettings, LogSettings

from .lives import LIVES, NOTE, PLACING, Life

DEADLINE_S = 20
JSON = "application/json"
WHOLE_MAX = 256 * 1024


class HeldLog(MemoryLog):
    """A log whose appends wait while it is held."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.waiting = 0

    async def open_appender(self, partition: int) -> "HeldAppender":
        return HeldAppender(self, await super().open_appender(partition))


@dataclass(frozen=True)
class HeldAppender:
    log: HeldLog
    appender: MemoryAppender

    async def append(self, records: Sequence[Record]) -> int:
        self.log.waiting += 1
        await self.log.is_free.wait()
        self.log.waiting -= 1
        return await self.appender.append(records)

    async def close(self) -> None:
        await self.appender.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, under a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Api:
    """Sends requests, and looks at the log behind them."""

    client: httpx2.AsyncClient
    log: MemoryLog
    partitions: Partitions
    keys: Keys

    async def post(
        self, path: str, body: Any = None, query: dict | None = None, **headers: str
    ) -> httpx2.Response:
        """Send `body` as it is, or as JSON; `if_match="…"` is the header If-Match."""
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "__aiter__"):
            body = json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            path, content=body, params=query, headers={"content-type": JSON, **named}
        )

    async def problem(
        self, path: str, body: Any = None, query: dict | None = None, **headers: str
    ) -> dict:
        """Answer the document of a problem, after a look at what all of them have in common."""
        return problem_in(await self.post(path, body, query, **headers))

    async def live(self, life: Life) -> tuple[str, int]:
        """Begin an order and send what comes before; answer its id and version."""
        drafting = {"customer_id": "c-1", "currency": "EUR"}
        path, begun = ("/v1/drafts", drafting) if life.is_draft else ("/v1/orders", PLACING)
        answer = await self.post(path, begun)
        order_id = answer.json()["order_id"]
        for command, data in life.before:
            answer = await self.post(f"/v1/orders/{order_id}/{command}", data)
            assert answer.status_code == 200, answer.text
        return order_id, answer.json()["version"]

    def events(self, order_id: str | None = None) -> list[Recorded]:
        """Return what is in the log, of one order or of all, oldest first in its partition."""
        found = [
            decode(record)
            for partition in range(self.partitions.identity.partitions)
            for record in self.log.records(partition)
            if is_event(record.key)
        ]
        return [event for event in found if order_id in {None, event.order_id}]

    async def in_the_clear(self, event: Recorded) -> dict:
        """Return what an event says, as JSON has it, its personal data opened."""
        return json.loads(await open_all(orjson.dumps(event.event), self.keys))


def problem_in(answer: httpx2.Response) -> dict:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert CODES[body["code"]] == (answer.status_code, body["title"])
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:orderlog:problem:{body['code']}"
    assert body["detail"]
    assert (answer.status_code in {429, 503}) == ("retry-after" in answer.headers)
    return body


def through_server(app: Any, state: dict, *, is_short: bool) -> Callable:
    """Return the application as a server calls it: whole bodies go the short way."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        scope = {**scope, "state": dict(state)}
        named = dict(scope["headers"])
        length = int(named.get(b"content-length", b"-1"))
        if not is_short or scope["method"] != "POST" or not 0 <= length <= WHOLE_MAX:
            await app(scope, receive, send)
            return
        body, more_body = b"", True
        while more_body:
            message = await receive()
            body += message.get("body", b"")
            more_body = message.get("more_body", False)
        target = scope["raw_path"] + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        answered = asyncio.get_running_loop().create_future()

        def answer(*answer: Any) -> None:
            answered.set_result(answer)

        leave = app.state.short_way(target, list(scope["headers"]), body, answer)
        if leave is None:
            await app(scope, again(body, receive), send)
            return
        try:
            status, headers, content = await answered
        except asyncio.CancelledError:
            leave()
            raise
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return called


def again(body: bytes, receive: Callable) -> Callable:
    """Return a `receive` that gives the body that was received already, and then what comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> dict:
        return messages.pop() if messages else await receive()

    return received


@asynccontextmanager
async def serving(
    log: MemoryLog | None = None,
    decider: Any = DECIDER,
    *,
    is_ready: bool = True,
    is_short: bool = True,
    **settings: Any,
) -> AsyncIterator[Api]:
    """Serve over `log`; `log_settings` in `settings` are the log's, all others the API's.

    Among them `keys`: the key store, one in memory unless it is given. `is_short`: whether commands
    go the short way, as far as it takes them.
    """
    log = log or MemoryLog()
    keys: Keys = settings.pop("keys", None) or MemoryKeys()
    log_settings = LogSettings(**settings.pop("log_settings", {}))

    @asynccontextmanager
    async def open_partitions(_peers) -> AsyncIterator[Partitions]:
        async with await Partitions.open(
            log, decider, settings=log_settings, node="test"
        ) as partitions:
            states = partitions.health
            await until(lambda: "acquiring" not in states().values())
            assert not is_ready or set(states().values()) == {"serving"}
            yield partitions

    app = create_app(open_partitions, CommandSettings(**settings), lambda: nullcontext(keys))
    async with app.router.lifespan_context(app) as state:
        called = through_server(app, dict(state), is_short=is_short)
        transport = httpx2.ASGITransport(app=called)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Api(client, log, state["router"].partitions, keys)


@pytest.fixture(scope="session")
def serve() -> Callable:
    """Answer `serve(log, decider, **settings)`: the API as an async context manager."""
    return serving


@pytest.fixture(scope="session")
def wait_until() -> Callable:
    return until


@pytest.fixture(scope="session")
def refusal() -> Callable:
    """Answer `refusal(answer)`: the document in it, after a look at what all have in common."""
    return problem_in


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
def held_log() -> HeldLog:
    return HeldLog()


@pytest.fixture
def order_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="session")
def lives() -> dict[str, Life]:
    """One life for every command."""
    return LIVES


@pytest.fixture(scope="session")
def path_of() -> Callable[[type[Body], str], str]:
    """Answer `path_of(model, order_id)`: where a command is sent to."""
    return lambda model, order_id: (
        model.route
        if issubclass(model, Beginning)
        else f"/v1/orders/{order_id}/{model.command_name}"
    )


@pytest.fixture(scope="session")
def placing() -> dict:
    """The smallest order."""
    return PLACING


@pytest.fixture(scope="session")
def note() -> dict:
    """The data of a command that every order takes."""
    return NOTE


@pytest.fixture
async def placed(api: Api) -> str:
    """The id of an order at version 1."""
    return (await api.post("/v1/orders", PLACING)).json()["order_id"]
