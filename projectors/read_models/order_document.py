"""The complete answer about one order, folded from its events. Field names are public.

Documents are JSON-ready and are never changed in place: each event makes the next one, which
shares with the one before what the event did not touch.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.events import (
    CaptureRequested,
    LinesCancelled,
    NoteAdded,
    OrderAccepted,
    OrderCancelled,
    OrderPlaced,
    OrderRejected,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
    Recorded,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from domain.statuses import (
    FulfilmentStatus,
    Lifecycle,
    LinePieces,
    PaymentStatus,
    ReturnStatus,
    balance_minor,
    fulfilment_status,
    payment_status,
)
from domain.values import Address, LineQuantity, PlacedLine
from projectors.kinds import Document
from projectors.read_models import order_payments as payments
from projectors.read_models.order_payments import replaced
from projectors.read_models.times import rfc3339

_LEFT = frozenset({"DISPATCHED", "DELIVERED"})


def evolve(before: Document | None, recorded: Recorded) -> Document:  # noqa: C901, PLR0912
    """Return the order after one more fact. Total: it never validates."""
    at = rfc3339(recorded.occurred_at_us)
    order = dict(before) if before is not None else _blank(recorded.order_id, at)
    order["version"] = recorded.version
    order["updated_at"] = rfc3339(recorded.recorded_at_us)
    event = recorded.event
    match event:
        case OrderPlaced():
            order |= _placed(event)
            order["placed_at"] = at
        case OrderAccepted():
            order["lifecycle"] = Lifecycle.ACCEPTED.value
        case OrderRejected(reason=reason):
            order |= {"lifecycle": Lifecycle.REJECTED.value, "end_reason": reason}
        case OrderCancelled():
            _cancel(order, event)
        case LinesCancelled():
            _cancel_lines(order, event)
        case NoteAdded(note_id=note_id, text=text):
            note = {"note_id": note_id, "text": text, "at": at}
            order["notes"] = replaced(order["notes"], "note_id", note)
        case PaymentAuthorisationRequested():
            order["payments"] = payments.requested(order["payments"], event)
        case PaymentAuthorised():
            order["payments"] = payments.authorised(order["payments"], event)
        case PaymentAuthorisationFailed():
            order["payments"] = payments.failed(order["payments"], event)
        case CaptureRequested():
            order["payments"] = payments.capture_requested(order["payments"], event)
        case PaymentCaptured():
            order["payments"] = payments.captured(order["payments"], event)
        case ShipmentCreated():
            shipment = _shipment(event, at)
            order["shipments"] = replaced(order["shipments"], "shipment_id", shipment)
        case ShipmentDispatched(shipment_id=shipment_id, tracking_number=tracking_number):
            moved = {"status": "DISPATCHED", "dispatched_at": at}
            if tracking_number is not None:
                moved["tracking_number"] = tracking_number
            _move(order, shipment_id, moved)
        case ShipmentDelivered(shipment_id=shipment_id):
            _move(order, shipment_id, {"status": "DELIVERED", "delivered_at": at})
    _derive(order)
    return order


def _blank(order_id: str, at: str) -> Document:
    """Return an order of which nothing is known yet; the order of fields is that of answers."""
    return {
        "order_id": order_id,
        "version": 0,
        "customer_id": "",
        "currency": "",
        "lifecycle": Lifecycle.DRAFT.value,
        "on_hold": False,
        "payment_status": PaymentStatus.NONE.value,
        "fulfilment_status": FulfilmentStatus.NONE.value,
        "return_status": ReturnStatus.NONE.value,
        "lines": [],
        "subtotal_minor": 0,
        "discount_minor": 0,
        "tax_minor": 0,
        "shipping_minor": 0,
        "total_minor": 0,
        "cancelled_minor": 0,
        "authorised_minor": 0,
        "captured_minor": 0,
        "refunded_minor": 0,
        "balance_minor": 0,
        "placed_at": at,
        "updated_at": at,
        "end_reason": None,
        "contact": None,
        "ship_to": None,
        "bill_to": None,
        "shipping": None,
        "discounts": [],
        "payments": [],
        "shipments": [],
        "returns": [],
        "notes": [],
    }


def _placed(event: OrderPlaced) -> Document:
    contact, shipping = event.contact, event.shipping
    return {
        "customer_id": event.customer_id,
        "currency": event.currency,
        "lifecycle": Lifecycle.PLACED.value,
        "lines": [_line(line) for line in event.lines],
        "subtotal_minor": event.subtotal_minor,
        "discount_minor": event.discount_minor,
        "tax_minor": event.tax_minor,
        "shipping_minor": event.shipping_minor,
        "total_minor": event.total_minor,
        "contact": contact
        and {"name": contact.name, "email": contact.email, "phone": contact.phone},
        "ship_to": _address(event.ship_to),
        "bill_to": _address(event.bill_to),
        "shipping": shipping and {"method": shipping.method, "price_minor": shipping.price_minor},
        "discounts": [
            {
                "discount_id": discount.discount_id,
                "amount_minor": discount.amount_minor,
                "line_id": discount.line_id,
            }
            for discount in event.discounts
        ],
    }


def _line(line: PlacedLine) -> Document:
    return {
        "line_id": line.line_id,
        "sku": line.sku,
        "name": line.name,
        "quantity": line.quantity,
        "cancelled": 0,
        "shipped": 0,
        "delivered": 0,
        "returned": 0,
        "unit_price_minor": line.unit_price_minor,
        "discount_minor": line.discount_minor,
        "tax_minor": line.tax_minor,
        "total_minor": line.total_minor,
        "taxes": [
            {
                "code": tax.code,
                "rate": tax.rate,
                "amount_minor": tax.amount_minor,
                "included": tax.included,
            }
            for tax in line.taxes
        ],
    }


def _address(address: Address | None) -> Document | None:
    if address is None:
        return None
    return {
        "name": address.name,
        "lines": list(address.lines),
        "postal_code": address.postal_code,
        "city": address.city,
        "region": address.region,
        "country": address.country,
    }


def _cancel(order: Document, event: OrderCancelled) -> None:
    """End the order: every piece is cancelled, parcels that still stand here end with it."""
    order["lifecycle"] = Lifecycle.CANCELLED.value
    order["end_reason"] = event.reason
    order["cancelled_minor"] += event.amount_minor
    order["lines"] = [line | {"cancelled": line["quantity"]} for line in order["lines"]]
    order["shipments"] = [
        shipment | {"status": "CANCELLED"} if shipment["status"] == "CREATED" else shipment
        for shipment in order["shipments"]
    ]


def _cancel_lines(order: Document, event: LinesCancelled) -> None:
    pieces = _pieces((line.line_id, line.quantity) for line in event.lines)
    order["cancelled_minor"] += event.amount_minor
    order["lines"] = [
        line | {"cancelled": line["cancelled"] + pieces.get(line["line_id"], 0)}
        for line in order["lines"]
    ]


def _pieces(lines: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    pieces: dict[str, int] = {}
    for line_id, quantity in lines:
        pieces[line_id] = pieces.get(line_id, 0) + quantity
    return pieces


def _shipment(event: ShipmentCreated, at: str) -> Document:
    return {
        "shipment_id": event.shipment_id,
        "carrier": event.carrier,
        "tracking_number": None,
        "status": "CREATED",
        "lines": [_quantity(line) for line in event.lines],
        "created_at": at,
        "dispatched_at": None,
        "delivered_at": None,
    }


def _quantity(line: LineQuantity) -> Document:
    return {"line_id": line.line_id, "quantity": line.quantity}


def _move(order: Document, shipment_id: str, changes: Mapping[str, Any]) -> None:
    """Change one shipment, and count from all of them what has left and arrived of each line."""
    order["shipments"] = shipments = [
        shipment | changes if shipment["shipment_id"] == shipment_id else shipment
        for shipment in order["shipments"]
    ]
    shipped = _in_shipments(shipments, _LEFT)
    delivered = _in_shipments(shipments, {"DELIVERED"})
    order["lines"] = [
        line
        | {
            "shipped": shipped.get(line["line_id"], 0),
            "delivered": delivered.get(line["line_id"], 0),
        }
        for line in order["lines"]
    ]


def _in_shipments(shipments: Iterable[Document], statuses: Iterable[str]) -> Mapping[str, int]:
    return _pieces(
        (line["line_id"], line["quantity"])
        for shipment in shipments
        if shipment["status"] in statuses
        for line in shipment["lines"]
    )


def _derive(order: Document) -> None:
    """Name the statuses and sum the money up, from what is known now."""
    money = {
        "total_minor": order["total_minor"],
        "cancelled_minor": order["cancelled_minor"],
        "captured_minor": sum(payment["captured_minor"] for payment in order["payments"]),
        "refunded_minor": order["refunded_minor"],
    }
    order["authorised_minor"] = authorised_minor = sum(
        payment["authorised_minor"] for payment in order["payments"]
    )
    order["captured_minor"] = money["captured_minor"]
    order["balance_minor"] = balance_minor(**money)
    order["payment_status"] = payment_status(
        **money,
        authorised_minor=authorised_minor,
        is_pending=any(payment["status"] == "PENDING" for payment in order["payments"]),
    ).value
    order["fulfilment_status"] = fulfilment_status(
        LinePieces(line["quantity"], line["cancelled"], line["shipped"], line["delivered"])
        for line in order["lines"]
    ).value
