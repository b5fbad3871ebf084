"""CSV as in RFC 4180: a line of names, CRLF, quotes where they are needed.

A spreadsheet takes a text that begins with `=`, `+`, `-`, `@`, a tab or a return for a formula.
Such a text is written with an apostrophe in front, and so is one that begins with an apostrophe:
whoever reads takes one away.
"""

import base64
import binascii
import csv
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from audit.findings import Kind
from audit.formats.sink import Sink
from audit.lines import COLUMNS, EventLine, row
from audit.reading import LINE_BYTES_MAX, BadLine, compare, cut_off, line_said, nested

_QUOTED = re.compile(r'[",\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_TEXTS = tuple(
    at for at, (name, kind) in enumerate(COLUMNS.items()) if kind is str and name != "data"
)
_STORED = list(COLUMNS).index("stored")
HEADER = (",".join(COLUMNS) + "\r\n").encode()


class CsvWriter:
    """Writes events to a sink; nothing is held back."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        sink.write(HEADER)

    def add(self, line: EventLine) -> None:
        """Write one event."""
        self._sink.write(written(line))

    def close(self) -> None:
        """Write nothing more."""


def written(line: EventLine) -> bytes:
    """Return the bytes of a row; the same event always gives the same bytes."""
    cells: list[Any] = list(row(line))
    cells[_STORED] = base64.b64encode(cells[_STORED]).decode()
    for at in _TEXTS:
        if cells[at].startswith(_FORMULA):
            cells[at] = "'" + cells[at]
    return (",".join(map(_quoted, map(str, cells))) + "\r\n").encode()


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell


def read(file: BinaryIO, *, is_same_release: bool) -> Iterator[EventLine | BadLine]:
    """Yield the events of a file in their order, and what is wrong in the place of others."""
    csv.field_size_limit(LINE_BYTES_MAX)
    lines = _Lines(file)
    rows = csv.reader(lines, strict=True)
    names: list[str] = []
    while True:
        lines.begin_row()
        try:
            cells = next(rows)
            if names:
                yield _read_row(names, cells, b"".join(lines.taken), is_same_release)
            else:
                names = _names(cells, lines.taken, is_same_release=is_same_release)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadLine(Kind.EDITED, f"it is not CSV: {error}")
        except BadLine as error:
            yield error
            names = names or list(COLUMNS)


class _Lines:
    """The lines of a file for `csv.reader`; `taken` are the bytes of the present row."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.begin_row()

    def begin_row(self) -> None:
        """Forget the bytes of the row before."""
        self.taken: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(LINE_BYTES_MAX)
        if not raw or self._size > LINE_BYTES_MAX:
            raise StopIteration
        self.taken.append(raw)
        self._size += len(raw)
        return raw.decode(errors="replace")


def _names(cells: list[str], taken: list[bytes], *, is_same_release: bool) -> list[str]:
    if b"".join(taken) == HEADER or (not is_same_release and {*cells} <= {*COLUMNS}):
        return cells
    raise BadLine(Kind.EDITED, "the first line does not name the fields of an export")


def _read_row(names: list[str], cells: list[str], raw: bytes, is_same_release: bool) -> EventLine:
    if not raw.endswith(b"\r\n"):
        raise cut_off()
    if len(cells) != len(names):
        raise BadLine(Kind.EDITED, f"it has {len(cells)} fields instead of {len(names)}")
    said = dict(zip(names, map(_unescaped, names, cells), strict=True))
    line = line_said(said)
    if written(line) != raw:
        compare(nested(said), line, is_same_release=is_same_release)
    return line


def _unescaped(name: str, cell: str) -> Any:
    kind = COLUMNS[name]
    try:
        if kind is int:
            return int(cell)
        if kind is bytes:
            return base64.b64decode(cell, validate=True)
    except (ValueError, binascii.Error):
        return cell
    return cell[1:] if cell.startswith("'") and name != "data" else cell
