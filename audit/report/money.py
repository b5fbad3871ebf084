"""What moved the money of an order, by the domain's own fold, and what it is called."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.decide import DECIDER
from domain.events import OrderImported, PaymentEvent, Recorded
from domain.order import Order, PspFact, ReturnStage, ShipmentStage
from domain.statuses import (
    FulfilmentStatus,
    LinePieces,
    Money,
    PaymentStatus,
    ReturnStatus,
    fulfilment_status,
    payment_status,
    return_status,
)

_LEFT = {ShipmentStage.DISPATCHED, ShipmentStage.FAILED, ShipmentStage.DELIVERED}
_OPEN = {ReturnStage.REQUESTED, ReturnStage.APPROVED}


@dataclass(frozen=True, slots=True)
class Movement:
    """What one event did to the money: the sums before and after it."""

    recorded: Recorded
    before: Money
    after: Money

    @property
    def payments(self) -> str:
        """Which payments it names."""
        event = self.recorded.event
        if isinstance(event, OrderImported):
            return ", ".join(payment.payment_id for payment in event.payments)
        return getattr(event, "payment_id", None) or ""

    @property
    def references(self) -> str:
        """Under which references the payment provider knows it."""
        event = self.recorded.event
        if isinstance(event, OrderImported):
            return ", ".join(payment.psp_reference for payment in event.payments)
        return getattr(event, "psp_reference", None) or ""


def fold(events: Iterable[Recorded]) -> Order:
    """Return what the order has become."""
    state = DECIDER.initial
    for recorded in events:
        state = DECIDER.evolve(state, recorded.event)
    return state


def movements(events: Iterable[Recorded]) -> Iterator[Movement]:
    """Yield each event that changed a sum, or tells of a payment.

    The provider may tell the same fact twice; it counts once, and the second changes nothing.
    """
    state = DECIDER.initial
    for recorded in events:
        before, state = state.money, DECIDER.evolve(state, recorded.event)
        if state.money != before or isinstance(recorded.event, PaymentEvent):
            yield Movement(recorded, before, state.money)


def paid(order: Order) -> PaymentStatus:
    """Name what happened to the money."""
    payments = order.payments.values()
    return payment_status(
        order.money,
        is_pending=any(
            not (payment.facts or payment.captures or payment.authorised_minor)
            for payment in payments
        ),
        is_voided=any(
            payment.authorised_minor
            < sum(
                amount_minor
                for (kind, _), amount_minor in payment.facts.items()
                if kind is PspFact.AUTHORISED
            )
            for payment in payments
        ),
    )


def fulfilled(order: Order) -> FulfilmentStatus:
    """Name what happened to the goods."""
    return fulfilment_status(
        LinePieces(
            line.ordered,
            line.cancelled,
            _shipped(order, line_id),
            order.delivered(line_id),
            line.backordered,
        )
        for line_id, line in order.lines.items()
    )


def _shipped(order: Order, line_id: str) -> int:
    return order.lines[line_id].delivered_before + sum(
        shipment.pieces.get(line_id, 0)
        for shipment in order.shipments.values()
        if shipment.stage in _LEFT
    )


def returned(order: Order) -> ReturnStatus:
    """Name what came back."""
    return return_status(
        delivered=sum(order.delivered(line_id) for line_id in order.lines),
        returned=sum(line.returned for line in order.lines.values()),
        is_requested=any(known.stage in _OPEN for known in order.returns.values()),
    )
