"""How the read models are doing: generations, checkpoints, lag; and whether this node is ready."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import orjson
from fastapi import APIRouter
from starlette.responses import Response

from projectors.read_models import PROJECTIONS
from query_api.database import Database, SchemaMissing
from query_api.positions import Identity, of_offsets
from query_api.problems import Problem
from query_api.reading import Reader
from query_api.resources import Once, ReaderOf
from query_api.routes import documentation
from query_api.routes.timeline import rfc3339
from runtime.health import Checks

router = APIRouter(tags=["operations"], dependencies=[Once])

# Where the log ends is noted at live checkpoints; the others are measured against the same end.
_GENERATIONS = """
SELECT g.projection, g.generation, g.state, g.function_version, c.partition, c.next_offset,
    max(c.end_offset) OVER (PARTITION BY c.partition) AS end_offset,
    c.last_recorded_at, c.updated_at, c.moved_at, c.held_since, c.error, c.parked_orders,
    v.verified_at, v.differing_rows,
    extract(epoch FROM now() - c.last_recorded_at)::float8 AS age_s
FROM orderlog.generations g LEFT JOIN orderlog.checkpoints c USING (projection, generation)
LEFT JOIN orderlog.verified v USING (projection, generation)
ORDER BY g.projection, g.generation, c.partition
"""
_HEALTH = """
SELECT projection, min(error) AS error, min(partition) FILTER (WHERE error IS NOT NULL) AS at,
    extract(epoch FROM now() - max(updated_at))::float8 AS silent_s
FROM orderlog.live_checkpoints GROUP BY projection
"""


@router.get("/v1/projections", **documentation.PROJECTIONS)
async def get_projections(reader: ReaderOf) -> Response:
    """Answer per generation of each projection how far it is, and what stops it."""
    identity = await reader.identity()
    rows = await reader.rows(_GENERATIONS)
    grouped = itertools.groupby(rows, lambda row: (row["projection"], row["generation"]))
    entries = [_generation(identity, list(group)) for _, group in grouped]
    headers = {
        "Orders-Position": of_offsets(identity, _everywhere(rows)).token,
        "Orders-Freshness": "parked" if any(map(_is_parked, rows)) else "fresh",
        "Cache-Control": "no-cache",
    }
    return Response(
        orjson.dumps({"projections": entries}), headers=headers, media_type="application/json"
    )


def _generation(identity: Identity, rows: Sequence[asyncpg.Record]) -> dict[str, Any]:
    first = rows[0]
    partitions = [_partition(row) for row in rows if row["partition"] is not None]
    lags = [entry["lag_seconds"] for entry in partitions]
    offsets = {entry["partition"]: entry["next_offset"] for entry in partitions}
    errors = [
        f"partition {entry['partition']}: {entry['error']}"
        for entry in partitions
        if entry["error"]
    ]
    return {
        "projection": first["projection"],
        "generation": first["generation"],
        "state": first["state"],
        "function_version": first["function_version"],
        "checkpoint": of_offsets(identity, offsets).token,
        "lag_records": sum(entry["lag_records"] for entry in partitions),
        "lag_seconds": None if None in lags else max(lags, default=0.0),
        "error": "; ".join(errors) or None,
        "parked_orders": sum(entry["parked_orders"] for entry in partitions),
        "verified_at": rfc3339(first["verified_at"]),
        "drift_rows": first["differing_rows"],
        "partitions": partitions,
    }


def _partition(row: asyncpg.Record) -> dict[str, Any]:
    lag_records = max(0, row["end_offset"] - row["next_offset"])
    age_s = row["age_s"]
    lag_seconds = None if age_s is None else round(max(0.0, age_s), 3)
    return {
        "partition": row["partition"],
        "next_offset": row["next_offset"],
        "end_offset": max(row["end_offset"], row["next_offset"]),
        "lag_records": lag_records,
        "lag_seconds": lag_seconds if lag_records else 0.0,
        "last_recorded_at": rfc3339(row["last_recorded_at"]),
        "moved_at": rfc3339(row["moved_at"]),
        "held_since": rfc3339(row["held_since"]),
        "updated_at": rfc3339(row["updated_at"]),
        "error": row["error"],
        "parked_orders": row["parked_orders"],
    }


def _is_parked(row: asyncpg.Record) -> bool:
    return row["state"] == "live" and bool(row["error"] or row["parked_orders"])


def _everywhere(rows: Iterable[asyncpg.Record]) -> dict[int, int]:
    """Return what all live read models contain."""
    offsets: dict[int, int] = {}
    for row in rows:
        if row["state"] == "live" and row["partition"] is not None:
            known = offsets.setdefault(row["partition"], row["next_offset"])
            offsets[row["partition"]] = min(known, row["next_offset"])
    return offsets


def checks(database: Database, reader: Reader, stale_after_ms: int) -> Checks:
    """Make what `/readyz` asks: Postgres, its schema, and each projection by name."""

    async def ask() -> Mapping[str, str | None]:
        try:
            await database.check()
        except SchemaMissing as error:
            return {"postgres": None, "schema": str(error)}
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return {"postgres": f"{type(error).__name__}: {error}"}
        try:
            found = {row["projection"]: row for row in await reader.rows(_HEALTH)}
        except Problem as problem:
            return {"postgres": problem.detail}
        states = {name: _trouble(found.get(name), stale_after_ms / 1000) for name in PROJECTIONS}
        return {"postgres": None, "schema": None, **states}

    return ask


def _trouble(row: asyncpg.Record | None, stale_after_s: float) -> str | None:
    if row is None:
        return "never built: start `orderlog project`"
    if row["error"] is not None:
        return f"stuck at partition {row['at']}: {row['error']}"
    if row["silent_s"] > stale_after_s:
        return f"stale: no projector has been heard of for {row['silent_s']:.0f} s"
    return None
