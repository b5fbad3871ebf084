"""JSON lines: one object per event, no blanks, one newline at the end."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
import orjson

from audit.findings import Kind
from audit.formats.sink import Sink
from audit.lines import EventLine, described
from audit.reading import LINE_BYTES_MAX, BadLine, compare, cut_off, known_of, line_of, line_said


class JsonLinesWriter:
    """Writes events to a sink; nothing is held back."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def add(self, line: EventLine) -> None:
        """Write one event."""
        self._sink.write(written(line))

    def close(self) -> None:
        """Write nothing more."""


def written(line: EventLine) -> bytes:
    """Return the bytes of a line, newline included; the same event always gives the same bytes."""
    said = described(line)
    said["stored"] = base64.b64encode(line.recorded.value).decode()
    said["head"] = line.head.hex()
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


def read(file: BinaryIO, *, is_same_release: bool) -> Iterator[EventLine | BadLine]:
    """Yield the events of a file in their order, and what is wrong in the place of others."""
    while raw := file.readline(LINE_BYTES_MAX):
        try:
            yield _read_line(raw, is_same_release=is_same_release)
        except BadLine as error:
            yield error


class _Place(msgspec.Struct):
    """What is needed to make the rest of the line anew."""

    partition: int
    offset: int
    order_id: str
    version: int
    stored: bytes
    head: str


_decode = msgspec.json.Decoder(_Place).decode


def _read_line(raw: bytes, *, is_same_release: bool) -> EventLine:
    if not raw.endswith(b"\n"):
        raise cut_off()
    try:
        place = _decode(raw)
        head = bytes.fromhex(place.head)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _read_odd(raw, is_same_release=is_same_release)
    line = line_of(
        (place.partition, place.offset), (place.order_id, place.version), place.stored, head
    )
    if written(line) != raw:
        compare(_said(raw), line, is_same_release=is_same_release)
    return line


def _read_odd(raw: bytes, *, is_same_release: bool) -> EventLine:
    """Say what is wrong with a line that is not read in the short way."""
    said = _said(raw)
    line = line_said(said)
    compare(said, line, is_same_release=is_same_release)
    return line


def _said(raw: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadLine(Kind.EDITED, f"it is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise BadLine(Kind.EDITED, "it is not an event of an export")
    try:
        said["stored"] = base64.b64decode(said["stored"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadLine(Kind.EDITED, f"`stored` is not readable: {error}", known_of(said)) from error
    return said
