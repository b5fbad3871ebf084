"""How facts about the order as a whole change it."""

from collections.abc import Iterable
from dataclasses import replace

from domain.events import (
    ContactCorrected,
    CustomerDataErased,
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
)
from domain.order.state import (
    Amendment,
    AmendmentStage,
    Draft,
    Hold,
    Order,
    OrderLine,
    Payment,
    PspFact,
    Refund,
    ShipmentStage,
    pieces_of,
)
from domain.personal import essence
from domain.pricing import order_total, value_of
from domain.statuses import Lifecycle
from domain.values import ImportedLine, ImportedPayment, LineQuantity, PlacedLine

_NO_DRAFT = Draft()
_LIFECYCLES = {lifecycle.value: lifecycle for lifecycle in Lifecycle}
IMPORTED_REFUND = "imported/"
"""What an imported payment had given back is kept as a refund with this prefix and its id."""


def evolve(state: Order, event: LifecycleEvent) -> Order:  # noqa: C901, PLR0912 - one case per event
    """Apply one fact about the order as a whole."""
    match event:
        case OrderPlaced():
            return _placed(state, event)
        case OrderImported():
            return _imported(state, event)
        case OrderAccepted():
            return replace(state, lifecycle=Lifecycle.ACCEPTED)
        case OrderRejected():
            return _ended(state, Lifecycle.REJECTED)
        case OrderExpired():
            return _ended(state, Lifecycle.EXPIRED)
        case OrderHeld(hold_id=hold_id, kind=kind, reason=reason):
            return replace(state, holds={**state.holds, hold_id: Hold(kind, reason)})
        case OrderHoldReleased(hold_id=hold_id):
            hold = replace(state.holds.get(hold_id, Hold("", None)), is_released=True)
            return replace(state, holds={**state.holds, hold_id: hold})
        case OrderCancelled(amount_minor=amount_minor):
            return _cancelled(state, amount_minor)
        case LinesCancelled(lines=lines, amount_minor=amount_minor):
            return _lines_cancelled(state, lines, amount_minor)
        case OrderCompleted():
            return replace(state, lifecycle=Lifecycle.COMPLETED)
        case OrderArchived():
            return replace(state, lifecycle=Lifecycle.ARCHIVED)
        case NoteAdded(note_id=note_id, text=text):
            return replace(state, notes={**state.notes, note_id: essence(text)})
        case ContactCorrected(contact=contact):
            return replace(state, contact=contact)
        case CustomerDataErased():
            draft = replace(state.draft, ship_to=None, bill_to=None)
            return replace(state, contact=None, draft=draft, is_erased=True)


def _placed(state: Order, event: OrderPlaced) -> Order:
    return replace(
        state,
        lifecycle=Lifecycle.PLACED,
        customer_id=event.customer_id,
        currency=event.currency,
        total_minor=order_total(event.lines, event.shipping_minor),
        contact=event.contact,
        draft=_NO_DRAFT,
        lines={line.line_id: OrderLine(line) for line in event.lines},
    )


def _imported(state: Order, event: OrderImported) -> Order:
    past = {line.line_id: line for line in event.past}
    return replace(
        state,
        lifecycle=_LIFECYCLES.get(event.lifecycle, Lifecycle.PLACED),
        customer_id=event.customer_id,
        currency=event.currency,
        total_minor=order_total(event.lines, event.shipping_minor),
        cancelled_minor=event.cancelled_minor,
        returned_minor=event.returned_minor,
        contact=event.contact,
        lines={line.line_id: with_past(line, past.get(line.line_id)) for line in event.lines},
        payments={payment.payment_id: _known(payment) for payment in event.payments},
        refunds={
            IMPORTED_REFUND + payment.payment_id: Refund(
                payment.payment_id, refunded_minor=payment.refunded_minor
            )
            for payment in event.payments
            if payment.refunded_minor
        },
    )


def with_past(line: PlacedLine, past: ImportedLine | None) -> OrderLine:
    """Return an imported line: what was cancelled and came back has its share of the total."""
    if past is None:
        return OrderLine(line)
    cancelled_minor = value_of(
        past.cancelled, of_pieces=max(1, line.quantity), worth_minor=line.total_minor
    )
    returned_minor = value_of(
        past.returned,
        of_pieces=max(1, line.quantity - past.cancelled),
        worth_minor=line.total_minor - cancelled_minor,
    )
    return OrderLine(
        line,
        cancelled=past.cancelled,
        cancelled_minor=cancelled_minor,
        returned=past.returned,
        returned_minor=returned_minor,
        delivered_before=past.delivered,
    )


def _known(payment: ImportedPayment) -> Payment:
    reference = payment.psp_reference
    return Payment(
        authorised_minor=payment.authorised_minor,
        captured_minor=payment.captured_minor,
        facts={
            (PspFact.AUTHORISED, reference): payment.authorised_minor,
            (PspFact.CAPTURED, reference): payment.captured_minor,
        },
    )


def _ended(state: Order, lifecycle: Lifecycle) -> Order:
    """End the order; a proposal that is open ends with it."""
    return replace(
        state,
        lifecycle=lifecycle,
        amendments={key: _withdrawn(amendment) for key, amendment in state.amendments.items()},
    )


def _withdrawn(amendment: Amendment) -> Amendment:
    if amendment.stage is not AmendmentStage.OPEN:
        return amendment
    return replace(amendment, stage=AmendmentStage.WITHDRAWN)


def _cancelled(state: Order, amount_minor: int) -> Order:
    return replace(
        _ended(state, Lifecycle.CANCELLED),
        cancelled_minor=state.cancelled_minor + amount_minor,
        lines={key: _all_cancelled(line) for key, line in state.lines.items()},
        shipments={
            key: replace(shipment, stage=ShipmentStage.ENDED)
            if shipment.stage is ShipmentStage.CREATED
            else shipment
            for key, shipment in state.shipments.items()
        },
    )


def _all_cancelled(line: OrderLine) -> OrderLine:
    return replace(line, cancelled=line.ordered, cancelled_minor=line.placed.total_minor)


def _lines_cancelled(state: Order, lines: Iterable[LineQuantity], amount_minor: int) -> Order:
    changed = {
        line_id: replace(
            line,
            cancelled=line.cancelled + quantity,
            cancelled_minor=line.cancelled_minor + worth_of(line, quantity),
        )
        for line_id, quantity in pieces_of(lines).items()
        if (line := state.lines.get(line_id)) is not None
    }
    return replace(
        state,
        lines={**state.lines, **changed},
        cancelled_minor=state.cancelled_minor + amount_minor,
    )


def worth_of(line: OrderLine, pieces: int) -> int:
    """Return what so many of a line's pieces that are neither cancelled nor returned are worth."""
    return value_of(
        pieces,
        of_pieces=max(1, line.ordered - line.cancelled - line.returned),
        worth_minor=line.placed.total_minor - line.cancelled_minor - line.returned_minor,
    )
