"""The complete answer about one order, folded from its events. Field names are public.

Documents are JSON-ready and are never changed in place: each event makes the next one, which
shares with the one before what the event did not touch.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from domain.events import (
    AmendmentEvent,
    ContactCorrected,
    CustomerDataErased,
    DraftEvent,
    GoodsEvent,
    LifecycleEvent,
    LinesCancelled,
    NoteAdded,
    OrderAccepted,
    OrderArchived,
    OrderCancelled,
    OrderCompleted,
    OrderExpired,
    OrderHeld,
    OrderHoldReleased,
    OrderImported,
    OrderPlaced,
    OrderRejected,
    PaymentEvent,
    Recorded,
)
from domain.statuses import (
    FulfilmentStatus,
    Lifecycle,
    LinePieces,
    Money,
    PaymentStatus,
    ReturnStatus,
    fulfilment_status,
    payment_status,
    return_status,
)
from projectors.kinds import Document
from projectors.read_models import order_amendments, order_drafts, order_goods
from projectors.read_models import order_lines as parts
from projectors.read_models import order_payments as payments
from projectors.read_models.times import rfc3339


def evolve(before: Document | None, recorded: Recorded) -> Document:
    """Return the order after one more fact, without what `derived` adds. Total: never validates."""
    event, at_us = recorded.event, recorded.occurred_at_us
    order = dict(before) if before is not None else _blank(recorded.order_id, rfc3339(at_us))
    order["version"] = recorded.version
    order["updated_at"] = recorded.recorded_at_us  # Written by `derived`, once per row.
    order |= _EVOLVE[type(event)](order, event, at_us)
    return order


def derived(order: Document) -> Document:
    """Return the whole document: statuses named, the money summed up, and when it changed last."""
    named = payments.named(order["payments"], order["refunds"])
    updated_at = rfc3339(order["updated_at"])
    return order | {"updated_at": updated_at, "payments": named, **_statuses(order, named)}


def _blank(order_id: str, at: str) -> Document:
    """Return an order of which nothing is known yet; the order of fields is that of answers."""
    return {
        "order_id": order_id,
        "version": 0,
        "customer_id": "",
        "currency": "",
        "lifecycle": Lifecycle.DRAFT.value,
        "is_placed": False,
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
        "returned_minor": 0,
        "authorised_minor": 0,
        "captured_minor": 0,
        "refunded_minor": 0,
        "charged_back_minor": 0,
        "balance_minor": 0,
        "placed_at": at,
        "updated_at": at,
        "end_reason": None,
        "replaces_order_id": None,
        "imported_from": None,
        "contact": None,
        "ship_to": None,
        "bill_to": None,
        "shipping": None,
        "discounts": [],
        "payments": [],
        "refunds": [],
        "shipments": [],
        "returns": [],
        "holds": [],
        "amendments": [],
        "notes": [],
    }


def _evolve_lifecycle(order: Document, event: LifecycleEvent, at_us: int) -> Document:  # noqa: C901
    """Return what a fact about the order as a whole changes of its document."""
    match event:
        case OrderPlaced():
            placed = _whole(event) | {"lines": parts.placed(event.lines)}
            return placed | {
                "lifecycle": Lifecycle.PLACED.value,
                "replaces_order_id": event.replaces_order_id,
                "placed_at": rfc3339(at_us),
            }
        case OrderImported():
            return _imported(event) | {"placed_at": rfc3339(at_us)}
        case OrderAccepted():
            return {"lifecycle": Lifecycle.ACCEPTED.value}
        case OrderRejected(reason=reason):
            return _ended(order, Lifecycle.REJECTED, reason)
        case OrderExpired():
            return _ended(order, Lifecycle.EXPIRED, None)
        case OrderHeld(hold_id=hold_id, kind=kind, reason=reason):
            hold = {"hold_id": hold_id, "kind": kind, "reason": reason, "is_released": False}
            return {"holds": parts.replaced(order["holds"], "hold_id", hold)}
        case OrderHoldReleased(hold_id=hold_id):
            return {
                "holds": parts.changed(order["holds"], "hold_id", hold_id, {"is_released": True})
            }
        case OrderCancelled():
            return _cancelled(order, event)
        case LinesCancelled(lines=lines):
            pieces = parts.pieces((line.line_id, line.quantity) for line in lines)
            return {
                "cancelled_minor": order["cancelled_minor"] + event.amount_minor,
                "lines": parts.added(order["lines"], "cancelled", pieces),
            }
        case OrderCompleted():
            return {"lifecycle": Lifecycle.COMPLETED.value}
        case OrderArchived():
            return {"lifecycle": Lifecycle.ARCHIVED.value}
        case NoteAdded() | ContactCorrected() | CustomerDataErased():
            return _remembered(order, event, at_us)


def _remembered(
    order: Document, event: NoteAdded | ContactCorrected | CustomerDataErased, at_us: int
) -> Document:
    """Return what a fact changes that moves neither goods nor money."""
    match event:
        case NoteAdded(note_id=note_id, text=text):
            note = {"note_id": note_id, "text": text, "at": rfc3339(at_us)}
            return {"notes": parts.replaced(order["notes"], "note_id", note)}
        case ContactCorrected(contact=contact):
            return {"contact": parts.contact(contact)}
        case CustomerDataErased():
            return {
                "contact": None,
                "ship_to": None,
                "bill_to": None,
                "notes": [note | {"text": None} for note in order["notes"]],
            }


def _whole(event: OrderPlaced | OrderImported) -> Document:
    """Return what placing and importing have in common."""
    return {
        "customer_id": event.customer_id,
        "currency": event.currency,
        "is_placed": True,
        "subtotal_minor": event.subtotal_minor,
        "discount_minor": event.discount_minor,
        "tax_minor": event.tax_minor,
        "shipping_minor": event.shipping_minor,
        "total_minor": event.total_minor,
        "contact": parts.contact(event.contact),
        "ship_to": parts.address(event.ship_to),
        "bill_to": parts.address(event.bill_to),
        "shipping": parts.shipping(event.shipping),
        "discounts": [parts.discount(discount) for discount in event.discounts],
    }


def _imported(event: OrderImported) -> Document:
    return _whole(event) | {
        "lifecycle": event.lifecycle,
        "imported_from": event.source,
        "lines": parts.imported(event.lines, event.past),
        "cancelled_minor": event.cancelled_minor,
        "returned_minor": event.returned_minor,
        **payments.imported(event.payments),
    }


def _ended(order: Document, lifecycle: Lifecycle, reason: str | None) -> Document:
    """End the order; a proposal that is open ends with it."""
    return {
        "lifecycle": lifecycle.value,
        "end_reason": reason,
        "amendments": [
            amendment | {"status": "WITHDRAWN"} if amendment["status"] == "OPEN" else amendment
            for amendment in order["amendments"]
        ],
    }


def _cancelled(order: Document, event: OrderCancelled) -> Document:
    """End the order: every piece is cancelled, parcels that still stand here end with it."""
    return _ended(order, Lifecycle.CANCELLED, event.reason) | {
        "cancelled_minor": order["cancelled_minor"] + event.amount_minor,
        "lines": [line | {"cancelled": line["quantity"]} for line in order["lines"]],
        "shipments": [
            shipment | {"status": "CANCELLED"} if shipment["status"] == "CREATED" else shipment
            for shipment in order["shipments"]
        ],
    }


def _statuses(order: Document, paid: list[Document]) -> Document:
    """Name the statuses and sum the money up, from what is known now; for a draft nobody owes."""
    lines = order["lines"]
    money = Money(
        order["total_minor"] if order["is_placed"] else 0,
        order["cancelled_minor"],
        order["returned_minor"],
        sum(payment["authorised_minor"] for payment in paid),
        sum(payment["captured_minor"] for payment in paid),
        sum(refund["refunded_minor"] or 0 for refund in order["refunds"]),
        sum(payment["charged_back_minor"] for payment in paid),
    )
    return {
        "on_hold": any(not hold["is_released"] for hold in order["holds"]),
        "authorised_minor": money.authorised_minor,
        "captured_minor": money.captured_minor,
        "refunded_minor": money.refunded_minor,
        "charged_back_minor": money.charged_back_minor,
        "balance_minor": money.balance_minor,
        "payment_status": payment_status(
            money,
            is_pending=any(payment["status"] == "PENDING" for payment in paid),
            is_voided=any(payment["released"] for payment in paid),
        ).value,
        "fulfilment_status": fulfilment_status(
            LinePieces(
                line["quantity"],
                line["cancelled"],
                line["shipped"],
                line["delivered"],
                line["backordered"],
            )
            for line in lines
        ).value,
        "return_status": return_status(
            delivered=sum(line["delivered"] for line in lines),
            returned=sum(line["returned"] for line in lines),
            is_requested=any(
                known["status"] in order_goods.OPEN_RETURNS for known in order["returns"]
            ),
        ).value,
    }


def _of(events: Any, evolve_one: Callable[..., Document]) -> Mapping[type, Callable[..., Document]]:
    return dict.fromkeys(get_args(events), evolve_one)


_EVOLVE: Mapping[type, Callable[[Document, Any, int], Document]] = {
    **_of(LifecycleEvent, _evolve_lifecycle),
    **_of(PaymentEvent, payments.evolve),
    **_of(GoodsEvent, order_goods.evolve),
    **_of(DraftEvent, order_drafts.evolve),
    **_of(AmendmentEvent, order_amendments.evolve),
}
"""What each kind of fact changes, by its type: asking one group after the other takes longer."""
