"""A line of an export, read back and compared with what its stored bytes say. Trusts nothing."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from audit.lines import describe, written
from eventlog.codec import event_key
from eventlog.log import StoredRecord, Undecodable

LINE_BYTES_MAX = 16 * 1024 * 1024
_INT64_MAX = 2**63 - 1
_SHA256_BYTES = 32
_SHOWN_CHARACTERS = 60


class BadLine(Exception):  # noqa: N818 - a finding about a line
    """The line is not what an export writes; `known` is what could be read of its place."""

    def __init__(self, what: str, known: dict[str, Any]) -> None:
        super().__init__(what)
        self.known = known


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line that says what its stored bytes say. Its place in the export is still to be checked.

    `hash`, `prev_hash` and `order_id`, `version`, `recorded_at_us` are those of the stored bytes;
    `partition`, `offset` and `head` are the line's own word.
    """

    partition: int
    offset: int
    order_id: str
    version: int
    recorded_at_us: int
    hash: bytes
    prev_hash: bytes
    head: bytes


def read_line(raw: bytes, *, is_same_release: bool) -> EventLine:
    """Read one line, newline included.

    A line of another release may lack fields that are empty in this one's decoding: optional
    fields are added over time. A line of this release must be the same to the byte.

    Raises:
        BadLine: with what is wrong.
    """
    if not raw.endswith(b"\n"):
        raise BadLine("the line is cut off", {})
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"the line is not JSON: {error}", {}) from error
    known = _known(said)
    record, head = _record(said, known)
    try:
        fresh = describe(record)
    except Undecodable as error:
        raise BadLine(f"the stored bytes do not hold this event: {error}", known) from error
    if written(fresh, head) != raw and (is_same_release or not _is_covered(said, fresh)):
        raise BadLine(_difference(said, {**fresh, "head": head.hex()}), known)
    return EventLine(
        record.partition,
        record.offset,
        fresh["order_id"],
        fresh["version"],
        fresh["recorded_at_us"],
        bytes.fromhex(fresh["hash"]),
        bytes.fromhex(fresh["prev_hash"]),
        head,
    )


def _known(said: Any) -> dict[str, Any]:
    """Return what the line says of its place, as far as it is of the right kind."""
    if not isinstance(said, dict):
        return {}
    kinds = {"order_id": str, "version": int, "partition": int, "offset": int}
    return {name: said[name] for name, kind in kinds.items() if type(said.get(name)) is kind}


def _record(said: Any, known: dict[str, Any]) -> tuple[StoredRecord, bytes]:
    if len(known) < 4:  # noqa: PLR2004 - order id, version, partition, offset
        raise BadLine("the line is not an event of an export: fields are missing", known)
    try:
        stored = base64.b64decode(said["stored"], validate=True)
        head = bytes.fromhex(said["head"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadLine(f"`stored` or `head` is not readable: {error}", known) from error
    numbers = (known["partition"], known["offset"], known["version"])
    if len(head) != _SHA256_BYTES or not all(0 <= number <= _INT64_MAX for number in numbers):
        raise BadLine("`head`, a place or a version is out of bounds", known)
    key = event_key(known["order_id"], known["version"])
    return StoredRecord(known["partition"], known["offset"], 0, key, stored), head


def _is_covered(said: Any, fresh: Any) -> bool:
    """Tell whether `said` is `fresh`, or lacks only fields that are None there."""
    if isinstance(said, dict) and isinstance(fresh, dict):
        return said.keys() <= fresh.keys() | {"head"} and all(
            _is_covered(said[name], value) if name in said else value is None
            for name, value in fresh.items()
        )
    if isinstance(said, list) and isinstance(fresh, list | tuple):
        return len(said) == len(fresh) and all(
            _is_covered(one, other) for one, other in zip(said, fresh, strict=True)
        )
    return type(said) is type(fresh) and bool(said == fresh)


def _difference(said: dict[str, Any], fresh: dict[str, Any]) -> str:
    """Name the first field that is not what the stored bytes say."""
    fresh = orjson.loads(orjson.dumps(fresh))
    for name, value in fresh.items():
        if name not in said:
            return f"the field `{name}` is missing"
        if said[name] != value or type(said[name]) is not type(value):
            return (
                f"`{name}` is {_shown(said[name])}, but the stored bytes say {_shown(value)}: "
                "the event was edited"
            )
    for name in said:
        if name not in fresh:
            return f"the field `{name}` is not written by an export"
    return "the line's bytes are not as an export writes them"


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
