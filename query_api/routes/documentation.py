"""What the OpenAPI document says beside the code: examples, problems, headers."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from query_api import parameters
from query_api.answers.answer import Answer
from query_api.answers.order import Orders
from query_api.answers.reports import Customer, Projections, Revenue, Timeline
from query_api.problems import CODES, MEDIA_TYPE
from query_api.routes.examples import (
    CUSTOMER_EXAMPLE,
    EVENT_EXAMPLE,
    EXPORT_EXAMPLE,
    ORDER_EXAMPLE,
    ORDER_ID,
    POSITION,
    PROJECTION_EXAMPLE,
    REVENUE_EXAMPLE,
)

DESCRIPTION = """
Answers about orders, from read models that are built from the log of events. Reads only.

**Read your own writes**: send the `position` of a command's answer as `Orders-Min-Position`; the
answer waits until it contains it (at most `wait_ms`), or is 503 `not-yet-projected`. Every answer
says in `Orders-Position` what it contains, and in `Orders-Freshness` whether something stops the
read model from going on (`parked`) or not (`fresh`).

Errors are problem documents (RFC 9457) with a stable `code`.
"""

_HEADERS: Mapping[str, Any] = {
    "Orders-Position": {
        "description": "what the answer contains; send it as `Orders-Min-Position` to never go "
        "back",
        "schema": {"type": "string", "examples": [POSITION]},
    },
    "Orders-Freshness": {
        "description": "`parked`: an event that belongs to it cannot be applied",
        "schema": {"type": "string", "enum": ["fresh", "parked"]},
    },
}
_JSON = "application/json"
_ALWAYS = ("invalid-query", "not-yet-projected", "database-unavailable")


def _problem(code: str) -> dict[str, Any]:
    status, title = CODES[code]
    document: dict[str, Any] = {
        "type": f"urn:orderlog:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": "what is wrong this time",
    }
    if code == "invalid-query":
        document["errors"] = [
            {"field": "limit", "message": "Input should be less than or equal to 200"}
        ]
    if code == "not-yet-projected":
        document |= {"reason": "pending", "position": POSITION}
    return document


def _responses(example: Any, *codes: str, media_type: str = _JSON) -> dict[str, Any]:
    found: dict[str, Any] = {
        "200": {
            "description": "The answer",
            "headers": dict(_HEADERS),
            "content": {media_type: {"example": example}},
        }
    }
    return _with_problems(found, *_ALWAYS, *codes)


def _with_problems(found: dict[str, Any], *codes: str) -> dict[str, Any]:
    """Add the problems that a route may answer."""
    for code in codes:
        status, _ = CODES[code]
        response = found.setdefault(
            str(status), {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}}
        )
        response["description"] = ", ".join(filter(None, (response["description"], code)))
        response["content"][MEDIA_TYPE]["examples"][code] = {"value": _problem(code)}
    return found


def _route(shape: type[Answer], example: Any, *codes: str) -> dict[str, Any]:
    """Return arguments for a route of FastAPI that answers in JSON."""
    responses = _responses(example, *codes)
    responses["200"]["model"] = shape
    return {"response_class": Response, "responses": responses}


def _stream(example: str, *codes: str) -> dict[str, Any]:
    """Return arguments for a route of FastAPI that answers with Server-Sent Events."""
    responses = _responses(example, *codes, "too-many-streams", media_type="text/event-stream")
    return {"response_class": Response, "responses": responses}


def _frames(event_id: str, *, begins: bool) -> str:
    begin = f"event: begin\nid: {event_id}\ndata: {{}}\n\n" if begins else ""
    return f'retry: 2000\n\n{begin}id: {event_id}\ndata: {{"type":"OrderPlaced","version":1}}\n\n'


_PAGE = {"orders": [ORDER_EXAMPLE], "next_cursor": None}
_EVENTS = {
    "order_id": ORDER_ID,
    "events": [EVENT_EXAMPLE],
    "next_cursor": None,
    "stale_since": None,
}

ORDERS = _route(Orders, _PAGE)
ORDERS_OF_CUSTOMER = _route(Orders, _PAGE, "customer-not-found")
FULFILMENT = _route(Orders, _PAGE)
RETURNS = _route(Orders, {"orders": [], "next_cursor": None})
CUSTOMER = _route(Customer, CUSTOMER_EXAMPLE, "customer-not-found")
REVENUE = _route(Revenue, REVENUE_EXAMPLE)
TIMELINE = _route(Timeline, _EVENTS, "order-not-found")
ORDER_STREAM = _stream(_frames("1", begins=False), "order-not-found")
STREAM = _stream(_frames(POSITION, begins=True))
EXPORT: Mapping[str, Any] = {
    "response_class": Response,
    "responses": _with_problems(
        {
            "200": {
                "description": "The export; one that is cut has no manifest, and no proper end",
                "content": {
                    "application/x-ndjson": {"example": EXPORT_EXAMPLE},
                    "application/x-tar": {"schema": {"type": "string", "format": "binary"}},
                },
            }
        },
        "invalid-query",
        "too-many-exports",
        "access-not-recorded",
        "log-unavailable",
    ),
}
PROJECTIONS = _route(Projections, {"projections": [PROJECTION_EXAMPLE]})
_ORDER = _responses(ORDER_EXAMPLE, "order-not-found")
_ORDER["200"]["content"][_JSON]["schema"] = {"$ref": "#/components/schemas/Order"}

_OF_ORDER = [
    {"name": name, "in": "query", "schema": schema}
    for name, schema in parameters.AsOf.model_json_schema()["properties"].items()
]

ORDER_PATH: Mapping[str, Any] = {
    "get": {
        "tags": ["orders"],
        "summary": "Get Order",
        "description": "Answer one order, the document as it is stored, or as it was at a version "
        "or a time.",
        "operationId": "get_order",
        "parameters": [
            {
                "name": "order_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
                "example": ORDER_ID,
            },
            *_OF_ORDER,
            {"name": "Orders-Min-Position", "in": "header", "schema": {"type": "string"}},
            {
                "name": "If-None-Match",
                "in": "header",
                "description": 'an `ETag` that is known already, for example `"3"`',
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            **_ORDER,
            "304": {"description": "The version is the one that is known", "headers": _HEADERS},
        },
    }
}


def install(app: FastAPI) -> None:
    """Put what FastAPI does not see into the document."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document["paths"] = {"/v1/orders/{order_id}": ORDER_PATH, **document["paths"]}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
