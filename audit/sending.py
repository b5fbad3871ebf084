"""An export that is sent instead of kept: as lines with the manifest last, or as a tar."""

import base64
import io
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, aclosing
from typing import IO, Protocol

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.manifest import DESCRIPTORS, NAME, FileEntry, Manifest
from audit.progress import Plan, Progress, Range
from audit.trail import Store, Trail
from eventlog.codec import descriptors
from eventlog.log import EventLog, StoredRecord
from runtime.finishing import in_thread

_RECORDS_MAX = 500
_RECORD_BYTES_MAX = 1024 * 1024
"""So much of the log is taken at once, in a thread; its lines are about two to three times that."""

_PIECE_BYTES = 256 * 1024
_TAR_BLOCK_BYTES = 512


class Form(Store, Protocol):
    """A store whose bytes are taken away piece by piece. `events` are those that were."""

    events: int

    def pieces(self) -> Iterator[bytes]:
        """Yield what is ready to be sent and was not yet."""

    def last(self, manifest: Manifest) -> Iterator[bytes]:
        """Yield what comes after all files."""

    def close(self) -> None:
        """Let go of what was not sent."""


class Lines:
    """JSON lines of all files one after the other; the last line holds the rest of the folder."""

    def __init__(self) -> None:
        self.events = 0
        self._buffer = io.BytesIO()

    def begin(self, _name: str) -> IO[bytes]:
        """Go on behind the file before."""
        return self._buffer

    def finish(self, entry: FileEntry) -> None:
        """Nothing marks the end of a file: the manifest says how many bytes it has."""

    def save(self, progress: Progress) -> None:
        """Nobody goes on with what was sent."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the lines since the last time."""
        lines = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        for at in range(0, len(lines), _PIECE_BYTES):
            piece = lines[at : at + _PIECE_BYTES]
            self.events += piece.count(b"\n")
            yield piece

    def last(self, manifest: Manifest) -> Iterator[bytes]:
        """Yield the last line."""
        yield last_line(manifest, descriptors())

    def close(self) -> None:
        """Nothing is held."""


class Tar:
    """The files of a folder as a tar (POSIX ustar), without times and owners, the manifest last.

    A tar names the size of a file before its bytes: one file at a time waits on disk until it is
    whole.
    """

    def __init__(self) -> None:
        self.events = 0
        self._file: IO[bytes] | None = None
        self._whole: list[tuple[FileEntry, IO[bytes]]] = []
        self._open = ExitStack()

    def begin(self, _name: str) -> IO[bytes]:
        """Make a place on disk; it has no name, and is gone with the process."""
        self._file = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - `close` does
        return self._file

    def finish(self, entry: FileEntry) -> None:
        """Let the file be sent."""
        if self._file is None:
            raise RuntimeError("no file was begun")
        self._whole.append((entry, self._file))
        self._file = None

    def save(self, progress: Progress) -> None:
        """Nobody goes on with what was sent."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the files that are whole."""
        while self._whole:
            entry, file = self._whole.pop(0)
            yield _header(entry.name, entry.bytes)
            file.seek(0)
            while chunk := file.read(_PIECE_BYTES):
                yield chunk
            file.close()
            yield _padding(entry.bytes)
            self.events += entry.events

    def last(self, manifest: Manifest) -> Iterator[bytes]:
        """Yield schema, manifest, and the two empty blocks that end a tar."""
        for name, content in ((DESCRIPTORS, descriptors()), (NAME, manifest.dump())):
            yield _header(name, len(content)) + content + _padding(len(content))
        yield bytes(2 * _TAR_BLOCK_BYTES)

    def close(self) -> None:
        """Remove what is on disk."""
        self._open.close()


def _header(name: str, size: int) -> bytes:
    return _member(name, size).tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _padding(size: int) -> bytes:
    return bytes(-size % _TAR_BLOCK_BYTES)


def last_line(manifest: Manifest, schema: bytes) -> bytes:
    """Return the line after the last event; it says that all lines before it are there."""
    said = {
        "manifest": orjson.loads(manifest.dump()),
        "descriptors": base64.b64encode(schema).decode(),
    }
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


async def sent(
    log: EventLog, plan: Plan, form: Form, key: Ed25519PrivateKey | None = None
) -> AsyncGenerator[bytes, None]:
    """Yield an export piece by piece, as fast as they are taken; close it to stop.

    What is there when it is not finished is no export: the manifest is missing. Memory holds what
    was read ahead and about a megabyte; decoding and hashing run in threads.

    Raises:
        LogUnavailable, IntegrityError, Undecodable: it cannot be finished.
    """
    trail = Trail(plan, form)
    try:
        for part in trail.ranges:
            async with aclosing(_part(log, trail, form, part)) as pieces:
                async for piece in pieces:
                    yield piece
        for piece in form.last(trail.manifest(key)):
            yield piece
    finally:
        form.close()


async def _part(
    log: EventLog, trail: Trail, form: Form, part: Range
) -> AsyncGenerator[bytes, None]:
    begin = trail.begin(part)
    async with aclosing(log.read(part.partition, begin, part.end_offset)) as batches:
        async for batch in batches:
            for records in _portions(batch.records):
                await in_thread(_take, trail, records)
                async for piece in _ready(form):
                    yield piece
    await in_thread(trail.end)
    async for piece in _ready(form):
        yield piece


def _portions(records: Sequence[StoredRecord]) -> Iterator[Sequence[StoredRecord]]:
    """Split records into portions that a thread is busy with for a moment; none is empty."""
    start = size = 0
    for at, record in enumerate(records):
        size += len(record.value or b"")
        if at - start + 1 == _RECORDS_MAX or size >= _RECORD_BYTES_MAX:
            yield records[start : at + 1]
            start, size = at + 1, 0
    if start < len(records):
        yield records[start:]


async def _ready(form: Form) -> AsyncGenerator[bytes, None]:
    pieces = form.pieces()
    while (piece := await in_thread(next, pieces, None)) is not None:
        yield piece


def _take(trail: Trail, records: Sequence[StoredRecord]) -> None:
    for record in records:
        trail.take(record)
