"""A log in memory, with what the projectors use of Kafka; and projections that fail as told."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Self

from eventlog import codec
from eventlog.log import Batch, LogIdentity, StoredRecord
from projectors import folding
from projectors.kinds import Append, Fold, Projection, Tally

from .histories import Histories

PARTITIONS = 2
MARKER = 1


class SimulatedLog:
    """Partitions of committed records; transaction markers take offsets that hold nothing."""

    def __init__(self, seed: int) -> None:
        self.histories = Histories(seed, PARTITIONS)
        self.entries: list[list[StoredRecord]] = [[] for _ in range(PARTITIONS)]
        self.ends = dict.fromkeys(range(PARTITIONS), 0)

    def happen(self, commands_count: int, alter=lambda record: record) -> list[StoredRecord]:
        """Append what random commands make; return it."""
        found = []
        for partition, records in self.histories.groups(commands_count, orders_max=5):
            stored = [
                StoredRecord(partition, offset, 0, record.key, record.value)
                for offset, record in enumerate(map(alter, records), self.ends[partition])
            ]
            self.entries[partition] += stored
            self.ends[partition] += len(stored) + MARKER
            found += stored
        return found

    def batch(self, partition: int, start: int, end: int) -> Batch:
        within = [one for one in self.entries[partition] if start <= one.offset < end]
        return Batch(partition, tuple(within), end)

    def decoded(self) -> list[folding.Decoded]:
        """Return all of it, as it is read now."""
        return [folding.decode(self.batch(p, 0, end)) for p, end in self.ends.items()]

    def reader(self) -> type:
        """Return what stands for `LogReader`."""
        return type("Reader", (_Reader,), {"log": self})

    def topics(self) -> type:
        """Return what stands for `Topics`."""
        methods = {
            "__init__": lambda *_: None,
            "ends": lambda *_: dict(self.ends),
            "identity": lambda *_: IDENTITY,
        }
        return type("Topics", (), methods)


IDENTITY = LogIdentity("simulated", "orders.events", "simulated", PARTITIONS)


class _Reader:
    log: SimulatedLog

    def __init__(self, _settings: object) -> None:
        self._at: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hold nothing."""

    def assign(self, starts: Mapping[int, int]) -> None:
        self._at = dict(starts)

    def poll(self, _records_max: int, _wait_s: float) -> list[Batch]:
        found = [
            self.log.batch(partition, start, self.log.ends[partition])
            for partition, start in self._at.items()
            if start < self.log.ends[partition]
        ]
        self._at |= {batch.partition: batch.next_offset for batch in found}
        return found

    def read_range(self, partition: int, start: int, end: int) -> Iterator[Batch]:
        yield self.log.batch(partition, start, end)


class Faults:
    """Which events functions cannot apply, and which of their values Postgres refuses."""

    def __init__(self) -> None:
        self.raising: set[tuple[str, str, int]] = set()
        self.refused: dict[tuple[str, str], int] = {}

    def plant(self, rng: random.Random, record: StoredRecord, name: str) -> None:
        key = codec.order_of(record.key)
        version = int(record.key.rpartition(b"/")[2])
        if rng.random() < 0.5:
            self.raising.add((name, key, version))
        else:
            self.refused.setdefault((name, key), version)

    def correct(self) -> None:
        self.raising.clear()
        self.refused.clear()

    def check(self, name: str, order_id: str, version: int) -> None:
        if (name, order_id, version) in self.raising:
            raise KeyError("planted")

    def refuses(self, name: str, order_id: str, version: int) -> bool:
        return version >= self.refused.get((name, order_id), version + 1)

    def within(self, projection: Projection) -> Projection:
        """Return the projection with these faults."""
        match projection:
            case Fold():
                return self._fold(projection)
            case Append():
                return self._append(projection)
            case Tally():
                return self._tally(projection)

    def _fold(self, projection: Fold) -> Fold:
        def evolve(before, recorded):
            self.check(projection.name, recorded.order_id, recorded.version)
            return projection.evolve(before, recorded)

        def row(document, text, partition):
            found = projection.row(document, text, partition)
            if self.refuses(projection.name, document["order_id"], document["version"]):
                return ("no UUID", *found[1:])
            return found

        return replace(projection, evolve=evolve, row=row)

    def _append(self, projection: Append) -> Append:
        def rows(recorded):
            self.check(projection.name, recorded.order_id, recorded.version)
            found = projection.rows(recorded)
            if self.refuses(projection.name, recorded.order_id, recorded.version):
                return [("no UUID", *one[1:]) for one in found]
            return found

        return replace(projection, rows=rows)

    def _tally(self, projection: Tally) -> Tally:
        def deltas(recorded):
            self.check(projection.name, recorded.order_id, recorded.version)
            found = projection.deltas(recorded)
            if self.refuses(projection.name, recorded.order_id, recorded.version):
                return {(f"{key[0]}\x00", *key[1:]): amounts for key, amounts in found.items()}
            return found

        return replace(projection, deltas=deltas)
