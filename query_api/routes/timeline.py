"""What happened to an order: every event, decoded, with its provenance."""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from query_api import cursors, parameters
from query_api.parameters import AtLeast
from query_api.reading import Asked, stale_since, statement
from query_api.resources import Once, ReaderOf
from query_api.routes import documentation
from query_api.routes.orders import no_such_order, order_id_of

router = APIRouter(tags=["history"], dependencies=[Once])

COLUMNS = (
    "order_id, version, partition, log_offset, event_id, type, occurred_at, recorded_at, "
    "actor_kind, actor_id, correlation_id, causation_id, reason, command_id, body"
)
EVENTS_OF_ORDER = statement(
    "timeline",
    f"SELECT {COLUMNS}, {stale_since('timeline', '$1')} FROM read_models.timeline "
    "WHERE order_id = $1 AND version > $2 ORDER BY version LIMIT $3",
    "r.version",
)

OrderPath = Annotated[str, Path(examples=[documentation.ORDER_ID])]


@router.get("/v1/orders/{order_id}/timeline", **documentation.TIMELINE)
async def get_timeline(
    order_id: OrderPath,
    query: Annotated[parameters.Timeline, Query()],
    reader: ReaderOf,
    at_least: AtLeast = None,
) -> Response:
    """Answer what happened to an order, oldest first."""
    known_id = order_id_of(order_id)
    scope = cursors.scope_of("timeline", "version", {"order_id": str(known_id)})
    behind = cursors.decode(query.cursor, scope, int)[0] if query.cursor else 0
    asked = Asked(at_least, query.wait_ms)
    answer = await reader.read(EVENTS_OF_ORDER, known_id, behind, query.limit + 1, asked=asked)
    if not answer.rows and not behind:
        raise no_such_order(known_id)
    rows = answer.rows[: query.limit]
    is_more = len(answer.rows) > query.limit
    cursor = cursors.encode(scope, rows[-1]["version"], known_id) if is_more else None
    partition, stale = (rows[0]["partition"], rows[0]["stale_since"]) if rows else (None, None)
    body = {
        "order_id": str(known_id),
        "events": [entry(row) for row in rows],
        "next_cursor": cursor,
        "stale_since": stale,
    }
    headers = answer.headers(partition, stale)
    opened = await reader.opened(orjson.dumps(body))
    return Response(opened, headers=headers, media_type="application/json")


def entry(row: asyncpg.Record) -> dict[str, Any]:
    """Return one event as timelines and streams show it, ready for orjson."""
    return {
        "event_id": str(row["event_id"]),
        "type": row["type"],
        "order_id": str(row["order_id"]),
        "version": row["version"],
        "occurred_at": rfc3339(row["occurred_at"]),
        "recorded_at": rfc3339(row["recorded_at"]),
        "actor": {"kind": row["actor_kind"], "id": row["actor_id"]},
        "correlation_id": row["correlation_id"],
        "causation_id": row["causation_id"],
        "reason": row["reason"],
        "command_id": row["command_id"],
        "partition": row["partition"],
        "offset": row["log_offset"],
        "body": orjson.Fragment(row["body"]),
    }


def rfc3339(moment: datetime | None) -> str | None:
    """Write a time that Postgres gave, which is in UTC, as documents write theirs."""
    return None if moment is None else moment.isoformat()[:-6] + "Z"
