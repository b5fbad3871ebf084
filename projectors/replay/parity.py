"""The gate: whether two generations at the same checkpoint hold the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from projectors import tables
from projectors.database import Connection
from projectors.kinds import SCHEMA, Append, Fold, Projection, Tally

_PARKED_EARLIER = """
SELECT here.order_id, here.error FROM orderlog.parked here
LEFT JOIN orderlog.parked there ON there.projection = here.projection
    AND there.order_id = here.order_id AND there.generation = {2}
WHERE here.projection = '{0}' AND here.generation = {1}
    AND (there.order_id IS NULL OR there.offsets[1] > here.offsets[1])
ORDER BY here.partition, here.offsets[1]
"""
_BUCKETS = 256
_SHOWN_MAX = 20
_VALUE_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs. `columns`: name -> (in the old generation, in the new one).

    A row that is on one side only has the single entry `row`.
    """

    key: Mapping[str, str]
    columns: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Report:
    """How two tables compare; `differences` holds at most 20 of the `differing_rows`."""

    projection: str
    old_rows: int = 0
    new_rows: int = 0
    differing_buckets: int = 0
    differing_rows: int = 0
    taken_up: int = 0
    """So many orders are parked in the old generation and applied, or parked later, in the new."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Tell whether every row is the same on both sides."""
        return not self.differing_buckets and self.old_rows == self.new_rows


async def compare(connection: Connection, projection: Projection, old: int, new: int) -> Report:
    """Compare two generations: checksums over 256 buckets of keys, then rows where they differ.

    Call it in a transaction that sees both at the same checkpoint. Not compared are columns that
    only one side has, and orders of which the new generation has applied more.
    """
    names = [projection.table(generation).name for generation in (old, new)]
    found = [await _columns(connection, name) for name in names]
    columns = [name for name in found[1] if name in found[0]]
    key = key_columns(projection)
    taken_up = await parked_earlier_in(connection, projection.name, old, new)
    sources = [f"{SCHEMA}.{name}" for name in names]
    if taken_up and not isinstance(projection, Tally):
        sources = [
            f"(SELECT * FROM {name} WHERE order_id::text NOT IN "
            f"(SELECT order_id FROM ({_PARKED_EARLIER.format(projection.name, old, new)}) t))"
            for name in sources
        ]
    sides = [await _buckets(connection, source, key, columns) for source in sources]
    counts = [sum(count for count, _ in side.values()) for side in sides]
    report = Report(projection.name, counts[0], counts[1], taken_up=len(taken_up))
    differing = [b for b in range(_BUCKETS) if sides[0].get(b) != sides[1].get(b)]
    report.differing_buckets = len(differing)
    if differing:
        report.differing_rows, report.differences = await _rows(
            connection, sources, key, columns, differing
        )
    return report


async def parked_earlier_in(
    connection: Connection, name: str, generation: int, other: int
) -> dict[str, str]:
    """Return the orders of which one generation has applied less than another, with the reasons.

    The other one has not parked them, or only from a later event on.
    """
    found = await connection.fetch(_PARKED_EARLIER.format(name, generation, other))
    return {row["order_id"]: row["error"] for row in found}


def key_columns(projection: Projection) -> list[str]:
    """Return the columns that name a row."""
    count = 1 if isinstance(projection, Fold) else 2
    if not isinstance(projection, Fold | Append):
        count = projection.key_columns
    return tables.columns(projection.table(None))[:count]


async def _columns(connection: Connection, table: str) -> list[str]:
    found = await connection.fetch(
        "SELECT quote_ident(attname) FROM pg_attribute "
        "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        f"{SCHEMA}.{table}",
    )
    return [row[0] for row in found]


def _bucket(key: Sequence[str]) -> str:
    return f"(hash_record_extended(ROW({', '.join(key)}), 0) & {_BUCKETS - 1})::int"


async def _buckets(
    connection: Connection, source: str, key: Sequence[str], columns: Sequence[str]
) -> dict[int, tuple[int, Any]]:
    found = await connection.fetch(
        f"SELECT {_bucket(key)} AS bucket, count(*), "
        f"sum(hash_record_extended(ROW({', '.join(columns)}), 0)) "
        f"FROM {source} AS s GROUP BY bucket"
    )
    return {bucket: (count, checksum) for bucket, count, checksum in found}


async def _rows(
    connection: Connection,
    sources: Sequence[str],
    key: Sequence[str],
    columns: Sequence[str],
    buckets: Sequence[int],
) -> tuple[int, list[Difference]]:
    old, new = (
        f"(SELECT * FROM {source} AS s WHERE {_bucket(key)} = ANY($1::int[]))" for source in sources
    )
    both = " AND ".join(f"o.{name} = n.{name}" for name in key)
    found = await connection.fetch(
        "SELECT to_jsonb(o)::text, to_jsonb(n)::text, count(*) OVER () "
        f"FROM {old} o FULL JOIN {new} n ON {both} "
        f"WHERE ROW({', '.join(f'o.{c}' for c in columns)})::text "
        f"IS DISTINCT FROM ROW({', '.join(f'n.{c}' for c in columns)})::text LIMIT {_SHOWN_MAX}",
        list(buckets),
    )
    differences = [
        difference(
            [name.strip('"') for name in key],
            *(orjson.loads(text) if text is not None else None for text in texts),
        )
        for *texts, _ in found
    ]
    return (found[0][2] if found else 0), differences


def difference(
    key: Sequence[str], old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Difference:
    """Say what differs between two rows with one key; None: there is no such row."""
    known = new if new is not None else old or {}
    named = {name: str(known[name]) for name in key}
    if old is None or new is None:
        there = ("missing", "there") if old is None else ("there", "missing")
        return Difference(named, {"row": there})
    columns: dict[str, tuple[str, str]] = {}
    for name in new:
        if name in old and old[name] != new[name]:
            columns |= _parts(name, old[name], new[name])
    return Difference(named, columns)


def _parts(name: str, old: object, new: object) -> dict[str, tuple[str, str]]:
    """Go one level into a document, so that the field that differs is named."""
    if name == "document" and isinstance(old, str) and isinstance(new, str):
        before, after = orjson.loads(old), orjson.loads(new)
        fields = [key for key in before | after if before.get(key) != after.get(key)]
        if fields:
            return {
                f"document.{key}": (_short(before.get(key)), _short(after.get(key)))
                for key in fields
            }
    return {name: (_short(old), _short(new))}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    if len(text) <= _VALUE_CHARACTERS_MAX:
        return text
    return text[:_VALUE_CHARACTERS_MAX] + "…"
