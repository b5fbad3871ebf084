"""Pages of orders: the stored documents one after the other, and the cursor of the next page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from query_api import cursors, parameters, selections
from query_api.problems import Problem
from query_api.reading import Asked, Reader, Statement
from query_api.selections import Queue


@dataclass(frozen=True, slots=True)
class Page:
    """A question that is ready to be asked: one row more than `limit`, to see if there is more."""

    statement: Statement
    arguments: tuple[Any, ...]
    scope: str
    limit: int

    async def answer(
        self, reader: Reader, asked: Asked, nothing: Problem | None = None
    ) -> Response:
        """Ask it, and return `{"orders": [...], "next_cursor": ...}`.

        Raises:
            Problem: `nothing` when there is no row, and what `Reader.read` raises.
        """
        answer = await reader.read(self.statement, *self.arguments, asked=asked)
        if nothing is not None and not answer.rows:
            raise nothing
        rows = answer.rows[: self.limit]
        cursor = None
        if len(answer.rows) > self.limit:
            cursor = cursors.encode(self.scope, rows[-1]["key"], rows[-1]["order_id"])
        documents = ",".join(served(row["document"], row["stale_since"]) for row in rows)
        body = f'{{"orders":[{documents}],"next_cursor":{orjson.dumps(cursor).decode()}}}'
        opened = await reader.opened(body.encode())
        return Response(opened, headers=answer.headers(), media_type="application/json")


def served(document: str, stale_since: str | None) -> str:
    """Return a stored document as it is answered: with the time since when it is stale, or null."""
    stale = "null" if stale_since is None else f'"{stale_since}"'
    return f'{document[:-1]},"stale_since":{stale}}}'


def page(route: str, query: parameters.CustomerOrders, filters: Mapping[str, Any]) -> Page:
    """Make the question of a list of orders.

    Raises:
        Problem: `invalid-query`, the cursor is not one of this list.
    """
    scope = cursors.scope_of(route, query.sort, filters)
    kind = selections.order_of(query.sort).kind
    behind = () if query.cursor is None else cursors.decode(query.cursor, scope, kind)
    statement = selections.orders(tuple(filters), query.sort, bool(behind))
    return Page(statement, (*filters.values(), *behind, query.limit + 1), scope, query.limit)


def queue_page(work: Queue, query: parameters.Page) -> Page:
    """Make the question of a queue.

    Raises:
        Problem: `invalid-query`, the cursor is not one of this queue.
    """
    scope = cursors.scope_of(work.name, "placed_at", {})
    kind = selections.order_of("placed_at").kind
    behind = () if query.cursor is None else cursors.decode(query.cursor, scope, kind)
    statement = selections.queue(work, bool(behind))
    return Page(statement, (*behind, query.limit + 1), scope, query.limit)
