"""What goes wrong, as RFC 9457 problem documents with a stable `code`; mapped here alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_log = structlog.get_logger("orderlog.query")

MEDIA_TYPE = "application/problem+json"

CODES: Mapping[str, tuple[int, str]] = {
    "order-not-found": (404, "There is no such order"),
    "customer-not-found": (404, "There is no such customer"),
    "route-not-found": (404, "There is no such route"),
    "method-not-allowed": (405, "The query API only reads"),
    "other-log": (409, "The position belongs to another log"),
    "invalid-query": (422, "The request has wrong parameters"),
    "too-many-exports": (429, "Too many exports are under way"),
    "internal-error": (500, "The query API has failed"),
    "key-store-unavailable": (503, "The keys of personal data are not at hand"),
    "access-not-recorded": (503, "The access could not be recorded, so nothing is given out"),
    "database-unavailable": (503, "The read models cannot be reached"),
    "log-unavailable": (503, "The log cannot be read at the moment"),
    "not-yet-projected": (503, "The read model does not contain the position yet"),
    "query-timeout": (503, "The read models took too long to answer"),
    "schema-missing": (503, "The database is not migrated"),
    "too-many-streams": (503, "Too many streams are open"),
}
"""Every code that the query API answers, with its status and title."""


class Problem(Exception):  # noqa: N818 - the name is the document's
    """An answer that is not the one asked for. The client reads `code`, people read `detail`.

    Args:
        code: one of `CODES`.
        detail: a sentence about this occurrence, with a remedy where there is one.
        errors: per wrong parameter its name and what is wrong with it.
        retry_after_s: when it makes sense to ask again.
        more: members of the document beside the standard ones.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        retry_after_s: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail
        self.errors, self.retry_after_s, self.more = errors, retry_after_s, more or {}

    def response(self) -> Response:
        """Return the document as an HTTP response."""
        status, title = CODES[self.code]
        document: dict[str, Any] = {
            "type": f"urn:orderlog:problem:{self.code}",
            "title": title,
            "status": status,
            "code": self.code,
            "detail": _sendable(self.detail),
            **self.more,
        }
        if self.errors:
            document["errors"] = [
                {"field": _sendable(field), "message": _sendable(message)}
                for field, message in self.errors
            ]
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        return Response(orjson.dumps(document), status, headers, media_type=MEDIA_TYPE)


def invalid(errors: Sequence[tuple[str, str]]) -> Problem:
    """Return the problem of a request whose parameters are wrong."""
    count = "one parameter is" if len(errors) == 1 else f"{len(errors)} parameters are"
    return Problem("invalid-query", f"{count} wrong; `errors` names each", errors=errors)


def install(app: FastAPI) -> None:
    """Make every exception of a route a problem document."""
    app.add_exception_handler(Problem, _answer)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(asyncpg.DataError, _answer)
    app.add_exception_handler(Exception, _answer)


def response_of(error: Exception) -> Response:
    """Return the answer to any error of a route."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, asyncpg.DataError):
        # Refuse a value that Postgres cannot hold; the checks of the parameters come before this.
        _log.warning("value_refused_by_postgres", reason=repr(error))
        return Problem("invalid-query", "a parameter has a value that cannot be stored").response()
    # Say that it was us; the log has the error, a client learns nothing of our insides.
    _log.error("request_failed", reason=repr(error))
    return Problem("internal-error", "this is a fault of the service; its log says more").response()


async def _answer(_: Request, error: Exception) -> Response:
    return response_of(error)


async def _answer_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # FastAPI names first where the parameter was: in the path, the query or a header.
    return wrong_parameters(
        [{**found, "loc": found["loc"][1:]} for found in error.errors()]
    ).response()


def wrong_parameters(found: Sequence[Mapping[str, Any]]) -> Problem:
    """Return the problem of what pydantic found wrong."""
    return invalid([_wrong(one) for one in found])


def _wrong(found: Mapping[str, Any]) -> tuple[str, str]:
    field = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return field, "there is no such parameter here"
    message: str = found["msg"]
    return field, message.removeprefix("Value error, ")


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == CODES["method-not-allowed"][0]:
        answer = Problem("method-not-allowed", "commands go to the command API").response()
        answer.headers.update(error.headers or {})  # Allow: what the route does take.
        return answer
    return Problem("route-not-found", f"nothing is served at {request.url.path}").response()


def _sendable(text: str) -> str:
    """Lone surrogates cannot be UTF-8."""
    return text.encode("utf-8", "replace").decode()
