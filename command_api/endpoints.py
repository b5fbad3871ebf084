"""The command routes: thin endpoints, body to command to the owner's queue to answer.

They are Starlette routes within the FastAPI application, and `HotApp` finds them by their path
before anything else, because the framework's machinery costs more than deciding and storing a
command (docs/decisions/0008).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
from fastapi import FastAPI
from msgspec.structs import replace
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

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
from command_api.reading import KEY_MAX, Asked, asked, order_id_of, parse, read_body
from command_api.routing import Router
from runtime.settings import CommandSettings

_CREATED, _OK = 201, 200
_ORDERS = "/v1/orders/"
_NDJSON = ("application/x-ndjson", "application/ndjson")

Endpoint = Callable[[Request], Awaitable[Response]]


class Commands:
    """Answers command requests; `request.state` holds the partitions and the answers' maker."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.body_timeout_ms / 1000
        self._in_flight = 0
        self.exact: dict[str, Endpoint] = {
            **{model.route: self._guarded(self._beginning(model)) for model in BEGINNINGS},
            "/v1/commands": self._guarded(self.batch),
        }
        """The endpoints by their paths."""
        self.on_order: Endpoint = self._guarded(self.command)
        """The endpoint of every command on an order that is there."""

    def routes(self) -> list[Route]:
        """Return the routes, the busiest first."""
        return [
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in self.exact.items()),
            Route("/v1/orders/{order_id}/{command}", self.on_order, methods=["POST"]),
        ]

    def _beginning(self, model: type[Beginning]) -> Endpoint:
        """Make the endpoint of a command that begins an order."""

        async def begin(request: Request) -> Response:
            given = asked(request)
            body = self._validated(model, await self._body(request))
            return _answer(await _submit(request, body, None, given), _CREATED)

        return begin

    async def command(self, request: Request) -> Response:
        """Answer POST /v1/orders/{order_id}/{command}."""
        model = COMMANDS.get(request.path_params["command"])
        if model is None or model.creates:
            raise Problem("not-found", "The commands are listed at /docs.")
        order_id = order_id_of(request.path_params["order_id"])
        given = asked(request)
        body = self._validated(model, await self._body(request) or b"{}")
        return _answer(await _submit(request, body, order_id, given), _OK)

    async def batch(self, request: Request) -> Response:
        """Answer POST /v1/commands: commands on one order keep their order."""
        given = asked(request)
        raw = await read_body(
            request, bytes_max=self._settings.batch_bytes_max, timeout_s=self._timeout_s
        )
        items = _items(request, raw, self._settings)
        if len(items) > self._settings.batch_commands_max:
            raise wrong_field(
                "(body)", f"must have at most {self._settings.batch_commands_max} commands"
            )
        _require_batch_headers(given, len(items))
        results = await asyncio.gather(
            *(self._one(request, item, given, number) for number, item in enumerate(items))
        )
        return Response(orjson.dumps({"results": results}), media_type="application/json")

    async def _one(self, request: Request, item: Any, given: Asked, number: int) -> dict[str, Any]:
        """Answer one command of a batch with its own status."""
        try:
            parsed = BATCH_ITEM.validate_python(item)
            body = _item_body(parsed)
            key = parsed.idempotency_key or f"{given.idempotency_key}/{number}"
            own = replace(given, idempotency_key=key, expected_version=parsed.expected_version)
            answer = await _submit(request, body, parsed.order_id, own)
        except Exception as error:  # noqa: BLE001 - each command has its own answer
            return problem_of(error).result()
        return {"status": _CREATED if body.creates else _OK, **answer}

    async def _body(self, request: Request) -> bytes:
        return await read_body(
            request, bytes_max=self._settings.body_bytes_max, timeout_s=self._timeout_s
        )

    def _validated(self, model: type[Body], raw: bytes) -> Body:
        """Return the body.

        Raises:
            Problem: malformed JSON.
            ValidationError: fields are wrong.
        """
        parse(raw, self._settings)
        return model.model_validate_json(raw)

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Bound what is in flight, and turn every error into its problem document."""

        async def guarded(request: Request) -> Response:
            if self._in_flight >= self._settings.in_flight_max:
                return Problem(
                    "overloaded",
                    "Nothing was queued. Send the same request again.",
                    retry_after_s=1,
                ).response()
            self._in_flight += 1
            try:
                return await endpoint(request)
            except ClientDisconnect:
                return Response(status_code=400)  # Nobody is there to read it.
            except Exception as error:  # noqa: BLE001 - the one place where errors become answers
                return problem_of(error).response()
            finally:
                self._in_flight -= 1

        return guarded


async def _submit(
    request: Request, body: Body, order_id: str | None, given: Asked
) -> dict[str, Any]:
    """Hand the command to its owner and measure what comes of it."""
    router: Router = request.state.router
    started = time.perf_counter()
    try:
        sent = router.submission(body, order_id, given)
        answer = await router.answer(sent, body, given)
    except Exception as error:
        metrics.COMMANDS.labels(body.command_name, problem_of(error).code).inc()
        raise
    result = "replayed" if answer["replayed"] else "accepted"
    metrics.COMMANDS.labels(body.command_name, result).inc()
    metrics.SECONDS.observe(time.perf_counter() - started)
    return answer


def _answer(body: dict[str, Any], status: int) -> Response:
    headers = {
        "ETag": f'"{body["version"]}"',
        "Orders-Position": body["position"],
        "Idempotency-Replayed": "true" if body["replayed"] else "false",
    }
    if status == _CREATED:
        headers["Location"] = f"/v1/orders/{body['order_id']}"
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _require_batch_headers(given: Asked, commands: int) -> None:
    """Refuse what a batch would have to ignore, or to cut off."""
    if given.expected_version is not None:
        raise wrong_field("If-Match", "must be left out; commands have their expected_version")
    room = KEY_MAX - len(f"/{commands - 1}")
    if len(given.idempotency_key) > room:
        raise wrong_field(
            "Idempotency-Key", f"must have at most {room} characters for a batch of {commands}"
        )


def _items(request: Request, raw: bytes, limits: CommandSettings) -> list[Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
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
        """Answer one request."""
        endpoint = self._endpoint(scope)
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _endpoint(self, scope: Scope) -> Endpoint | None:
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
