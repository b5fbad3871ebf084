"""Parquet, with every option written out that decides its bytes.

The file names the library that wrote it: the bytes are the same for the same release of pyarrow.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from audit.findings import Kind
from audit.formats.sink import Sink
from audit.lines import COLUMNS, EventLine, row
from audit.reading import BadLine, compare, line_said, nested

GROUP_EVENTS_MAX = 5_000
GROUP_BYTES_MAX = 16 * 1024 * 1024
_BATCH_EVENTS = 500
_TYPES = {int: pa.int64(), str: pa.string(), bytes: pa.binary()}
SCHEMA = pa.schema([pa.field(name, _TYPES[kind], nullable=False) for name, kind in COLUMNS.items()])
_DICTIONARIES = ["type", "tenant_id", "actor_kind", "actor_id"]


class ParquetWriter:
    """Writes events to a sink in row groups; one group is held back."""

    def __init__(self, sink: Sink) -> None:
        self._passing = _Passing(sink)
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._passing, mode="w"),
            SCHEMA,
            version="2.6",
            data_page_version="1.0",
            data_page_size=1024 * 1024,
            compression="zstd",
            compression_level=3,
            use_dictionary=_DICTIONARIES,
            write_statistics=True,
            write_page_index=False,
            store_schema=False,
        )
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def add(self, line: EventLine) -> None:
        """Take one event."""
        self._rows.append(row(line))
        self._bytes += len(line.recorded.value)
        if len(self._rows) == GROUP_EVENTS_MAX or self._bytes >= GROUP_BYTES_MAX:
            self._finish_group()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self._rows:
            self._finish_group()
        self._writer.close()
        self._passing.is_over = True

    def __del__(self) -> None:
        """Write nothing any more: pyarrow would end a file that was given up."""
        self._passing.is_over = True

    def _finish_group(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)
        ]
        table = pa.Table.from_arrays(arrays, schema=SCHEMA)
        self._writer.write_table(table, row_group_size=len(self._rows))
        self._rows, self._bytes = [], 0


class _Passing:
    """A sink as pyarrow needs it; whoever opened it closes it."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._size = 0
        self.is_over = False

    def write(self, data: Any) -> int:
        raw = bytes(data)
        if not self.is_over:
            self._sink.write(raw)
        self._size += len(raw)
        return len(raw)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def read(file: BinaryIO, *, is_same_release: bool) -> Iterator[EventLine | BadLine]:
    """Yield the events of a file in their order, and what is wrong in the place of others."""
    try:
        opened = parquet.ParquetFile(file, pre_buffer=False)
        schema = opened.schema_arrow
        if not _is_ours(schema, is_same_release=is_same_release):
            yield BadLine(Kind.EDITED, "its columns are not those of an export")
            return
        names = schema.names
        for batch in opened.iter_batches(_BATCH_EVENTS, use_threads=False):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield _read_row(names, values, is_same_release=is_same_release)
    except (pa.ArrowException, OSError, ValueError, UnicodeError) as error:
        yield BadLine(
            Kind.EDITED, f"the file cannot be read from here on: {str(error).splitlines()[0]}"
        )


def _is_ours(schema: Any, *, is_same_release: bool) -> bool:
    if is_same_release:
        return bool(schema.equals(SCHEMA))
    return all(
        name in COLUMNS and schema.field(name).equals(SCHEMA.field(name)) for name in schema.names
    )


def _read_row(
    names: list[str], values: tuple[Any, ...], *, is_same_release: bool
) -> EventLine | BadLine:
    said = dict(zip(names, values, strict=True))
    try:
        line = line_said(said)
        if row(line) != values:
            compare(nested(said), line, is_same_release=is_same_release)
    except BadLine as error:
        return error
    return line
