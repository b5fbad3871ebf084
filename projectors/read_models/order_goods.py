"""How facts about pieces - stock, parcels, returns - change an order's document."""

from collections.abc import Iterable, Mapping

from domain.events import (
    GoodsEvent,
    LinesAllocated,
    LinesBackordered,
    ReturnApproved,
    ReturnClosed,
    ReturnItemsReceived,
    ReturnRejected,
    ReturnRequested,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDeliveryFailed,
    ShipmentDispatched,
    ShipmentTrackingUpdated,
)
from domain.values import LineQuantity
from projectors.kinds import Document
from projectors.read_models import order_lines as parts
from projectors.read_models.times import rfc3339

OPEN_RETURNS = frozenset({"REQUESTED", "APPROVED"})


def evolve(order: Document, event: GoodsEvent, at_us: int) -> Document:
    """Return what the fact changes of the document."""
    match event:
        case LinesAllocated(lines=lines):
            return {"lines": _allocated(order["lines"], _pieces(lines))}
        case LinesBackordered(lines=lines):
            return {"lines": parts.added(order["lines"], "backordered", _pieces(lines))}
        case ShipmentCreated():
            shipments = parts.replaced(order["shipments"], "shipment_id", _shipment(event, at_us))
            return {"shipments": shipments}
        case ReturnRequested():
            return {"returns": parts.replaced(order["returns"], "return_id", _return(event, at_us))}
        case ReturnApproved(return_id=return_id):
            return _return_moved(order, return_id, {"status": "APPROVED"})
        case ReturnRejected(return_id=return_id, reason=reason):
            return _return_moved(order, return_id, {"status": "REJECTED", "rejection": reason})
        case ReturnClosed(return_id=return_id):
            return _return_moved(order, return_id, {"status": "CLOSED"})
        case ReturnItemsReceived():
            return _received(order, event)
        case _:
            return _moved(order, event.shipment_id, _changes(event, at_us))


def _changes(
    event: ShipmentDispatched
    | ShipmentTrackingUpdated
    | ShipmentDelivered
    | ShipmentDeliveryFailed
    | ShipmentCancelled,
    at_us: int,
) -> Document:
    """Return what the fact changes of its shipment."""
    match event:
        case ShipmentDispatched(tracking_number=None):
            return {"status": "DISPATCHED", "dispatched_at": rfc3339(at_us)}
        case ShipmentDispatched(tracking_number=number):
            return {
                "status": "DISPATCHED",
                "dispatched_at": rfc3339(at_us),
                "tracking_number": number,
            }
        case ShipmentTrackingUpdated(tracking_number=number, status=status):
            return {"tracking_number": number, "tracking_status": status}
        case ShipmentDelivered():
            return {"status": "DELIVERED", "delivered_at": rfc3339(at_us)}
        case ShipmentDeliveryFailed(reason=reason):
            return {"status": "DELIVERY_FAILED", "failure": reason}
        case ShipmentCancelled():
            return {"status": "CANCELLED"}


def _moved(order: Document, shipment_id: str, changes: Document) -> Document:
    shipments = parts.changed(order["shipments"], "shipment_id", shipment_id, changes)
    return {"shipments": shipments, "lines": parts.moved(order["lines"], shipments)}


def _shipment(event: ShipmentCreated, at_us: int) -> Document:
    return {
        "shipment_id": event.shipment_id,
        "carrier": event.carrier,
        "tracking_number": None,
        "tracking_status": None,
        "status": "CREATED",
        "lines": [_quantity(line) for line in event.lines],
        "created_at": rfc3339(at_us),
        "dispatched_at": None,
        "delivered_at": None,
        "failure": None,
    }


def _quantity(line: LineQuantity) -> Document:
    return {"line_id": line.line_id, "quantity": line.quantity}


def _pieces(lines: Iterable[LineQuantity]) -> Mapping[str, int]:
    return parts.pieces((line.line_id, line.quantity) for line in lines)


def _allocated(lines: list[Document], pieces: Mapping[str, int]) -> list[Document]:
    """Set pieces aside; those that were waited for are waited for no longer."""
    return [
        line
        | {
            "allocated": line["allocated"] + pieces.get(line["line_id"], 0),
            "backordered": max(0, line["backordered"] - pieces.get(line["line_id"], 0)),
        }
        for line in lines
    ]


def _return(event: ReturnRequested, at_us: int) -> Document:
    return {
        "return_id": event.return_id,
        "reason": event.reason,
        "status": "REQUESTED",
        "lines": [_quantity(line) | {"received": 0} for line in event.lines],
        "received": [],
        "requested_at": rfc3339(at_us),
        "rejection": None,
    }


def _return_moved(order: Document, return_id: str, changes: Document) -> Document:
    return {"returns": parts.changed(order["returns"], "return_id", return_id, changes)}


def _received(order: Document, event: ReturnItemsReceived) -> Document:
    pieces = parts.pieces((line.line_id, line.quantity) for line in event.lines)
    items = [
        {
            "line_id": line.line_id,
            "quantity": line.quantity,
            "condition": line.condition,
            "restock": line.restock,
        }
        for line in event.lines
    ]
    returns = [
        known
        | {
            "lines": parts.added(known["lines"], "received", pieces),
            "received": [*known["received"], *items],
        }
        if known["return_id"] == event.return_id
        else known
        for known in order["returns"]
    ]
    return {
        "lines": parts.added(order["lines"], "returned", pieces),
        "returned_minor": order["returned_minor"] + event.amount_minor,
        "returns": returns,
    }
