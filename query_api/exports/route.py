"""`GET /v1/audit/export`: the audit trail, straight from the log."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from query_api.exports.parameters import (
    AskedBy,
    Export,
    asked_by,
    refuse_what_does_not_fit,
)
from query_api.exports.response import ExportResponse
from query_api.resources import ExportingOf, Once
from query_api.routes import documentation

router = APIRouter(tags=["audit"], dependencies=[Once])


@router.get("/v1/audit/export", **documentation.EXPORT)
async def export_audit_trail(
    query: Annotated[Export, Query()], exporting: ExportingOf, asked: AskedBy = None
) -> Response:
    """Send every event, decoded and as it is stored, with what it takes to verify them offline."""
    refuse_what_does_not_fit(query)
    actor = asked_by(asked)
    media_type, name = (
        ("application/x-tar", "orderlog-audit.tar")
        if query.archive
        else ("application/x-ndjson", "orderlog-audit.jsonl")
    )
    return ExportResponse(
        exporting.places, lambda: exporting.source.begun(query, actor), media_type, name
    )
