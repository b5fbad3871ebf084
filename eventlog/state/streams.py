"""The orders of one partition: a few as they are, the others packed.

A million orders must fit into a process, and nearly all of them are over and done with. They are
kept in buckets, so that a part of them can be saved as one record: see `eventlog.state.snapshots`.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from eventlog.state.packing import Packing, short_id
from eventlog.state.stream import Stream

State = TypeVar("State")

BUCKETS = 1_024


@dataclass(slots=True)
class _Hot(Generic[State]):
    """An order in use. `packed` is what it was packed to, so that it need not be done again."""

    key: bytes
    bucket: int
    stream: Stream[State]
    packed: bytes | None = None


class Streams(Generic[State]):
    """Streams by order id. The `hot_max` that were used last are kept unpacked."""

    def __init__(self, initial: Stream[State], packing: Packing[State], hot_max: int) -> None:
        self.initial = initial
        self.changed: dict[int, int] = {}
        """Buckets that changed since they were taken, with the first change's offset, in order."""
        self._taken: dict[int, int] = {}
        self._packing = packing
        self._hot_max = hot_max
        self._hot: dict[str, _Hot[State]] = {}
        self._cold: list[dict[bytes, bytes]] = [{} for _ in range(BUCKETS)]

    def __len__(self) -> int:
        return len(self._hot) + sum(map(len, self._cold))

    def get(self, order_id: str) -> Stream[State]:
        """Return an order; the initial stream when there is none."""
        hot = self._hot.pop(order_id, None)
        if hot is None:
            key = short_id(order_id)
            bucket = zlib.crc32(key) % BUCKETS
            packed = self._cold[bucket].pop(key, None)
            if packed is None:
                return self.initial
            hot = _Hot(key, bucket, self._packing.unpack(packed), packed)
        self._keep(order_id, hot)
        return hot.stream

    def put(self, order_id: str, stream: Stream[State], offset: int) -> None:
        """Keep an order as it is since `offset`."""
        hot = self._hot.pop(order_id, None)
        if hot is None:
            key = short_id(order_id)
            bucket = zlib.crc32(key) % BUCKETS
            self._cold[bucket].pop(key, None)
            hot = _Hot(key, bucket, stream)
        else:
            hot.stream, hot.packed = stream, None
        self.changed.setdefault(hot.bucket, offset)
        self._keep(order_id, hot)

    def _keep(self, order_id: str, hot: _Hot[State]) -> None:
        self._hot[order_id] = hot
        if len(self._hot) > self._hot_max:
            coldest = self._hot.pop(next(iter(self._hot)))
            self._cold[coldest.bucket][coldest.key] = self._packed(coldest)

    def _packed(self, hot: _Hot[State]) -> bytes:
        if hot.packed is None:
            hot.packed = self._packing.pack(hot.stream)
        return hot.packed

    def take(self, bytes_max: int) -> dict[int, dict[bytes, bytes]]:
        """Return changed buckets, those first that waited longest: at least one, if there is one.

        It stops at about `bytes_max`. What was returned is not among the changed any more.
        """
        in_use: dict[int, list[_Hot[State]]] = {}
        for hot in self._hot.values():
            in_use.setdefault(hot.bucket, []).append(hot)
        taken: dict[int, dict[bytes, bytes]] = {}
        self._taken = {}
        size = 0
        for bucket in list(self.changed):
            packed = {hot.key: self._packed(hot) for hot in in_use.get(bucket, ())}
            whole = {**self._cold[bucket], **packed}
            size += sum(len(key) + len(value) for key, value in whole.items())
            if taken and size > bytes_max:
                break
            taken[bucket] = whole
            self._taken[bucket] = self.changed.pop(bucket)
        return taken

    def give_back(self) -> None:
        """Count what was taken last among the changed again, with the offsets of then."""
        both = {**self.changed, **self._taken}  # What was taken had changed before.
        self.changed = dict(sorted(both.items(), key=lambda one: one[1]))
        self._taken = {}

    def fill(self, bucket: int, packed: Mapping[bytes, bytes]) -> None:
        """Take over a bucket as it was saved."""
        self._cold[bucket] = dict(packed)
