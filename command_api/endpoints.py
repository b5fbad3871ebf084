"""The command routes: thin endpoints, body to command to the owner's queue to answer.

They are Starlette routes within the FastAPI application, and `HotApp` finds them by their path
before anything else, because the framework's machinery costs more than deciding and storing a
command (docs/decisions/0008). Most commands do not even come here: see `command_api.short_way`.
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
BUSY = Problem("overloaded", "Nothing was queued. Send the same request again.", retry_after_s=1)
_BUSY = BUSY.response()

Answer: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]
"""A status, all headers, and JSON."""


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
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Commands:
    """Answers command requests; a request's state holds the router."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.body_timeout_ms / 1000
        self.bytes_max = settings.body_bytes_max
        self.limit = limit = Limit(settings.in_flight_max)
        self._beginnings: dict[str, type[Body]] = {model.route: model for model in BEGINNINGS}
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

    def found(self, path: str) -> tuple[type[Body], str | None] | None:
        """Return what body a path takes, and its order; None: no command is sent there."""
        beginning = self._beginnings.get(path)
        if beginning is not None:
            return beginning, None
        order_id, command = on_order(path)
        model = COMMANDS.get(command)
        return None if model is None or model.creates else (model, order_id)

    def _beginning(self, model: type[Beginning]) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        """Make what answers a command that begins an order."""

        async def begin(scope: Scope, receive: Receive) -> Answer:
            headers = headers_of(scope)
            given = asked(headers, scope["query_string"])
            body = self.validated(model, await self._body(scope, receive, headers))
            return answered(await _submit(_router(scope), (body, None, given)), body.creates)

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
        body = self.validated(model, await self._body(scope, receive, headers))
        return answered(await _submit(_router(scope), (body, order_id, given)), body.creates)

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
        content = orjson.dumps({"results": results})
        return _OK, _content_headers(content), content

    async def _body(self, scope: Scope, receive: Receive, headers: Headers) -> bytes:
        return await read_body(
            scope,
            receive,
            headers,
            bytes_max=self.bytes_max,
            timeout_s=self._timeout_s,
        )

    def validated(self, model: type[Body], raw: bytes) -> Body:
        """Return the body; one that begins no order may be left out.

        Raises:
            Problem: malformed JSON.
            ValidationError: fields are wrong.
        """
        if not raw and not model.creates:
            raw = b"{}"
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
        problem = problem_of(error)
        metrics.count(sent.body.command_name, problem.code)
        raise problem from error
    metrics.count_answered(sent.body.command_name, answer, started)
    return answer


def _result(
    sent: Sent | Exception, answer: dict[str, Any] | BaseException, started: float
) -> dict[str, Any]:
    """Return the answer to one command of a batch, with its own status."""
    if isinstance(sent, Exception):
        return problem_of(sent).result()
    name = sent.body.command_name
    if isinstance(answer, BaseException):
        problem = problem_of(answer)
        metrics.count(name, problem.code)
        return problem.result()
    metrics.count_answered(name, answer, started)
    return {"status": _CREATED if sent.body.creates else _OK, **answer}


def answered(body: dict[str, Any], creates: bool) -> Answer:
    """Return the answer to a command that was accepted."""
    headers = [
        (b"etag", b'"%d"' % body["version"]),
        (b"orders-position", body["position"].encode()),
        (b"idempotency-replayed", b"true" if body["replayed"] else b"false"),
    ]
    if creates:
        headers.append((b"location", _ORDERS.encode() + body["order_id"].encode()))
    content = orjson.dumps(body)
    return _CREATED if creates else _OK, headers + _content_headers(content), content


def _content_headers(content: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-length", b"%d" % len(content)),
        (b"content-type", b"application/json"),
    ]


def on_order(path: str) -> tuple[str, str]:
    """Return order id and command of a path, or two empty strings."""
    order_id, slash, command = path[len(_ORDERS) :].partition("/")
    is_whole = path.startswith(_ORDERS) and order_id and slash and "/" not in command
    return (order_id, command) if is_whole else ("", "")


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
        order_id, command = on_order(path)
        if found is None and command:
            scope["path_params"] = {"order_id": order_id, "command": command}
            return self.commands.on_order
        return found
