"""Whether what is served is what the log says: the log folded again, row by row.

All rows are compared by building a generation that nobody reads. A sample is compared by one pass
over the log that decodes the sampled orders alone.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from eventlog import codec
from eventlog.log import StoredRecord, Undecodable
from eventlog.reader import LogReader
from projectors import binding, checkpoints, folding, generations, tables
from projectors.database import Connection, connect
from projectors.engine import ORDERS_PARKED_MAX, document_row
from projectors.kinds import Append, Fold, Projection, Row
from projectors.parked.parking import Item, Parking
from projectors.replay import parity
from projectors.replay.built import ParityFailed
from projectors.replay.parity import Report
from projectors.replay.rebuild import Rebuild
from projectors.replay.workers import Report as Progress
from runtime.settings import DatabaseSettings, LogSettings

_FIRST_VERSION = b"/0000000001"
_VERSION_BYTES = len(_FIRST_VERSION)
_SHOWN_MAX = 20


async def verify_all(
    log: LogSettings,
    database: DatabaseSettings,
    projections: Sequence[Projection],
    *,
    workers_max: int = 1,
    parked_max: int = ORDERS_PARKED_MAX,
    report: Progress = lambda *_: None,
) -> list[Report]:
    """Compare every row of every projection with the log; one report per projection.

    Raises:
        Incompatible, RebuildRefused, Undecodable, TooManyParked: see `Rebuild.run`.
    """
    found = []
    for projection in projections:
        rebuild = Rebuild(
            log,
            database,
            [projection],
            workers_max=workers_max,
            parked_max=parked_max,
            report=report,
        )
        try:
            found.append(await rebuild.compare_only())
        except ParityFailed as error:
            found.append(error.report)
    await _note(database, found)
    return found


async def _note(database: DatabaseSettings, reports: Sequence[Report]) -> None:
    """Keep the results, so that metrics and `GET /v1/projections` show drift."""
    connection = await connect(database)
    try:
        for report in reports:
            live = await generations.require_live(connection, report.projection)
            await generations.note_verified(
                connection, live.place, report.old_rows, report.differing_rows
            )
    finally:
        await connection.close(timeout=5)


@dataclass(slots=True)
class _Sample:
    """Orders chosen evenly from all that the log holds (reservoir sampling), with their events."""

    size: int
    rng: random.Random
    seen: int = 0
    events: dict[bytes, list[Item]] = field(default_factory=dict)

    def take(self, record: StoredRecord) -> None:
        """Look at one record: it may begin an order that is chosen, or go on with one."""
        order = record.key[:-_VERSION_BYTES]
        if record.key.endswith(_FIRST_VERSION) and codec.order_of(record.key) is not None:
            self._choose(order)
        if order in self.events:
            self.events[order].append(folding.item(record))

    def _choose(self, order: bytes) -> None:
        self.seen += 1
        if len(self.events) == self.size:
            place = self.rng.randrange(self.seen)
            if place >= self.size:
                return
            del self.events[list(self.events)[place]]
        self.events[order] = []


async def verify_sample(
    log: LogSettings,
    database: DatabaseSettings,
    projections: Sequence[Projection],
    *,
    orders: int,
    report: Progress = lambda *_: None,
) -> list[Report]:
    """Compare the rows of some orders with the log; sums over orders are left to `verify_all`.

    Raises:
        Incompatible: see `binding.bind`.
        Undecodable: the live rows hold what this release cannot apply.
    """
    by_order = [p for p in projections if isinstance(p, Fold | Append)]
    connection = await connect(database, statement_timeout_ms=0)
    try:
        await binding.bind(connection, log)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            live = {p.name: await generations.require_live(connection, p.name) for p in by_order}
            at = {name: await checkpoints.load(connection, g.place) for name, g in live.items()}
            sample = _Sample(orders, random.Random())  # noqa: S311 - a choice, not a secret
            await asyncio.to_thread(_scan, log, sample, at, report)
            found = [
                await _compare(connection, p, live[p.name].generation, sample, at[p.name])
                for p in by_order
            ]
    finally:
        await connection.close(timeout=5)
    await _note(database, found)
    return found


def _scan(
    log: LogSettings, sample: _Sample, at: Mapping[str, Mapping[int, int]], report: Progress
) -> None:
    """Read every partition up to the furthest checkpoint."""
    ends: dict[int, int] = {}
    for positions in at.values():
        for partition, end in positions.items():
            ends[partition] = max(end, ends.get(partition, 0))
    done, total = 0, sum(ends.values())
    with LogReader(log) as reader:
        for partition, end in ends.items():
            for batch in reader.read_range(partition, 0, end):
                for record in batch.records:
                    if codec.is_event(record.key):
                        sample.take(record)
                report(done + batch.next_offset, total, f"partition {partition}")
            done += end


async def _compare(
    connection: Connection,
    projection: Fold | Append,
    generation: int,
    sample: _Sample,
    at: Mapping[int, int],
) -> Report:
    waits = await _first_parked(connection, projection.name, generation)
    events = [
        item
        for history in sample.events.values()
        for item in history
        if item.offset < waits.get(item.order_id, at[item.partition])
    ]
    table = projection.table(generation)
    names = [column.name for column in table.columns]
    key = parity.key_columns(projection)
    found = await connection.fetch(
        f"SELECT * FROM {tables.qualified(table)} WHERE order_id = ANY($1::uuid[])",
        [order.decode() for order in sample.events],
    )
    served = _keyed([tuple(row) for row in found], names, key)
    wanted = _keyed(_rows(projection, events), names, key)
    report = Report(projection.name, len(served), len(wanted))
    for place in served.keys() | wanted.keys():
        old, new = served.get(place), wanted.get(place)
        if old != new:
            report.differing_buckets += 1
            report.differing_rows += 1
            if len(report.differences) < _SHOWN_MAX:
                report.differences.append(parity.difference(key, old, new))
    return report


async def _first_parked(connection: Connection, name: str, generation: int) -> dict[str, int]:
    """Return per parked order the offset from which on its events wait."""
    found = await connection.fetch(
        "SELECT order_id, offsets[1] FROM orderlog.parked "
        "WHERE projection = $1 AND generation = $2",
        name,
        generation,
    )
    return {row[0]: row[1] for row in found}


def _rows(projection: Fold | Append, events: Sequence[Item]) -> list[Row]:
    """Return what the function makes of the events, which the live one has applied.

    Raises:
        Undecodable: this release cannot apply one of them.
    """
    parking = Parking()
    if isinstance(projection, Append):
        rows = folding.rows(projection, events, parking)
    else:
        documents: dict[str, dict[str, Any]] = {}
        folding.fold(projection, documents, events, parking)
        partitions = {item.order_id: item.partition for item in events}
        rows = [document_row(projection, d, partitions[o]) for o, d in documents.items()]
    for parked in parking.fresh.values():
        raise Undecodable(parked.error)
    return rows


def _keyed(
    rows: Sequence[Row], names: Sequence[str], key: Sequence[str]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return rows by their key, as plain values that compare whichever side they come from."""
    plain = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
    return {tuple(str(row[name]) for name in key): row for row in plain}


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    return int(value) if isinstance(value, Decimal) else value
