"""A batch as it comes in: commands in their sequence, each with its own fate."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace
from pydantic import ValidationError
from pydantic_core import to_json

from command_api.bodies import BATCH_ITEM, COMMANDS, BatchItem, Beginning, Body, kebab
from command_api.problems import Problem, invalid, wrong_field
from command_api.reading import KEY_MAX, Asked, Headers, parse
from command_api.routing import Command
from runtime.settings import CommandSettings

_NDJSON = (b"application/x-ndjson", b"application/ndjson")


def commands_of(
    headers: Headers, raw: bytes, given: Asked, settings: CommandSettings
) -> list[Command | Exception]:
    """Return the commands of a request, what is wrong with one in its place.

    Raises:
        Problem: the request as a whole is wrong.
    """
    items = _items(headers, raw, settings)
    if len(items) > settings.batch_commands_max:
        raise wrong_field("(body)", f"must have at most {settings.batch_commands_max} commands")
    _require_batch_headers(given, len(items))
    return [_item(item, given, number) for number, item in enumerate(items)]


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


def _item(item: Any, given: Asked, number: int) -> Command | Exception:
    """Return one command of a batch, or what is wrong with it."""
    try:
        parsed = BATCH_ITEM.validate_python(item)
        body = _item_body(parsed)
    except (ValidationError, Problem) as error:
        return error
    key = parsed.idempotency_key or f"{given.idempotency_key}/{number}"
    own = replace(given, idempotency_key=key, expected_version=parsed.expected_version)
    return body, parsed.order_id, own


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
