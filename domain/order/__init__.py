"""What an order has become: its state, and `evolve`, which folds one more fact into it."""

from domain.events import AmendmentEvent, DraftEvent, LifecycleEvent, OrderEvent, PaymentEvent
from domain.order import amendments, drafts, goods, lifecycle, payments
from domain.order.state import (
    Amendment,
    AmendmentStage,
    Capture,
    Draft,
    Hold,
    Order,
    OrderLine,
    Payment,
    PspFact,
    Refund,
    Return,
    ReturnStage,
    Shipment,
    ShipmentStage,
    pieces_of,
)


def evolve(state: Order, event: OrderEvent) -> Order:
    """Apply one fact. Total: what happened, happened, so this never raises and never validates."""
    if isinstance(event, LifecycleEvent):
        return lifecycle.evolve(state, event)
    if isinstance(event, PaymentEvent):
        return payments.evolve(state, event)
    if isinstance(event, DraftEvent):
        return drafts.evolve(state, event)
    if isinstance(event, AmendmentEvent):
        return amendments.evolve(state, event)
    return goods.evolve(state, event)


__all__ = [
    "Amendment",
    "AmendmentStage",
    "Capture",
    "Draft",
    "Hold",
    "Order",
    "OrderLine",
    "Payment",
    "PspFact",
    "Refund",
    "Return",
    "ReturnStage",
    "Shipment",
    "ShipmentStage",
    "evolve",
    "pieces_of",
]
