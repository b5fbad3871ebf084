"""Problem documents (RFC 9457): the one place where errors become answers.

Nothing of a malformed or invalid request is repeated in its answer (a rule's sentence may name an
id), and no fault of ours is described in one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog
from msgspec.structs import asdict
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response

from command_api.fields import SAID
from domain.errors import NoSuchOrder, OrderExists, Refused, Rejected
from eventlog.submission import (
    KeyReused,
    Overloaded,
    PartitionUnavailable,
    VersionMismatch,
)
from personal_data.keys import KeysUnavailable

_log = structlog.get_logger("orderlog.command_api")

_ERRORS_MAX = 50
_KEYS_AFTER_S = 2
_AGAIN = "Send the same request again, with the same Idempotency-Key."

CODES: dict[str, tuple[int, str]] = {
    "malformed-json": (400, "The body is not the JSON that is read here"),
    "order-not-found": (404, "There is no such order"),
    "not-found": (404, "There is no such route or command"),
    "method-not-allowed": (405, "The route does not take this method"),
    "body-timeout": (408, "The body did not come in time"),
    "rejected": (409, "A rule of the order says no"),
    "order-exists": (409, "The order id is already used by another request"),
    "version-mismatch": (412, "The order is not at the expected version"),
    "body-too-large": (413, "The body is too large"),
    "command-too-large": (413, "The command makes more events than one transaction takes"),
    "unsupported-media-type": (415, "The body is not of a type that is read here"),
    "invalid-command": (422, "Some fields are wrong"),
    "idempotency-key-reused": (422, "The Idempotency-Key belongs to another request"),
    "overloaded": (429, "Too much is in flight"),
    "internal-error": (500, "A fault of this service; the outcome is unknown"),
    "key-store-unavailable": (503, "The keys of personal data are not at hand"),
    "log-unavailable": (503, "The order's partition cannot be written to at the moment"),
}
"""Every code that this API answers with: its status and its title. Codes never change."""

_CUT_OFF = {"body-timeout", "body-too-large"}


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An answer that is not a success. `more` are further members of the document."""

    def __init__(
        self, code: str, detail: str, *, retry_after_s: int | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.more = more

    def document(self) -> dict[str, Any]:
        """Return the members of the problem document."""
        return {
            "type": f"urn:orderlog:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.more,
        }

    def result(self) -> dict[str, Any]:
        """Return the problem as one result of a batch."""
        if self.retry_after_s is None:
            return self.document()
        return {**self.document(), "retry_after": self.retry_after_s}

    def response(self) -> Response:
        """Return the problem as an answer."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.code in _CUT_OFF:
            headers["Connection"] = "close"  # The rest of the body is not waited for.
        return Response(
            orjson.dumps(self.document()),
            self.status,
            headers,
            media_type="application/problem+json",
        )


def problem_of(error: BaseException) -> Problem:
    """Return the answer to an error; a fault of ours is logged, and told without its words."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(error)
    if isinstance(error, Refused):
        return _refusal(error)
    if isinstance(error, Overloaded):
        return _put_off(error)
    if isinstance(error, KeysUnavailable):
        return Problem("key-store-unavailable", f"{error}. {_AGAIN}", retry_after_s=_KEYS_AFTER_S)
    _log.error("fault", exc_info=error)
    return Problem("internal-error", _AGAIN)


def _refusal(error: Refused) -> Problem:
    match error:
        case NoSuchOrder():
            return Problem("order-not-found", "There is no order with this id.")
        case OrderExists():
            return Problem("order-exists", "Choose another order_id, or leave it out.")
        case Rejected():
            return Problem("rejected", error.sentence, rule=error.rule)
        case VersionMismatch():
            return Problem(
                "version-mismatch",
                "Read the missed events, decide again, and send the new version in If-Match.",
                current_version=error.current_version,
                events=[asdict(missed) for missed in error.missed],
            )
        case KeyReused():
            return Problem("idempotency-key-reused", "Use a new key for every new request.")
        case _:
            return Problem("command-too-large", "Send less in one command.")


def _put_off(error: Overloaded) -> Problem:
    if isinstance(error, PartitionUnavailable):
        return Problem(
            "log-unavailable",
            f"The outcome is unknown. {_AGAIN}",
            retry_after_s=error.retry_after_s,
        )
    return Problem(
        "overloaded",
        "Nothing was queued. Send the same request again.",
        retry_after_s=error.retry_after_s,
    )


def invalid(error: ValidationError, prefix: Sequence[str | int] = ()) -> Problem:
    """Return one entry per wrong field; `prefix` is the way to what was validated."""
    found = error.errors(include_url=False, include_input=False)
    entries = [
        {"field": _path((*prefix, *_known(one["loc"], one["type"]))), "message": _message(one)}
        for one in found[:_ERRORS_MAX]
        if one["type"] != "too_short" or not _has_wrong_part(one["loc"], found)
    ]
    return wrong(*entries)


def _has_wrong_part(location: Sequence[str | int], found: Sequence[ErrorDetails]) -> bool:
    """Tell whether an array is only too short because what is in it is wrong."""
    return any(other["loc"][:-1][: len(location)] == location for other in found)


def wrong_field(field: str, message: str) -> Problem:
    """Return the problem of one field, header or parameter."""
    return wrong({"field": field, "message": message})


def wrong(*entries: Mapping[str, str]) -> Problem:
    """Return a problem with these entries of `field` and `message`."""
    first = entries[0]
    more = f" ({len(entries) - 1} more)" if len(entries) > 1 else ""
    return Problem(
        "invalid-command", f"{first['field']}: {first['message']}{more}", errors=list(entries)
    )


def _known(location: Sequence[str | int], kind: str) -> Sequence[str | int]:
    """Name unknown fields by the place they are in, for their names came from the client."""
    return (*location[:-1], "(unknown field)") if kind == "extra_forbidden" else location


def _path(location: Sequence[str | int]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "(body)"


def _message(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "string_pattern_mismatch":
            return SAID.get(context["pattern"], "has the wrong form")
        case "value_error":
            return str(context["error"])
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a field of this command"
        case "tuple_type":
            return "must be an array"
        case "datetime_parsing" | "datetime_from_date_parsing" | "datetime_object_invalid":
            return "must be a time that exists"
        case "too_short":
            return f"must have at least {_counted(context['min_length'])}"
        case "too_long":
            return f"must have at most {_counted(context['max_length'])}"
        case "model_type" | "dict_type":
            return "must be an object"
        case _:
            return (
                str(error["msg"]).replace("Input should", "must").replace("String should", "must")
            )


def _counted(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries:,} entries"
