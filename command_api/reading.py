"""What comes in: a body within limits, JSON that means one thing only, headers in their form."""

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import jiter
import uuid_utils
from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from command_api.problems import Problem, wrong_field
from domain.values import Actor
from runtime.connections import has_left, is_received
from runtime.settings import CommandSettings

_JSON = ("application/json", "application/x-ndjson", "application/ndjson")
_ANONYMOUS = Actor("system", "anonymous")
KEY_MAX = 255
_NAME_MAX = 200
_REASON_MAX = 500
_VISIBLE = re.compile(rb"[!-~]+")
_VERSION = re.compile(rb'"([0-9]{1,10})"')
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}

Headers: TypeAlias = Mapping[bytes, bytes]


class Asked(Struct, frozen=True):
    """What the headers and parameters of a request say."""

    idempotency_key: str
    expected_version: int | None
    correlation_id: str
    actor: Actor
    traceparent: str | None
    is_dry_run: bool
    reason: str = ""


def headers_of(scope: Scope) -> Headers:
    """Return the headers by their names in lower case; of one that came twice, the first."""
    return dict(reversed(scope["headers"]))


async def read_body(
    scope: Scope, receive: Receive, headers: Headers, *, bytes_max: int, timeout_s: float
) -> bytes:
    """Return the body, read within its limits.

    Raises:
        Problem: too large, too slow, or not JSON by its headers.
        ClientDisconnect: nobody is there any more.
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    if is_received(scope):
        body = await _whole(receive, bytes_max)
    else:
        try:
            async with asyncio.timeout(timeout_s):
                body = await _whole(receive, bytes_max)
        except TimeoutError as error:
            raise Problem("body-timeout", f"Send the body within {timeout_s:g} s.") from error
    if has_left(scope):
        raise ClientDisconnect
    if body:
        require_json(headers)
    return body


async def _whole(receive: Receive, bytes_max: int) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        body = body + part if body else part
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
        if not message.get("more_body", False):
            return body


def _too_large(bytes_max: int) -> Problem:
    return Problem("body-too-large", f"A body may have {bytes_max:,} bytes here.")


def require_json(headers: Headers) -> None:
    """Refuse a body that is not JSON by its headers.

    Raises:
        Problem: `unsupported-media-type`.
    """
    said = headers.get(b"content-type", b"")
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if said == b"application/json" and encoding == b"identity":
        return
    kind, _, parameters = said.decode("latin-1").lower().partition(";")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(' "')
    if kind.strip() not in _JSON or charset not in {"", "utf-8"} or encoding != b"identity":
        raise Problem(
            "unsupported-media-type",
            "Send Content-Type: application/json in UTF-8, not compressed.",
        )


def parse(body: bytes, limits: CommandSettings, first_line: int = 1) -> Any:
    """Return what the JSON says; two readers of it can never understand different things.

    `first_line` is where `body` begins in what the client sent.

    Raises:
        Problem: not JSON, a key twice in one object, NaN, not UTF-8, nested deeper or with longer
            numbers than the limits allow (`malformed-json`).
    """
    try:
        said = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise Problem("malformed-json", _where(str(error), first_line)) from error
    # Most bodies are too short for either, and are not looked through.
    if body.count(b"[") + body.count(b"{") > limits.json_depth_max:
        _require_flat(said, limits.json_depth_max)
    if len(body) > limits.json_digits_max and _long_number(limits.json_digits_max).search(body):
        _require_short(said, limits.json_digits_max)
    return said


def _require_flat(said: Any, depth_max: int) -> None:
    level = [said]
    for _ in range(depth_max):
        level = [
            value
            for outer in level
            for value in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(value, dict | list)
        ]
        if not level:
            return
    raise Problem("malformed-json", f"nested deeper than {depth_max}")


@cache
def _long_number(digits_max: int) -> re.Pattern[bytes]:
    """Find so many digits, in a number or in a text: in most bodies there are none."""
    return re.compile(rb"[0-9]{%d}" % (digits_max + 1))


def _require_short(said: Any, digits_max: int) -> None:
    ceiling, left = 10**digits_max, [said]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, int) and abs(value) >= ceiling:
            raise Problem("malformed-json", f"a number has more than {digits_max} digits")


def _where(said: str, first_line: int) -> str:
    """Return what the parser said, without the client's key, and with the line in the request."""
    found = _PLACE.search(said)
    what = said[: found.start()] if found else said
    if what.startswith("Detected duplicate key"):
        what = "an object has the same key twice"
    if found is None:
        return what
    return f"{what} at line {int(found[1]) + first_line - 1} column {found[2]}"


def order_id_of(text: str) -> str:
    """Return the id as it is stored.

    Raises:
        Problem: it is not a UUID.
    """
    if _UUID.fullmatch(text) is None:
        raise wrong_field("order_id", "must be a UUID")
    return text.lower()


def asked(headers: Headers, query_string: bytes) -> Asked:
    """Return what headers and parameters say.

    Raises:
        Problem: one of them is malformed, and named.
    """
    key = _visible(headers, b"idempotency-key", KEY_MAX, "Idempotency-Key")
    correlation_id = _visible(headers, b"orders-correlation-id", _NAME_MAX, "Orders-Correlation-Id")
    traceparent = headers.get(b"traceparent")
    if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) is None:
        traceparent = None  # W3C Trace Context: what cannot be parsed is ignored.
    return Asked(
        key or str(uuid_utils.uuid4()),
        _expected_version(headers.get(b"if-match")),
        correlation_id or str(uuid_utils.uuid4()),
        _actor(headers.get(b"orders-actor")),
        None if traceparent is None else traceparent.decode("ascii"),
        _is_dry_run(query_string) if query_string else False,
        _reason(headers.get(b"orders-reason")),
    )


def _visible(headers: Headers, name: bytes, characters_max: int, spelled: str) -> str | None:
    """Return a header of visible ASCII characters; None: it was not sent."""
    value = headers.get(name)
    if value is None:
        return None
    if len(value) > characters_max or _VISIBLE.fullmatch(value) is None:
        raise wrong_field(spelled, f"must be 1 to {characters_max} visible ASCII characters")
    return value.decode("ascii")


def _expected_version(if_match: bytes | None) -> int | None:
    if if_match is None:
        return None
    found = _VERSION.fullmatch(if_match.strip())
    if found is None:
        raise wrong_field("If-Match", 'must be one version in quotes, for example "3"')
    return int(found.group(1))


def _actor(header: bytes | None) -> Actor:
    """Read `kind:id`; a name alone is a user."""
    if header is None:
        return _ANONYMOUS
    if len(header) > _NAME_MAX or _VISIBLE.fullmatch(header) is None:
        raise wrong_field("Orders-Actor", "must be kind:id in visible ASCII, like user:jane")
    said = header.decode("ascii")
    kind, colon, name = said.partition(":")
    return Actor(kind, name) if colon and kind and name else Actor("user", said)


def _reason(header: bytes | None) -> str:
    """Read a text in UTF-8, as clients send it, without control characters."""
    if header is None:
        return ""
    try:
        said = header.decode()
    except UnicodeDecodeError as error:
        raise wrong_field("Orders-Reason", "must be UTF-8") from error
    if len(said) > _REASON_MAX or not said.isprintable():
        raise wrong_field("Orders-Reason", f"must be a line of at most {_REASON_MAX} characters")
    return said


def _is_dry_run(query_string: bytes) -> bool:
    text = QueryParams(query_string).get("dry_run")
    if text is None:
        return False
    if text not in _TRUTH:
        raise wrong_field("dry_run", "must be true or false")
    return _TRUTH[text]
