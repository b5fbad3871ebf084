"""The command routes: thin endpoints, body to command to the owner's queue to answer.

They are Starlette routes within the FastAPI application, and `HotApp` finds them by their path
before anything else, because the framework's machinery costs more than deciding and storing a
command (docs/decisions/0008).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from fastapi import FastAPI
from msgspec.structs import replace
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from command_api import metrics
from command_api.bodies import (
    BATCH_ITEM,
    BEGINNINGS,
    COMMANDS,
    BatchItem,
    Beginning,
    Body,
    kebab,
)
from command_api.problems import Problem, invalid, problem_of, wrong_field
from command_api.reading import (
    KEY_MAX,
    Asked,
    Headers,
    asked,
    headers_of,
    order_id_of,
    parse,
    read_body,
)
from command_api.routing import Router
from runtime.connections import end_with_client, has_left
from runtime.settings import CommandSettings

_CREATED, _OK = 201, 200
_ORDERS = "/v1/orders/"
_NDJSON = (b"application/x-ndjson", b"application/ndjson")

# Made once: whoever has too much to do should do as little as possible for it.
_BUSY = Problem(
    "overloaded", "Nothing was queued. Send the same request again.", retry_after_s=1
).response()

Answer: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]
"""A status, headers, and JSON."""


@dataclass(slots=True)
class Limit:
    """How many more requests may be in flight."""

    left: int


class Endpoint:
    """An ASGI application that answers one kind of request; its errors become problem documents.

    `answer` returns the status and the body, and raises what is wrong.
    """

    def __init__(self, answer: Callable[[Scope, Receive], Awaitable[Answer]], limit: Limit) -> None:
        self._answer = answer
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, unless too many are in flight."""
        if not self._limit.left:
            await _BUSY(scope, receive, send)
            return
        self._limit.left -= 1
        try:
            status, headers, content = await self._answer(scope, receive)
        except ClientDisconnect:
            return  # Nobody is there to read it.
        except Exception as error:  # noqa: BLE001 - the one place where errors become answers
            await problem_of(error).response()(scope, receive, send)
            return
        finally:
            self._limit.left += 1
        headers += [
            (b"content-length", b"%d" % len(content)),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Commands:
    """Answers command requests; a request's state holds the router."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.body_timeout_ms / 1000
        limit = Limit(settings.in_flight_max)
        self.exact: dict[str, Endpoint] = {
            **{model.route: Endpoint(self._beginning(model), limit) for model in BEGINNINGS},
            "/v1/commands": Endpoint(self.batch, limit),
        }
        """The endpoints by their paths."""
        self.on_order = Endpoint(self.command, limit)
        """The endpoint of every command on an order that is there."""

    def routes(self) -> list[Route]:
        """Return the routes, the busiest first."""
        return [
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in self.exact.items()),
            Route("/v1/orders/{order_id}/{command}", self.on_order, methods=["POST"]),
        ]

    def _beginning(self, model: type[Beginning]) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        """Make what answers a command that begins an order."""

        async def begin(scope: Scope, receive: Receive) -> Answer:
            headers = headers_of(scope)
            given = asked(headers, scope["query_string"])
            body = self._validated(model, await self._body(scope, receive, headers))
            return _answer(await _submit(_router(scope), body, None, given), _CREATED)

        return begin

    async def command(self, scope: Scope, receive: Receive) -> Answer:
        """Answer POST /v1/orders/{order_id}/{command}."""
        parameters = scope["path_params"]
        model = COMMANDS.get(parameters["command"])
        if model is None or model.creates:
            raise Problem("not-found", "The commands are listed at /docs.")
        order_id = order_id_of(parameters["order_id"])
        headers = headers_of(scope)
        given = asked(headers, scope["query_string"])
        body = self._validated(model, await self._body(scope, receive, headers) or b"{}")
        return _answer(await _submit(_router(scope), body, order_id, given), _OK)

    async def batch(self, scope: Scope, receive: Receive) -> Answer:
        """Answer POST /v1/commands: commands on one order keep their order."""
        settings, headers = self._settings, headers_of(scope)
        given = asked(headers, scope["query_string"])
        raw = await read_body(
            scope, receive, headers, bytes_max=settings.batch_bytes_max, timeout_s=self._timeout_s
        )
        items = _items(headers, raw, settings)
        if len(items) > settings.batch_commands_max:
            raise wrong_field("(body)", f"must have at most {settings.batch_commands_max} commands")
        _require_batch_headers(given, len(items))
        router = _router(scope)
        results = await asyncio.gather(
            *(self._one(router, item, given, number) for number, item in enumerate(items))
        )
        return _OK, [], orjson.dumps({"results": results})

    async def _one(self, router: Router, item: Any, given: Asked, number: int) -> dict[str, Any]:
        """Answer one command of a batch with its own status."""
        try:
            parsed = BATCH_ITEM.validate_python(item)
            body = _item_body(parsed)
            key = parsed.idempotency_key or f"{given.idempotency_key}/{number}"
            own = replace(given, idempotency_key=key, expected_version=parsed.expected_version)
            answer = await _submit(router, body, parsed.order_id, own)
        except Exception as error:  # noqa: BLE001 - each command has its own answer
            return problem_of(error).result()
        return {"status": _CREATED if body.creates else _OK, **answer}

    async def _body(self, scope: Scope, receive: Receive, headers: Headers) -> bytes:
        return await read_body(
            scope,
            receive,
            headers,
            bytes_max=self._settings.body_bytes_max,
            timeout_s=self._timeout_s,
        )

    def _validated(self, model: type[Body], raw: bytes) -> Body:
        """Return the body.

        Raises:
            Problem: malformed JSON.
            ValidationError: fields are wrong.
        """
        parse(raw, self._settings)
        return model.model_validate_json(raw)


def _router(scope: Scope) -> Router:
    router: Router = scope["state"]["router"]
    return router


async def _submit(router: Router, body: Body, order_id: str | None, given: Asked) -> dict[str, Any]:
    """Hand the command to its owner and measure what comes of it."""
    started = time.perf_counter()
    try:
        answer = await router.answer(router.submission(body, order_id, given), body, given)
    except Exception as error:
        metrics.commands(body.command_name, problem_of(error).code).inc()
        raise
    metrics.commands(body.command_name, "replayed" if answer["replayed"] else "accepted").inc()
    metrics.SECONDS.observe(time.perf_counter() - started)
    return answer


def _answer(body: dict[str, Any], status: int) -> Answer:
    headers = [
        (b"etag", b'"%d"' % body["version"]),
        (b"orders-position", body["position"].encode()),
        (b"idempotency-replayed", b"true" if body["replayed"] else b"false"),
    ]
    if status == _CREATED:
        headers.append((b"location", b"/v1/orders/" + body["order_id"].encode()))
    return status, headers, orjson.dumps(body)


def _require_batch_headers(given: Asked, commands: int) -> None:
    """Refuse what a batch would have to ignore, or to cut off."""
    if given.expected_version is not None:
        raise wrong_field("If-Match", "must be left out; commands have their expected_version")
    room = KEY_MAX - len(f"/{commands - 1}")
    if len(given.idempotency_key) > room:
        raise wrong_field(
            "Idempotency-Key", f"must have at most {room} characters for a batch of {commands}"
        )


def _items(headers: Headers, raw: bytes, limits: CommandSettings) -> list[Any]:
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    items = list(_lines(raw, limits)) if kind in _NDJSON else parse(raw, limits)
    if not isinstance(items, list) or not items:
        raise wrong_field("(body)", "must be an array of at least one command")
    return items


def _lines(raw: bytes, limits: CommandSettings) -> Iterator[Any]:
    for number, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            yield parse(line, limits, number)


def _item_body(item: BatchItem) -> Body:
    model = COMMANDS.get(kebab(item.command))
    if model is None:
        raise wrong_field("command", "must be the name of a command; they are listed at /docs")
    if item.order_id is None and not model.creates:
        raise wrong_field("order_id", "is required")
    raw = to_json(item.data, inf_nan_mode="constants")
    try:
        body = model.model_validate_json(raw)
    except ValidationError as error:
        raise invalid(error, ("data",)) from error
    if isinstance(body, Beginning) and item.order_id is not None:
        if body.order_id not in {None, item.order_id}:
            raise wrong_field("data.order_id", "must be the same as order_id")
        return body.model_copy(update={"order_id": item.order_id})
    return body


class HotApp(FastAPI):
    """Answers commands by their path, and everything else as any application does.

    The endpoints are routes too, for whatever is not a plain POST.
    """

    commands: Commands

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whoever leaves takes along what is not decided yet."""
        endpoint = self._endpoint(scope) or super().__call__
        end_with_client(scope)
        try:
            await endpoint(scope, receive, send)
        except asyncio.CancelledError:
            if not has_left(scope):
                raise

    def _endpoint(self, scope: Scope) -> ASGIApp | None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        path: str = scope["path"]
        found = self.commands.exact.get(path)
        if found is None and path.startswith(_ORDERS):
            order_id, slash, command = path[len(_ORDERS) :].partition("/")
            if order_id and slash and command and "/" not in command:
                scope["path_params"] = {"order_id": order_id, "command": command}
                return self.commands.on_order
        return found
