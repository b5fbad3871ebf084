"""Where the bytes of a file go to and where they come from, with zstd on the way or without."""

import hashlib
import io
from typing import BinaryIO, Protocol

import zstandard

_LEVEL = 3
_BUFFER_BYTES = 256 * 1024
_WINDOW_BYTES_MAX = 128 * 1024 * 1024


class Sink(Protocol):
    """Takes bytes: a file, or a body that is being sent."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""


class Hashing:
    """Passes bytes on to a sink, and knows their number and their SHA-256."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Pass `data` on."""
        self._sink.write(data)
        self._sha256.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """The hash of all that was passed on, in hexadecimal."""
        return self._sha256.hexdigest()


class Compressing:
    """Passes bytes on to a sink as one zstd frame; the same bytes give the same frame."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._frame = zstandard.ZstdCompressor(
            level=_LEVEL, write_checksum=True, write_content_size=False
        ).compressobj()

    def write(self, data: bytes) -> None:
        """Pass `data` on, as soon as a block is full."""
        if compressed := self._frame.compress(data):
            self._sink.write(compressed)

    def close(self) -> None:
        """Pass on the end of the frame."""
        self._sink.write(self._frame.flush())


def decompressed(source: BinaryIO) -> BinaryIO:
    """Return what `Compressing` wrote, as it was before; reading raises `ZstdError`."""
    frames = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    return io.BufferedReader(frames.stream_reader(source), _BUFFER_BYTES)
