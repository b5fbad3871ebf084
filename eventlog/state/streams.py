"""The orders of one partition: a few as they are, the others packed.

A million orders must fit into a process, and nearly all of them are over and done with. They are
kept in buckets, so that a part of them can be saved as one record: see `eventlog.state.snapshots`.
Orders that begin together share a bucket, since those that began lately are those that change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from eventlog.state.packing import Packing
from eventlog.state.stream import Stream

State = TypeVar("State")

BUCKETS = 1_024
_BUCKET_BYTES = 64 * 1024
"""About so much of what begins one after the other, unpacked, shares a bucket."""
_NUMBER_BYTES = 2


@dataclass(slots=True)
class _Hot(Generic[State]):
    """An order in use. `packed` is what it was put away as, so that it need not be done again."""

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
        self._cold: dict[str, bytes] = {}
        """Each packed, with its bucket in front: this is also what is saved."""
        self._buckets: list[list[str]] = [[] for _ in range(BUCKETS)]
        self._newest = 0
        self._room = _BUCKET_BYTES

    def __len__(self) -> int:
        return len(self._hot) + len(self._cold)

    def get(self, order_id: str) -> Stream[State]:
        """Return an order; the initial stream when there is none."""
        hot = self._hot.pop(order_id, None)
        if hot is None:
            cold = self._cold.pop(order_id, None)
            if cold is None:
                return self.initial
            hot = _Hot(_bucket(cold), self._packing.unpack(cold[_NUMBER_BYTES:]), cold)
        self._keep(order_id, hot)
        return hot.stream

    def put(self, order_id: str, stream: Stream[State], offset: int) -> None:
        """Keep an order as it is since `offset`."""
        hot = self._hot.pop(order_id, None)
        if hot is None:
            cold = self._cold.pop(order_id, None)
            hot = _Hot(self._begin(order_id, stream) if cold is None else _bucket(cold), stream)
        else:
            hot.stream, hot.packed = stream, None
        self.changed.setdefault(hot.bucket, offset)
        self._keep(order_id, hot)

    def _begin(self, order_id: str, stream: Stream[State]) -> int:
        """Give a new order its bucket, for good."""
        if self._room <= 0:
            self._newest = (self._newest + 1) % BUCKETS
            self._room = _BUCKET_BYTES
        self._room -= self._packing.size(stream)
        self._buckets[self._newest].append(order_id)
        return self._newest

    def _keep(self, order_id: str, hot: _Hot[State]) -> None:
        self._hot[order_id] = hot
        if len(self._hot) > self._hot_max:
            coldest = next(iter(self._hot))
            hot = self._hot.pop(coldest)
            self._cold[coldest] = self._packed(hot)

    def _packed(self, hot: _Hot[State]) -> bytes:
        if hot.packed is None:
            number = hot.bucket.to_bytes(_NUMBER_BYTES)
            hot.packed = number + self._packing.pack(hot.stream)
        return hot.packed

    def take(self, bytes_max: int) -> dict[int, dict[str, bytes]]:
        """Return changed buckets, those first that waited longest: at least one, if there is one.

        It stops at about `bytes_max`. What was returned is not among the changed any more.
        """
        taken: dict[int, dict[str, bytes]] = {}
        self._taken = {}
        size = 0
        for bucket in list(self.changed):
            whole = {order_id: self._as_packed(order_id) for order_id in self._buckets[bucket]}
            size += sum(len(order_id) + len(packed) for order_id, packed in whole.items())
            if taken and size > bytes_max:
                break
            taken[bucket] = whole
            self._taken[bucket] = self.changed.pop(bucket)
        return taken

    def _as_packed(self, order_id: str) -> bytes:
        hot = self._hot.get(order_id)
        return self._cold[order_id] if hot is None else self._packed(hot)

    def give_back(self) -> None:
        """Count what was taken last among the changed again, with the offsets of then."""
        both = {**self.changed, **self._taken}  # What was taken had changed before.
        self.changed = dict(sorted(both.items(), key=lambda one: one[1]))
        self._taken = {}

    def fill(self, bucket: int, packed: Mapping[str, bytes]) -> None:
        """Take over a bucket as it was saved."""
        self._buckets[bucket] = list(packed)
        self._newest, self._room = max(self._newest, bucket), 0
        self._cold.update(packed)


def _bucket(cold: bytes) -> int:
    return int.from_bytes(cold[:_NUMBER_BYTES])
