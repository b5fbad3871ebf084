"""What the OpenAPI document says beside the code: examples, problems, headers."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from query_api import parameters
from query_api.problems import CODES, MEDIA_TYPE
from query_api.routes.examples import (
    CUSTOMER_EXAMPLE,
    EVENT_EXAMPLE,
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


def _responses(example: Any, *codes: str, media_type: str = "application/json") -> dict[str, Any]:
    found: dict[str, Any] = {
        "200": {
            "description": "The answer",
            "headers": dict(_HEADERS),
            "content": {media_type: {"example": example}},
        }
    }
    for code in (*_ALWAYS, *codes):
        status, _ = CODES[code]
        response = found.setdefault(
            str(status), {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}}
        )
        response["description"] = ", ".join(filter(None, (response["description"], code)))
        response["content"][MEDIA_TYPE]["examples"][code] = {"value": _problem(code)}
    return found


def _route(example: Any, *codes: str, media_type: str = "application/json") -> dict[str, Any]:
    """Return arguments for a route of FastAPI."""
    responses = _responses(example, *codes, media_type=media_type)
    return {"response_class": Response, "responses": responses}


def _frames(event_id: str, *, begins: bool) -> str:
    begin = f"event: begin\nid: {event_id}\ndata: {{}}\n\n" if begins else ""
    return f'retry: 2000\n\n{begin}id: {event_id}\ndata: {{"type":"OrderPlaced","version":1}}\n\n'


_PAGE = {"orders": [ORDER_EXAMPLE], "next_cursor": None}
_EVENTS = {"order_id": ORDER_ID, "events": [EVENT_EXAMPLE], "next_cursor": None}
_STREAM = "text/event-stream"

ORDERS = _route(_PAGE)
ORDERS_OF_CUSTOMER = _route(_PAGE, "customer-not-found")
FULFILMENT = _route(_PAGE)
RETURNS = _route({"orders": [], "next_cursor": None})
CUSTOMER = _route(CUSTOMER_EXAMPLE, "customer-not-found")
REVENUE = _route(REVENUE_EXAMPLE)
TIMELINE = _route(_EVENTS, "order-not-found")
ORDER_STREAM = _route(
    _frames("1", begins=False), "order-not-found", "too-many-streams", media_type=_STREAM
)
STREAM = _route(_frames(POSITION, begins=True), "too-many-streams", media_type=_STREAM)
PROJECTIONS = _route({"projections": [PROJECTION_EXAMPLE]})

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
        "operationId": "get_order_v1_orders__order_id__get",
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
            **_responses(ORDER_EXAMPLE, "order-not-found"),
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
