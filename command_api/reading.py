"""What comes in: a body within limits, JSON that means one thing only, headers in their form."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import jiter
import uuid_utils
from msgspec import Struct
from starlette.requests import Request

from command_api.problems import Problem, wrong_field
from domain.values import Actor
from runtime.settings import CommandSettings

_JSON = ("application/json", "application/x-ndjson", "application/ndjson")
KEY_MAX = 255
_KEY = re.compile(rf"[!-~]{{1,{KEY_MAX}}}")
_NAME = re.compile(r"[!-~]{1,200}")
_VERSION = re.compile(r'"(\d{1,10})"')
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Asked(Struct, frozen=True):
    """What the headers and parameters of a request say."""

    idempotency_key: str
    expected_version: int | None
    correlation_id: str
    actor: Actor
    traceparent: str | None
    is_dry_run: bool


async def read_body(request: Request, *, bytes_max: int, timeout_s: float) -> bytes:
    """Return the body, read within its limits.

    Raises:
        Problem: too large, too slow, or not JSON by its headers.
    """
    headers = _headers(request)
    length = headers.get(b"content-length", "")
    if length.isdecimal() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > bytes_max:
                    raise _too_large(bytes_max)
                chunks.append(chunk)
    except TimeoutError as error:
        raise Problem("body-timeout", f"Send the body within {timeout_s:g} s.") from error
    body = b"".join(chunks)
    if body:
        _require_json(headers)
    return body


def _too_large(bytes_max: int) -> Problem:
    return Problem("body-too-large", f"A body may have {bytes_max:,} bytes here.")


def _require_json(headers: Mapping[bytes, str]) -> None:
    said = headers.get(b"content-type", "")
    encoding = headers.get(b"content-encoding", "identity").lower()
    if said == _JSON[0] and encoding == "identity":
        return
    kind, _, parameters = said.lower().partition(";")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(' "')
    if kind.strip() not in _JSON or charset not in {"", "utf-8"} or encoding != "identity":
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
    is_deep = body.count(b"[") + body.count(b"{") > limits.json_depth_max
    if is_deep or len(body) > limits.json_digits_max:
        _require_within(said, limits)
    return said


def _require_within(said: Any, limits: CommandSettings) -> None:
    """Refuse JSON that is nested too deep, and whole numbers that are too long."""
    ceiling = 10**limits.json_digits_max
    level, depth = [said], 0
    while level:
        within: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                within += value.values()
            elif isinstance(value, list):
                within += value
            elif isinstance(value, int) and abs(value) >= ceiling:
                raise Problem(
                    "malformed-json", f"a number has more than {limits.json_digits_max} digits"
                )
        depth += any(isinstance(value, dict | list) for value in level)
        if depth > limits.json_depth_max:
            raise Problem("malformed-json", f"nested deeper than {limits.json_depth_max}")
        level = within


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


def asked(request: Request) -> Asked:
    """Return what headers and parameters say.

    Raises:
        Problem: one of them is malformed, and named.
    """
    headers = _headers(request)
    key = headers.get(b"idempotency-key")
    if key is None:
        key = str(uuid_utils.uuid4())
    elif _KEY.fullmatch(key) is None:
        raise wrong_field("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
    correlation_id = headers.get(b"orders-correlation-id")
    if correlation_id is None:
        correlation_id = str(uuid_utils.uuid4())
    elif _NAME.fullmatch(correlation_id) is None:
        raise wrong_field("Orders-Correlation-Id", "must be 1 to 200 visible ASCII characters")
    traceparent = headers.get(b"traceparent")
    if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) is None:
        traceparent = None  # W3C Trace Context: what cannot be parsed is ignored.
    return Asked(
        key,
        _expected_version(headers.get(b"if-match")),
        correlation_id,
        _actor(headers.get(b"orders-actor")),
        traceparent,
        _is_dry_run(request) if request.scope["query_string"] else False,
    )


def _headers(request: Request) -> dict[bytes, str]:
    """Return the headers; of one that came twice, the first.

    `request.headers` would look through all of them for each.
    """
    return {name: value.decode("latin-1") for name, value in reversed(request.scope["headers"])}


def _expected_version(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    found = _VERSION.fullmatch(if_match.strip())
    if found is None:
        raise wrong_field("If-Match", 'must be one version in quotes, for example "3"')
    return int(found.group(1))


def _actor(header: str | None) -> Actor:
    """Read `kind:id`; a name alone is a user."""
    if header is None:
        return Actor("system", "anonymous")
    if _NAME.fullmatch(header) is None:
        raise wrong_field("Orders-Actor", "must be kind:id in visible ASCII, like user:jane")
    kind, colon, name = header.partition(":")
    return Actor(kind, name) if colon and kind and name else Actor("user", header)


def _is_dry_run(request: Request) -> bool:
    text = request.query_params.get("dry_run")
    if text is None:
        return False
    if text not in _TRUTH:
        raise wrong_field("dry_run", "must be true or false")
    return _TRUTH[text]
