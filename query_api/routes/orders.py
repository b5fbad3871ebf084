"""One order, lists of orders, and the queues of work: documents are served as they are stored."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_api import pages, parameters, selections
from query_api.parameters import AsOf, AtLeast, CustomerPath
from query_api.positions import HEADER
from query_api.problems import Problem, invalid, response_of, wrong_parameters
from query_api.reading import Asked, Headers, Reader, stale_since, statement
from query_api.resources import Once, ReaderOf, refuse_repeated
from query_api.routes import documentation
from query_api.routes.history import get_order_as_of

router = APIRouter(tags=["orders"], dependencies=[Once])

_ORDER = statement(
    "orders",
    f"SELECT document, version, partition, {stale_since('orders', '$1')} "
    "FROM read_models.orders WHERE order_id = $1",
)
_OK, _NOT_MODIFIED = 200, 304
_MIN_POSITION = HEADER.lower().encode()


class OneOrder:
    """Answers `GET /v1/orders/{order_id}`: an ASGI application, because it is asked most.

    `documentation.ORDER_PATH` describes it in the OpenAPI document.
    """

    path = "/v1/orders/{order_id}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as a route of an application that measures it."""
        await self.respond(scope, receive, send, lambda _: None)

    async def respond(
        self, scope: Scope, receive: Receive, send: Send, observe: Callable[[int], None]
    ) -> None:
        """Answer one request; errors become problem documents. `observe` is told the status."""
        try:
            status, headers, body = await self._answer(scope, receive)
        except Exception as error:  # noqa: BLE001 - the one place where its errors become answers
            response = response_of(error)
            observe(response.status_code)
            await response(scope, receive, send)
            return
        observe(status)
        raw = [(name, value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Headers, bytes]:
        order_id = order_id_of(scope["path_params"]["order_id"])
        reader: Reader = scope["state"]["reader"]
        given = dict(scope["headers"])
        token = _text(given.get(_MIN_POSITION))
        query = await _query(Request(scope, receive)) if scope["query_string"] else None
        if query is not None and query.is_history:
            as_of, text = await get_order_as_of(reader, order_id, query, token)
            return _OK, _with_body(as_of, text), text
        asked = Asked(token, None if query is None else query.wait_ms)
        answer = await reader.read(_ORDER, order_id, asked=asked)
        if not answer.rows:
            raise no_such_order(order_id)
        row = answer.rows[0]
        etag, stale = f'"{row["version"]}"', row["stale_since"]
        headers = [(b"etag", etag), *answer.raw_headers(row["partition"], stale)]
        # Whoever knows the version does not know that it is stale by now.
        if not stale and _is_known(_text(given.get(b"if-none-match")), etag):
            return _NOT_MODIFIED, headers, b""
        body = await reader.opened(pages.served(row["document"], stale).encode())
        return _OK, _with_body(headers, body), body


def _with_body(headers: Headers, body: bytes) -> Headers:
    return [
        *headers,
        (b"content-length", str(len(body))),
        (b"content-type", "application/json"),
    ]


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


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


async def _query(request: Request) -> AsOf:
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
