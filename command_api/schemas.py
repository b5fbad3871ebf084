"""The OpenAPI schemas of what is answered."""

from typing import Any

from command_api.problems import CODES

REF = "#/components/schemas/"

_STRING, _INTEGER = {"type": "string"}, {"type": "integer"}
_EVENT_REF = {
    "type": "object",
    "properties": {
        "event_id": _STRING,
        "type": _STRING,
        "version": _INTEGER,
        "data": {"type": "object", "description": "Of a dry run: what the event would say."},
    },
    "required": ["event_id", "type", "version"],
}
SCHEMAS: dict[str, Any] = {
    "Accepted": {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "format": "uuid"},
            "version": _INTEGER,
            "replayed": {"type": "boolean"},
            "events": {"type": "array", "items": _EVENT_REF},
            "position": _STRING,
        },
        "required": ["order_id", "version", "replayed", "events", "position"],
    },
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": _STRING,
            "status": _INTEGER,
            "code": {"enum": sorted(CODES)},
            "detail": _STRING,
            "rule": _STRING,
            "current_version": _INTEGER,
            "events": {"type": "array", "items": _EVENT_REF},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": _STRING, "message": _STRING},
                    "required": ["field", "message"],
                },
            },
        },
        "required": ["type", "title", "status", "code", "detail"],
    },
    "BatchAnswer": {
        "type": "object",
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "oneOf": [
                        {
                            "allOf": [
                                {"properties": {"status": _INTEGER}, "required": ["status"]},
                                {"$ref": REF + "Accepted"},
                            ]
                        },
                        {"$ref": REF + "Problem"},
                    ]
                },
            }
        },
        "required": ["results"],
    },
}
