"""The routes that command nodes use among themselves; a gateway lets nobody else reach them."""

import asyncio
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from command_api.nodes.forwarded import RELEASE_ROUTE, ROUTE, Forwarded, ForwardedBatch
from command_api.nodes.peers import BATCH_BYTES_MAX, UNDECIDED
from command_api.problems import problem_of
from command_api.reading import headers_of, read_body
from command_api.routing import Command, Router, Sent
from eventlog.submission import NotServing
from runtime.settings import CommandSettings

_BATCH: TypeAdapter[ForwardedBatch] = TypeAdapter(ForwardedBatch)
_RELEASE_S = 3.0


class Neighbours:
    """Answers other command nodes; `request.state.router` knows what is owned here."""

    def __init__(self, settings: CommandSettings) -> None:
        # One command of the largest size may come alone, with what it is wrapped in.
        self._bytes_max = BATCH_BYTES_MAX + 2 * settings.body_bytes_max
        self._timeout_s = settings.body_timeout_ms / 1000

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(ROUTE, self.commands, methods=["POST"]),
            Route(RELEASE_ROUTE, self.released, methods=["POST"]),
        ]

    async def commands(self, request: Request) -> Response:
        """Answer commands that were sent on; each has its own answer, in their sequence."""
        try:
            raw = await read_body(
                request.scope,
                request.receive,
                headers_of(request.scope),
                bytes_max=self._bytes_max,
                timeout_s=self._timeout_s,
            )
            batch = _BATCH.validate_json(raw)
        except Exception as error:  # noqa: BLE001 - errors become answers here
            return problem_of(error).response()
        router: Router = request.state.router
        sent = await router.sent([_read(one) for one in batch.commands])
        results = await asyncio.gather(*(_answer(router, one) for one in sent))
        return Response(orjson.dumps({"results": results}), media_type="application/json")

    async def released(self, request: Request) -> Response:
        """Answer once this node has let a partition go."""
        router: Router = request.state.router
        try:
            async with asyncio.timeout(_RELEASE_S):
                await router.partitions.released(request.path_params["partition"])
        except TimeoutError:
            return problem_of(NotServing(f"not released within {_RELEASE_S:g} s", 1)).response()
        return Response(status_code=204)


def _read(one: Forwarded) -> Command | Exception:
    """Return a command, or why it cannot be read: its sender may be of another release."""
    try:
        return one.read()
    except (KeyError, ValidationError) as error:
        return error


async def _answer(router: Router, sent: Sent | Exception) -> dict[str, Any]:
    if isinstance(sent, Exception):
        return problem_of(sent).result()
    try:
        return await router.answer_here(sent)
    except NotServing as error:
        return {**problem_of(error).result(), UNDECIDED: True}
    except Exception as error:  # noqa: BLE001 - each command has its own answer
        return problem_of(error).result()
