"""One order as it was at a version or at a time, folded from its timeline."""

from collections.abc import Mapping
from uuid import UUID

import orjson

from projectors.read_models import history
from projectors.read_models.history import Entry
from query_api.parameters import AsOf
from query_api.positions import HEADER
from query_api.problems import Problem
from query_api.reading import Asked, Headers, Reader, Statement, stale_since, statement

_EVENTS = (
    "SELECT version, partition, type, occurred_at, recorded_at, body, "
    f"{stale_since('timeline', '$1')} FROM read_models.timeline "
    "WHERE order_id = $1 AND {} ORDER BY version"
)
_UNTIL: Mapping[str, Statement] = {
    name: statement("timeline", _EVENTS.format(condition), "r.version")
    for name, condition in {
        "version": "version <= $2",
        "recorded": "recorded_at <= $2",
        "occurred": "occurred_at <= $2",
    }.items()
}


async def get_order_as_of(
    reader: Reader, order_id: UUID, query: AsOf, token: str | None
) -> tuple[Headers, bytes]:
    """Answer the order as `query` asks for it: headers and body.

    Raises:
        Problem: `order-not-found`, it had not begun by then, or has not come that far.
    """
    asked = Asked(token, query.wait_ms)
    is_by_version = query.as_of_version is not None
    until = _UNTIL["version" if is_by_version else query.as_of_by]
    answer = await reader.read(until, order_id, query.as_of_version or query.as_of, asked=asked)
    last = answer.rows[-1]["version"] if answer.rows else 0
    if not last or (is_by_version and last != query.as_of_version):
        raise _not_there(order_id, query, last)
    order = history.document(
        Entry(
            str(order_id),
            row["version"],
            row["type"],
            row["occurred_at"],
            row["recorded_at"],
            orjson.loads(row["body"]),
        )
        for row in answer.rows
    )
    first = answer.rows[0]
    headers = answer.raw_headers(first["partition"], first["stale_since"])
    # As of then, the order was this; only a time after the first event that waits may lack some.
    body = {**(order or {}), "stale_since": None if is_by_version else first["stale_since"]}
    return [(b"etag", f'"{last}"'), *headers], await reader.opened(orjson.dumps(body))


def _not_there(order_id: UUID, query: AsOf, last: int) -> Problem:
    if not last and query.as_of_version is None:
        return Problem("order-not-found", f"order {order_id} had not begun by then")
    return Problem(
        "order-not-found",
        f"order {order_id} has no version {query.as_of_version} here, its last is {last}; if it "
        f"came to be just now, send the position of that answer as {HEADER}",
    )
