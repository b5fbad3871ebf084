"""The amendments of an order's document: what was proposed, and what became of it."""

from domain.events import (
    AmendmentApplied,
    AmendmentDeclined,
    AmendmentEvent,
    AmendmentProposed,
    AmendmentWithdrawn,
)
from projectors.kinds import Document
from projectors.read_models.order_lines import amended, changed, replaced


def evolve(order: Document, event: AmendmentEvent, _at_us: int) -> Document:
    """Return what a fact about an amendment changes of the document."""
    match event:
        case AmendmentProposed(amendment_id=amendment_id):
            proposed = {
                "amendment_id": amendment_id,
                "status": "OPEN",
                "difference_minor": event.difference_minor,
                "reason": event.reason,
                "lines": [
                    {"line_id": line.line_id, "quantity": line.quantity} for line in event.lines
                ],
            }
            return {"amendments": replaced(order["amendments"], "amendment_id", proposed)}
        case AmendmentApplied(amendment_id=amendment_id):
            return amended(order, event) | _answered(order, amendment_id, "APPLIED")
        case AmendmentDeclined(amendment_id=amendment_id):
            return _answered(order, amendment_id, "DECLINED")
        case AmendmentWithdrawn(amendment_id=amendment_id):
            return _answered(order, amendment_id, "WITHDRAWN")


def _answered(order: Document, amendment_id: str, status: str) -> Document:
    known = order["amendments"]
    return {"amendments": changed(known, "amendment_id", amendment_id, {"status": status})}
