"""The orders of one partition: a few as they are, the others packed.

A million orders must fit into a process, and nearly all of them are over and done with. They are
kept in buckets, so that a part of them can be saved as one record: see `eventlog.state.snapshots`.
"""

import zlib
from collections.abc import Mapping
from typing import Generic, TypeVar

from eventlog.state.packing import Packing, short_id
from eventlog.state.stream import Stream

State = TypeVar("State")

BUCKETS = 1_024


class Streams(Generic[State]):
    """Streams by order id. The `hot_max` that were used last are kept unpacked."""

    def __init__(self, initial: Stream[State], packing: Packing[State], hot_max: int) -> None:
        self.initial = initial
        self.changed: dict[int, int] = {}
        """Buckets that changed since they were taken, with the first change's offset, in order."""
        self._packing = packing
        self._hot_max = hot_max
        self._hot: dict[str, Stream[State]] = {}
        self._cold: list[dict[bytes, bytes]] = [{} for _ in range(BUCKETS)]

    def __len__(self) -> int:
        return len(self._hot) + sum(map(len, self._cold))

    def get(self, order_id: str) -> Stream[State]:
        """Return an order; the initial stream when there is none."""
        stream = self._hot.pop(order_id, None)
        if stream is None:
            key = short_id(order_id)
            packed = self._cold[_bucket(key)].pop(key, None)
            if packed is None:
                return self.initial
            stream = self._packing.unpack(packed)
        self._keep(order_id, stream)
        return stream

    def put(self, order_id: str, stream: Stream[State], offset: int) -> None:
        """Keep an order as it is since `offset`."""
        known = self._hot.pop(order_id, None)
        key = short_id(order_id)
        bucket = _bucket(key)
        if known is None:
            self._cold[bucket].pop(key, None)
        self.changed.setdefault(bucket, offset)
        self._keep(order_id, stream)

    def _keep(self, order_id: str, stream: Stream[State]) -> None:
        self._hot[order_id] = stream
        if len(self._hot) > self._hot_max:
            coldest = next(iter(self._hot))
            key = short_id(coldest)
            self._cold[_bucket(key)][key] = self._packing.pack(self._hot.pop(coldest))

    def take(self, bytes_max: int) -> dict[int, dict[bytes, bytes]]:
        """Return changed buckets, those first that waited longest: at least one, if there is one.

        It stops at about `bytes_max`. What was returned is not among the changed any more.
        """
        hot: dict[int, list[tuple[bytes, Stream[State]]]] = {}
        for order_id, stream in self._hot.items():
            key = short_id(order_id)
            hot.setdefault(_bucket(key), []).append((key, stream))
        taken: dict[int, dict[bytes, bytes]] = {}
        size = 0
        for bucket in list(self.changed):
            packed = {key: self._packing.pack(stream) for key, stream in hot.get(bucket, ())}
            whole = {**self._cold[bucket], **packed}
            size += sum(len(key) + len(value) for key, value in whole.items())
            if taken and size > bytes_max:
                break
            taken[bucket] = whole
            del self.changed[bucket]
        return taken

    def fill(self, bucket: int, packed: Mapping[bytes, bytes]) -> None:
        """Take over a bucket as it was saved."""
        self._cold[bucket] = dict(packed)


def _bucket(key: bytes) -> int:
    return zlib.crc32(key) % BUCKETS
