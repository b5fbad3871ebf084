"""The formats of an export's files: one writer and one reader each, known here by their names.

A writer takes `EventLine`s; a reader gives them back, checked against their own stored bytes. Both
know nothing of folders, Kafka or the event loop.
"""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

import zstandard

from audit.findings import Kind
from audit.formats import comma, jsonl
from audit.formats.sink import Compressing, Sink, decompressed
from audit.lines import EventLine
from audit.manifest import Encoding
from audit.reading import BadLine


class Writer(Protocol):
    """Writes the events of one file."""

    def add(self, line: EventLine) -> None:
        """Write one event, in the order of offsets."""

    def close(self) -> None:
        """Write what is left; the sink stays open."""


def writer(encoding: Encoding, sink: Sink) -> Writer:
    """Begin a file."""
    if encoding.compression is not None:
        return _Compressed(encoding, sink)
    match encoding.format:
        case "jsonl":
            return jsonl.JsonLinesWriter(sink)
        case "csv":
            return comma.CsvWriter(sink)
        case "parquet":
            from audit.formats import parquet  # noqa: PLC0415 - half a second, for Parquet alone

            return parquet.ParquetWriter(sink)


class _Compressed:
    """A writer whose bytes are compressed."""

    def __init__(self, encoding: Encoding, sink: Sink) -> None:
        self._frame = Compressing(sink)
        self._writer = writer(Encoding(format=encoding.format), self._frame)

    def add(self, line: EventLine) -> None:
        self._writer.add(line)

    def close(self) -> None:
        self._writer.close()
        self._frame.close()


def read(
    encoding: Encoding, file: BinaryIO, *, is_same_release: bool
) -> Iterator[EventLine | BadLine]:
    """Yield the events of a file in their order; what cannot be one is yielded as what is wrong.

    Whatever is in the file, nothing is raised but what reading it raises (`OSError`).
    """
    if encoding.compression is not None:
        file = decompressed(file)
    try:
        match encoding.format:
            case "jsonl":
                yield from jsonl.read(file, is_same_release=is_same_release)
            case "csv":
                yield from comma.read(file, is_same_release=is_same_release)
            case "parquet":
                from audit.formats import parquet  # noqa: PLC0415 - see above

                yield from parquet.read(file, is_same_release=is_same_release)
    except zstandard.ZstdError as error:
        yield BadLine(Kind.EDITED, f"the file cannot be decompressed from here on: {error}")
