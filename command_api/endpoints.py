"""The command routes: thin endpoints, body to command to the owner's queue to answer.

They are Starlette routes within the FastAPI application, and `HotApp` finds them by their path
before anything else, because the framework's machinery costs more than deciding and storing a
command (docs/decisions/0008).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from command_api import metrics
from command_api.batches import commands_of
from command_api.bodies import (
    BEGINNINGS,
    COMMANDS,
    Beginning,
    Body,
)
from command_api.problems import Problem, problem_of
from command_api.reading import (
    Headers,
    asked,
    headers_of,
    order_id_of,
    parse,
    read_body,
)
from command_api.routing import Command, Router, Sent
from runtime.connections import end_with_client, has_left
from runtime.settings import CommandSettings

_CREATED, _OK = 201, 200
_ORDERS = "/v1/orders/"

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
            return _answer(await _submit(_router(scope), (body, None, given)), _CREATED)

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
        return _answer(await _submit(_router(scope), (body, order_id, given)), _OK)

    async def batch(self, scope: Scope, receive: Receive) -> Answer:
        """Answer POST /v1/commands: commands on one order keep their order."""
        settings, headers = self._settings, headers_of(scope)
        given = asked(headers, scope["query_string"])
        raw = await read_body(
            scope, receive, headers, bytes_max=settings.batch_bytes_max, timeout_s=self._timeout_s
        )
        started, router = time.perf_counter(), _router(scope)
        sent = await router.sent(commands_of(headers, raw, given, settings))
        answers = await router.answers(sent)
        results = [_result(one, told, started) for one, told in zip(sent, answers, strict=True)]
        return _OK, [], orjson.dumps({"results": results})

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


async def _submit(router: Router, command: Command) -> dict[str, Any]:
    """Hand one command to its owner, and measure what comes of it."""
    started = time.perf_counter()
    (sent,) = await router.sent([command])
    if isinstance(sent, Exception):
        raise sent
    try:
        answer = await router.answer(sent)
    except Exception as error:
        _count(sent.body, error, started)
        raise
    _count(sent.body, answer, started)
    return answer


def _result(
    sent: Sent | Exception, answer: dict[str, Any] | BaseException, started: float
) -> dict[str, Any]:
    """Return the answer to one command of a batch, with its own status."""
    if isinstance(sent, Exception):
        return problem_of(sent).result()
    _count(sent.body, answer, started)
    if isinstance(answer, BaseException):
        return problem_of(answer).result()
    return {"status": _CREATED if sent.body.creates else _OK, **answer}


def _count(body: Body, answer: dict[str, Any] | BaseException, started: float) -> None:
    if isinstance(answer, BaseException):
        metrics.commands(body.command_name, problem_of(answer).code).inc()
        return
    metrics.commands(body.command_name, "replayed" if answer["replayed"] else "accepted").inc()
    metrics.SECONDS.observe(time.perf_counter() - started)


def _answer(body: dict[str, Any], status: int) -> Answer:
    headers = [
        (b"etag", b'"%d"' % body["version"]),
        (b"orders-position", body["position"].encode()),
        (b"idempotency-replayed", b"true" if body["replayed"] else b"false"),
    ]
    if status == _CREATED:
        headers.append((b"location", b"/v1/orders/" + body["order_id"].encode()))
    return status, headers, orjson.dumps(body)


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
