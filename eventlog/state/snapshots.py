"""What an owner knows, saved beside the log, so that the next one need not read it all.

Snapshots are a cache: one that is missing, old, damaged, of another topic or of other rules costs
time and changes no answer. The fenced producer writes them, a few changed buckets at a time and, in
the same transaction, a head that names all buckets, so that a replaced owner cannot spoil them.
"""

import functools
import hashlib
import importlib.resources
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import msgspec
import structlog

from eventlog.log import EventLog, Record
from eventlog.state.streams import BUCKETS, Streams

State = TypeVar("State")
_log = structlog.get_logger("orderlog.snapshots")

_HEAD = b"head"
_BUCKET = b"bucket/%d"
_HASH_BYTES = 16
_NO_HASH = b""
_STORED = ("bodies.py", "codec.py", "upcasters.py", "state")


class Head(msgspec.Struct, array_like=True, frozen=True):
    """What the buckets are of. Every event before `next_offset` is in them."""

    topic_id: str
    fold: bytes
    next_offset: int
    epoch: int
    hashes: list[bytes]


class Snapshots:
    """Saves and loads what the owner of one partition knows."""

    def __init__(self, partition: int, topic_id: str, evolve: Any, bytes_max: int) -> None:
        self._partition = partition
        self._topic_id = topic_id
        self._fold = fold_id(evolve.__module__.partition(".")[0])
        self._bytes_max = bytes_max
        self._hashes = [_NO_HASH] * BUCKETS
        self._has_place = False

    def changes(
        self, streams: Streams[Any], next_offset: int, epoch: int, part_bytes: int
    ) -> list[Record]:
        """Take the next buckets that changed; return them and the head as records, or nothing.

        They have about `part_bytes`. `next_offset` is how far the log is folded. When the records
        could not be saved, `streams` takes the buckets back; until they are saved again, what is
        in the topic may not fit together, and is then of no use to anybody.
        """
        taken = streams.take(part_bytes) if self._has_place else {}
        if not taken:
            return []
        records = []
        for bucket, packed in taken.items():
            value = msgspec.msgpack.encode(packed)
            if len(value) > self._bytes_max:
                self._has_place = False
                self._say_useless(
                    f"bucket {bucket} has {len(value)} bytes, more than a transaction takes "
                    "(ORDERLOG_GROUP_BYTES_MAX): nothing is saved until the next start"
                )
                return []
            self._hashes[bucket] = _hash(value)
            records.append(Record(_BUCKET % bucket, value))
        complete_to = next(iter(streams.changed.values()), next_offset)
        head = Head(self._topic_id, self._fold, complete_to, epoch, self._hashes)
        return [*records, Record(_HEAD, msgspec.msgpack.encode(head))]

    async def load(self, log: EventLog, streams: Streams[Any], end: int) -> Head | None:
        """Fill empty `streams` with what was saved; None: there is nothing of use."""
        found: dict[bytes, bytes] = {}
        try:
            async for batch in log.saved(self._partition):
                found.update((record.key, record.value or b"") for record in batch.records)
        except Exception as error:  # noqa: BLE001 - the log is enough, whatever is wrong with a cache
            self._say_useless(repr(error))
            return None
        self._has_place = True
        if not found:
            return None
        try:
            head = msgspec.msgpack.decode(found.get(_HEAD, b""), type=Head)
            buckets = self._fitting(head, found, end)
        except (msgspec.DecodeError, ValueError) as error:
            self._say_useless(str(error))
            return None
        for bucket, packed in buckets.items():
            streams.fill(bucket, packed)
        self._hashes = list(head.hashes)
        return head

    def forget(self) -> None:
        """Know nothing of what is in the topic: it contradicts the log."""
        self._hashes = [_NO_HASH] * BUCKETS

    def _fitting(
        self, head: Head, found: Mapping[bytes, bytes], end: int
    ) -> dict[int, dict[str, bytes]]:
        """Return the buckets.

        Raises:
            ValueError: they are not what `head` names, or not of this topic and these rules.
        """
        if head.topic_id != self._topic_id:
            raise ValueError("they are of another topic")
        if head.fold != self._fold:
            raise ValueError("they were made by another release")
        if head.next_offset > end or len(head.hashes) != BUCKETS:
            raise ValueError("they are not of this log")
        buckets = {}
        for bucket, expected in enumerate(head.hashes):
            if expected == _NO_HASH:
                continue
            value = found.get(_BUCKET % bucket, b"")
            if _hash(value) != expected:
                raise ValueError(f"bucket {bucket} is missing or damaged")
            buckets[bucket] = msgspec.msgpack.decode(value, type=dict[str, bytes])
        return buckets

    def _say_useless(self, why: str) -> None:
        _log.warning("snapshots_not_used", partition=self._partition, why=why)


def _hash(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:_HASH_BYTES]


@functools.cache
def fold_id(rules: str) -> bytes:
    """Name a way of folding by its source text: the package of the rules, and how events are read.

    Any change there makes snapshots worthless, and there is no version number to forget.
    """
    digest = hashlib.sha256()
    stored = importlib.resources.files("eventlog")
    for place in (importlib.resources.files(rules), *(stored / name for name in _STORED)):
        for file in _sources(place):
            digest.update(file.read_bytes())
    return digest.digest()[:_HASH_BYTES]


def _sources(place: Traversable) -> Iterator[Traversable]:
    if place.is_dir():
        for inner in sorted(place.iterdir(), key=lambda one: one.name):
            yield from _sources(inner)
    elif place.name.endswith(".py"):
        yield place
