"""Sums: of one customer, and of days."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from query_api import parameters
from query_api.parameters import AtLeast, CustomerPath
from query_api.problems import invalid
from query_api.reading import Answer, Asked, statement
from query_api.resources import Once, ReaderOf
from query_api.routes import documentation
from query_api.routes.orders import no_such_customer

router = APIRouter(tags=["reports"], dependencies=[Once])

REVENUE_ROWS_MAX = 20_000
"""A report of more rows is refused: nobody reads it, and it would be built in memory."""

_CUSTOMER = statement(
    "customers",
    "SELECT currency, orders, gross_minor, cancelled_minor, captured_minor, refunded_minor "
    "FROM read_models.customers WHERE customer_id = $1",
    "r.currency",
)
_REVENUE = statement(
    "revenue",
    "SELECT day, currency, orders, gross_minor, captured_minor, refunded_minor "
    "FROM read_models.revenue WHERE day BETWEEN coalesce($1::date, '-infinity') "
    "AND coalesce($2::date, 'infinity') AND currency = coalesce($3::text, currency) "
    f"ORDER BY day, currency LIMIT {REVENUE_ROWS_MAX + 1}",
    "r.day, r.currency",
)


@router.get("/v1/customers/{customer_id:path}", **documentation.CUSTOMER)
async def get_customer(
    customer_id: CustomerPath,
    query: Annotated[parameters.Waiting, Query()],
    reader: ReaderOf,
    at_least: AtLeast = None,
) -> Response:
    """Answer what a customer ordered and paid, per currency."""
    asked = Asked(at_least, query.wait_ms)
    answer = await reader.read(_CUSTOMER, customer_id, asked=asked)
    if not answer.rows:
        raise no_such_customer(customer_id)
    totals = [_sums(row, "currency") for row in answer.rows]
    return _json({"customer_id": customer_id, "totals": totals}, answer)


@router.get("/v1/reports/revenue", **documentation.REVENUE)
async def report_revenue(
    query: Annotated[parameters.Revenue, Query()], reader: ReaderOf, at_least: AtLeast = None
) -> Response:
    """Answer per UTC day and currency what was ordered, and what was captured and refunded."""
    first, last = query.from_day, query.to_day
    if first and last and first > last:
        raise invalid([("to", "must not be before `from`")])
    asked = Asked(at_least, query.wait_ms)
    answer = await reader.read(_REVENUE, first, last, query.currency, asked=asked)
    if len(answer.rows) > REVENUE_ROWS_MAX:
        raise invalid([("from", f"the report has more than {REVENUE_ROWS_MAX} rows: ask for less")])
    days = [{"day": row["day"], **_sums(row, "currency")} for row in answer.rows]
    body = {"from": first, "to": last, "currency": query.currency, "days": days}
    return _json(body, answer)


def _sums(row: Any, text_column: str) -> dict[str, Any]:
    """Amounts are numeric in Postgres: sums may outgrow the 64 bits that orjson writes."""
    skipped = {"contained", "day", text_column}
    amounts = {
        name: orjson.Fragment(str(value)) for name, value in row.items() if name not in skipped
    }
    return {text_column: row[text_column], **amounts}


def _json(body: dict[str, Any], answer: Answer) -> Response:
    return Response(orjson.dumps(body), headers=answer.headers(), media_type="application/json")
