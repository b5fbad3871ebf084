"""The OpenAPI document: made from the models that validate, so that it cannot say otherwise."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from command_api.bodies import BEGINNINGS, COMMANDS, BatchItem, Body
from command_api.examples import EVENT_OF, EXAMPLES
from command_api.problems import CODES
from command_api.schemas import REF, SCHEMAS
from runtime.settings import CommandSettings

_ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
_EVENT = "0193a5c0-7a2b-7c3d-8e4f-000000000001"
_HEADERS = (
    ("Idempotency-Key", "1 to 255 visible ASCII characters; the same key never appends twice."),
    ("Orders-Correlation-Id", "What this belongs to; kept with every event."),
    ("Orders-Actor", "Who asks, as kind:id; kept with every event."),
    ("Orders-Reason", "Why, in a line of at most 500 characters; kept with every event."),
    ("traceparent", "W3C trace context; kept in the record's headers."),
)
_VERSIONED = ("If-Match", 'The version the order must be at, in quotes: "3".')
_OF_REQUESTS = (
    "malformed-json",
    "body-timeout",
    "body-too-large",
    "unsupported-media-type",
    "invalid-command",
    "overloaded",
    "internal-error",
)
_OF_COMMANDS = ("rejected", "command-too-large", "idempotency-key-reused", "log-unavailable")
_OF_PERSONAL_DATA = ("key-store-unavailable",)
_PERSONAL = {
    "place-order",
    "import-order",
    "set-addresses",
    "correct-contact",
    "add-note",
    "erase-customer-data",
}
_RETRIED = ("overloaded", "log-unavailable", "key-store-unavailable")


def describe(app: FastAPI, settings: CommandSettings) -> None:
    """Let `app` serve a document that describes the command routes and the health routes."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(_document(app, settings))
        return made

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, settings: CommandSettings) -> dict[str, Any]:
    models: list[type[BaseModel]] = [*COMMANDS.values(), BatchItem]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template=REF + "{model}"
    )
    paths = {body.route: {"post": _create(body)} for body in BEGINNINGS}
    for name, body in COMMANDS.items():
        if not body.creates:
            paths[f"/v1/orders/{{order_id}}/{name}"] = {"post": _command(body)}
    paths["/v1/commands"] = {"post": _batch(settings)}
    for route in ("/livez", "/readyz", "/metrics", "/-/versions"):
        paths[route] = {"get": _health(route)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": app.title,
            "version": app.version,
            "description": "Commands on orders. A 2xx is durable; a 4xx appended nothing; anything "
            "else is unknown: send it again with the same Idempotency-Key.",
        },
        "paths": paths,
        "components": {"schemas": {**schemas["$defs"], **SCHEMAS}},
    }


def _create(body: type[Body]) -> dict[str, Any]:
    return {
        **_operation(body),
        "parameters": [*_parameters(), _dry_run()],
        "responses": {
            "201": _accepted(_accepted_by(body, 1), "Location"),
            **_problems(*_OF_COMMANDS, *_about_keys(body), "order-exists"),
        },
    }


def _command(body: type[Body]) -> dict[str, Any]:
    order = {
        "name": "order_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "example": _ORDER,
    }
    return {
        **_operation(body),
        "parameters": [order, *_parameters(), _parameter(*_VERSIONED), _dry_run()],
        "responses": {
            "200": _accepted(_accepted_by(body, 2)),
            **_problems(*_OF_COMMANDS, *_about_keys(body), "order-not-found", "version-mismatch"),
        },
    }


def _about_keys(body: type[Body]) -> tuple[str, ...]:
    return _OF_PERSONAL_DATA if body.command_name in _PERSONAL else ()


def _operation(body: type[Body]) -> dict[str, Any]:
    return {
        "operationId": body.command_name.replace("-", "_"),
        "summary": (body.__doc__ or "").splitlines()[0],
        "tags": ["commands"],
        "requestBody": {
            "required": any(field.is_required() for field in body.model_fields.values()),
            "content": _json(REF + body.__name__, EXAMPLES[body.command_name]),
        },
    }


def _batch(settings: CommandSettings) -> dict[str, Any]:
    item = {"command": "place-order", "data": EXAMPLES["place-order"]}
    array = {
        "type": "array",
        "minItems": 1,
        "maxItems": settings.batch_commands_max,
        "items": {"$ref": REF + "BatchItem"},
    }
    result = {"status": 201, **_accepted_by(COMMANDS["place-order"], 1)}
    return {
        "operationId": "send_commands",
        "summary": "Send many commands at once; each has its own answer, in the same order.",
        "tags": ["commands"],
        "parameters": [*_parameters(), _dry_run()],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": array, "example": [item]},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": {
                "description": "One result per command.",
                "content": _json(REF + "BatchAnswer", {"results": [result]}),
            },
            **_problems(),
        },
    }


def _health(route: str) -> dict[str, Any]:
    return {
        "operationId": route.strip("/-").replace("-", "_"),
        "summary": "How this process is doing.",
        "tags": ["health"],
        "responses": {
            "200": {"description": "It is well."},
            **({"503": {"description": "It is not ready."}} if route == "/readyz" else {}),
        },
    }


def _parameters() -> list[dict[str, Any]]:
    return [_parameter(name, text) for name, text in _HEADERS]


def _parameter(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _dry_run() -> dict[str, Any]:
    return {
        "name": "dry_run",
        "in": "query",
        "description": "true: answer what would happen, and append nothing.",
        "schema": {"type": "boolean", "default": False},
    }


def _accepted(example: dict[str, Any], *more: str) -> dict[str, Any]:
    return {
        "description": "The events are in the log for good.",
        "headers": _headers("ETag", "Orders-Position", "Idempotency-Replayed", *more),
        "content": _json(REF + "Accepted", example),
    }


def _accepted_by(body: type[Body], version: int) -> dict[str, Any]:
    return {
        "order_id": _ORDER,
        "version": version,
        "replayed": False,
        "events": [{"event_id": _EVENT, "type": EVENT_OF[body.command_name], "version": version}],
        "position": "AQkUx2kDKg",
    }


def _problems(*more: str) -> dict[str, Any]:
    """Describe the problems of a route, one entry per status."""
    by_status: dict[int, list[str]] = {}
    for code in (*_OF_REQUESTS, *more):
        by_status.setdefault(CODES[code][0], []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {CODES[code][1]}" for code in codes),
            "headers": _headers(*(["Retry-After"] if set(codes) & set(_RETRIED) else [])),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": REF + "Problem"},
                    "example": {
                        "type": f"urn:orderlog:problem:{codes[0]}",
                        "title": CODES[codes[0]][1],
                        "status": status,
                        "code": codes[0],
                        "detail": "What to do about it.",
                    },
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}} for name in names}


def _json(ref: str, example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": ref}, "example": example}}
