"""A line of an export, read back and compared with what its stored bytes say. Trusts nothing."""

from collections.abc import Mapping
from typing import Any

import orjson

from audit.findings import Kind
from audit.lines import EventLine, described, restored
from audit.strict import INT64_MAX
from eventlog.log import Undecodable

LINE_BYTES_MAX = 16 * 1024 * 1024
_SHA256_BYTES = 32
_SHOWN_CHARACTERS = 60
_PLACE = {"order_id": str, "version": int, "partition": int, "offset": int}


class BadLine(Exception):  # noqa: N818 - a finding about a line
    """The line is not what an export writes; `known` is what could be read of its place."""

    def __init__(self, kind: Kind, what: str, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(what)
        self.kind = kind
        self.known = known or {}


def cut_off() -> BadLine:
    """Return what is said of a file that ends within a line."""
    return BadLine(Kind.TRUNCATED, "the line is cut off")


def line_of(
    place: tuple[int, int], named: tuple[str, int], stored: bytes, head: bytes
) -> EventLine:
    """Return the line of the stored bytes; what else was said is still to be compared with it.

    Raises:
        BadLine: they are not the event that is named.
    """
    known = known_of(dict(zip(_PLACE, (*named, *place), strict=True)))
    if len(known) < len(_PLACE) or len(head) != _SHA256_BYTES:
        raise BadLine(Kind.EDITED, "`head`, a place or a version is out of bounds", known)
    try:
        return restored(place, named, stored, head)
    except (Undecodable, UnicodeError) as error:
        raise BadLine(
            Kind.EDITED, f"the stored bytes do not hold this event: {error}", known
        ) from error


def line_said(said: Mapping[str, Any]) -> EventLine:
    """Return the line of fields as they were said, of whatever types.

    Raises:
        BadLine: a field that is needed is missing or of another type.
    """
    known = known_of(said)
    if len(known) < len(_PLACE):
        raise BadLine(
            Kind.EDITED,
            "it is not an event of an export: fields are missing or of other types",
            known,
        )
    stored, head = said.get("stored"), said.get("head")
    if not isinstance(stored, bytes) or not isinstance(head, str):
        raise BadLine(Kind.EDITED, "`stored` or `head` is not readable", known)
    try:
        head_bytes = bytes.fromhex(head)
    except ValueError as error:
        raise BadLine(Kind.EDITED, f"`head` is not readable: {error}", known) from error
    return line_of(
        (known["partition"], known["offset"]),
        (known["order_id"], known["version"]),
        stored,
        head_bytes,
    )


def known_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said of an event's place, as far as it is of the right kind and size."""
    known = {name: said[name] for name, kind in _PLACE.items() if type(said.get(name)) is kind}
    return {
        name: value
        for name, value in known.items()
        if isinstance(value, str) or 0 <= value <= INT64_MAX
    }


def nested(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of `COLUMNS` in the form of JSON lines; `data` is read from its text.

    Raises:
        BadLine: `data` is not JSON.
    """
    found: dict[str, Any] = {}
    for name, value in said.items():
        if name == "actor_kind":
            found["actor"] = {"kind": value, "id": said.get("actor_id")}
        elif name == "data":
            try:
                found["data"] = orjson.loads(value)
            except orjson.JSONDecodeError as error:
                raise BadLine(Kind.EDITED, "`data` is not JSON", known_of(said)) from error
        elif name != "actor_id":
            found[name] = value
    return found


def compare(said: dict[str, Any], line: EventLine, *, is_same_release: bool) -> None:
    """Compare all that was said, with `data` as an object, with what the stored bytes say.

    An export of another release may lack fields that are None in this one's decoding: optional
    fields are added over time.

    Raises:
        BadLine: with the first field that differs, or because only the form does.
    """
    fresh = {
        **orjson.loads(orjson.dumps(described(line))),
        "stored": line.recorded.value,
        "head": line.head.hex(),
    }
    if not is_same_release and _is_covered(said, fresh):
        return
    raise BadLine(Kind.EDITED, _difference(said, fresh), known_of(said))


def _is_covered(said: Any, fresh: Any) -> bool:
    """Tell whether `said` is `fresh`, or lacks only fields that are None there."""
    if isinstance(said, dict) and isinstance(fresh, dict):
        return said.keys() <= fresh.keys() and all(
            _is_covered(said[name], value) if name in said else value is None
            for name, value in fresh.items()
        )
    if isinstance(said, list) and isinstance(fresh, list):
        return len(said) == len(fresh) and all(
            _is_covered(one, other) for one, other in zip(said, fresh, strict=True)
        )
    return type(said) is type(fresh) and bool(said == fresh)


def _difference(said: dict[str, Any], fresh: dict[str, Any]) -> str:
    """Name the first field that is not what the stored bytes say."""
    for name, value in fresh.items():
        if name not in said:
            return f"the field `{name}` is missing"
        if said[name] != value or type(said[name]) is not type(value):
            return _said(name, said[name], value)
    for name in said:
        if name not in fresh:
            return f"the field `{name}` is not written by an export"
    return "its bytes are not as an export writes them"


def _said(name: str, said: Any, value: Any) -> str:
    """Say how one field differs; of a field with parts, which part."""
    while (parts := _parts(said, value)) is not None:
        for part, shown in parts:
            if said[part] != value[part]:
                name, said, value = name + shown, said[part], value[part]
                break
        else:
            break
    is_now = f"`{name}` is {_shown(said)}"
    return f"{is_now}, but the stored bytes say {_shown(value)}: the event was edited"


def _parts(said: Any, value: Any) -> list[tuple[Any, str]] | None:
    """Return the keys of two values with the same parts, and how they are shown."""
    if isinstance(said, dict) and isinstance(value, dict) and said.keys() == value.keys():
        return [(part, f".{part}") for part in value]
    if isinstance(said, list) and isinstance(value, list) and len(said) == len(value):
        return [(part, f"[{part}]") for part in range(len(value))]
    return None


def _shown(value: Any) -> str:
    try:
        text = value.hex() if isinstance(value, bytes) else orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # Too deep, or a number of more than 64 bits.
        return "something else"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
