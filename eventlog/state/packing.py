"""One order as few bytes: how the owner of a partition keeps those that nobody asks for."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec
import uuid_utils
from zstandard import (
    DICT_TYPE_RAWCONTENT,
    ZstdCompressionDict,
    ZstdCompressor,
    ZstdDecompressor,
)

from eventlog.state.stream import Answered, Stream
from eventlog.submission import EventRef

State = TypeVar("State")

_LEVEL = -1
_UUID_CHARACTERS = 36
_IS_UUID, _IS_TEXT = b"\1", b"\0"


class _Row(msgspec.Struct, array_like=True, frozen=True):
    """What is packed of a stream."""

    state: msgspec.Raw
    version: int
    prev_hash: bytes
    recorded_at_us: int
    next_offset: int
    event_ids: list[bytes]
    event_types: list[str]
    commands: dict[bytes, tuple[bytes, int, int]]
    is_whole: bool


class Packing(Generic[State]):
    """Packs streams whose state is made of dataclasses.

    The bytes are for this release alone: state has the field names of today. `names` are words that
    occur in streams, such as the types of events; they are given to the compressor beforehand,
    because an order alone is too small to repeat itself.
    """

    def __init__(self, initial: State, names: tuple[str, ...]) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._state = msgspec.msgpack.Decoder(type(initial))
        self._row = msgspec.msgpack.Decoder(_Row)
        said = [self._encoder.encode(name) for name in names]
        said += [self._encoder.encode(initial), *_examples(type(initial), set())]
        # Of whole words, not trained: the same release always has the same one.
        words = ZstdCompressionDict(b"".join(said), dict_type=DICT_TYPE_RAWCONTENT)
        words.precompute_compress(level=_LEVEL)
        self._compressor = ZstdCompressor(
            _LEVEL, dict_data=words, write_checksum=False, write_dict_id=False
        )
        self._decompressor = ZstdDecompressor(dict_data=words)

    def pack(self, stream: Stream[State]) -> bytes:
        """Return the bytes of a stream."""
        row = _Row(
            msgspec.Raw(self._encoder.encode(stream.state)),
            stream.version,
            stream.prev_hash,
            stream.recorded_at_us,
            stream.next_offset,
            [short_id(ref.event_id) for ref in stream.refs],
            [ref.type for ref in stream.refs],
            {
                short_id(command_id): (known.fingerprint, known.first_version, known.last_version)
                for command_id, known in stream.commands.items()
            },
            stream.is_whole,
        )
        return self._compressor.compress(self._encoder.encode(row))

    def size(self, stream: Stream[State]) -> int:
        """Return about how many bytes the stream is before it is packed; packing takes longer."""
        return len(self._encoder.encode(stream.state))

    def unpack(self, packed: bytes) -> Stream[State]:
        """Return the stream that `packed` was made of."""
        row = self._row.decode(self._decompressor.decompress(packed))
        names = zip(row.event_ids, row.event_types, strict=True)
        return Stream(
            self._state.decode(row.state),
            row.version,
            row.prev_hash,
            row.recorded_at_us,
            row.next_offset,
            tuple(
                EventRef(long_id(one), kind, place) for place, (one, kind) in enumerate(names, 1)
            ),
            {long_id(one): Answered(*known) for one, known in row.commands.items()},
            row.is_whole,
        )


def short_id(text: str) -> bytes:
    """Return an id in few bytes: a UUID in its usual spelling is 16 and a mark."""
    if len(text) == _UUID_CHARACTERS:
        with suppress(ValueError):
            known = uuid_utils.UUID(text)
            if str(known) == text:
                return _IS_UUID + known.bytes
    return _IS_TEXT + text.encode()


def long_id(short: bytes) -> str:
    """Return the id that `short_id` was given."""
    if short.startswith(_IS_UUID):
        return str(uuid_utils.UUID(bytes=short[1:]))
    return short[1:].decode()


def _examples(kind: Any, seen: set[Any]) -> Iterator[bytes]:
    """Yield what values of each dataclass within `kind` look like, the innermost first."""
    for inner in get_args(kind):
        yield from _examples(inner, seen)
    if not is_dataclass(kind) or kind in seen:
        return
    seen.add(kind)
    for hint in get_type_hints(kind).values():
        yield from _examples(hint, seen)
    yield msgspec.msgpack.encode(
        {
            field.name: field.default if isinstance(field.default, int | str | None) else None
            for field in fields(kind)
        }
    )
