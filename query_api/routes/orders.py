"""One order, lists of orders, and the queues of work: documents are served as they are stored."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from query_api import pages, parameters, selections
from query_api.parameters import AsOf, AtLeast, CustomerPath
from query_api.positions import HEADER
from query_api.problems import Problem, invalid, wrong_parameters
from query_api.reading import Asked, Reader, stale_since, statement
from query_api.resources import Once, ReaderOf, refuse_repeated
from query_api.routes import documentation
from query_api.routes.history import get_order_as_of

router = APIRouter(tags=["orders"], dependencies=[Once])

_ORDER = statement(
    "orders",
    f"SELECT document, version, partition, {stale_since('orders', '$1')} "
    "FROM read_models.orders WHERE order_id = $1",
)
_NOT_MODIFIED = 304


async def get_order(request: Request) -> Response:
    """Answer one order.

    This is the route that is asked most, so it is a plain Starlette endpoint;
    `documentation.ORDER_PATH` describes it in the OpenAPI document.
    """
    order_id = order_id_of(request.path_params["order_id"])
    reader: Reader = request.state.reader
    token, query = request.headers.get(HEADER), await _query(request)
    if query is not None and query.is_history:
        return await get_order_as_of(reader, order_id, query, token)
    asked = Asked(token, None if query is None else query.wait_ms)
    answer = await reader.read(_ORDER, order_id, asked=asked)
    if not answer.rows:
        raise no_such_order(order_id)
    row = answer.rows[0]
    etag, stale = f'"{row["version"]}"', row["stale_since"]
    headers = {"ETag": etag, **answer.headers(row["partition"], stale)}
    # Whoever knows the version does not know that it is stale by now.
    if not stale and _is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    body = pages.served(row["document"], stale)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/v1/orders", **documentation.ORDERS)
async def list_orders(
    query: Annotated[parameters.Orders, Query()], reader: ReaderOf, at_least: AtLeast = None
) -> Response:
    """List orders, page by page."""
    page = pages.page("orders", query, query.filters())
    return await page.answer(reader, Asked(at_least, query.wait_ms))


@router.get("/v1/customers/{customer_id:path}/orders", **documentation.ORDERS_OF_CUSTOMER)
async def list_orders_of_customer(
    customer_id: CustomerPath,
    query: Annotated[parameters.CustomerOrders, Query()],
    reader: ReaderOf,
    at_least: AtLeast = None,
) -> Response:
    """List the orders of one customer, page by page."""
    filters = query.filters()
    page = pages.page("customers", query, {"customer_id": customer_id, **filters})
    is_all = not filters and query.cursor is None
    nothing = no_such_customer(customer_id) if is_all else None
    return await page.answer(reader, Asked(at_least, query.wait_ms), nothing)


@router.get("/v1/queues/fulfilment", **documentation.FULFILMENT)
async def queue_fulfilment(
    query: Annotated[parameters.Page, Query()], reader: ReaderOf, at_least: AtLeast = None
) -> Response:
    """List accepted orders that are not on hold and have pieces to send, oldest first."""
    page = pages.queue_page(selections.FULFILMENT, query)
    return await page.answer(reader, Asked(at_least, query.wait_ms))


@router.get("/v1/queues/returns", **documentation.RETURNS)
async def queue_returns(
    query: Annotated[parameters.Page, Query()], reader: ReaderOf, at_least: AtLeast = None
) -> Response:
    """List orders of which pieces are coming back, oldest first."""
    page = pages.queue_page(selections.RETURNS, query)
    return await page.answer(reader, Asked(at_least, query.wait_ms))


def order_id_of(text: str) -> UUID:
    """Read an order id of a path.

    Raises:
        Problem: `invalid-query`, it is not a UUID.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise invalid([("order_id", "must be a UUID")]) from error


def no_such_order(order_id: UUID) -> Problem:
    """Return the problem of an order that is not there."""
    return Problem(
        "order-not-found",
        f"no order {order_id} is served here; if it was placed just now, send the position of "
        f"that answer as {HEADER}",
    )


def no_such_customer(customer_id: str) -> Problem:
    """Return the problem of a customer who has no orders."""
    return Problem(
        "customer-not-found",
        f"no customer {customer_id} has ordered; if an order was placed just now, send the "
        f"position of that answer as {HEADER}",
    )


async def _query(request: Request) -> AsOf | None:
    if not request.scope["query_string"]:
        return None
    await refuse_repeated(request)
    try:
        return AsOf.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise wrong_parameters(error.errors()) from error


def _is_known(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag in known
