"""The shop's own word on an order, and what an order that has ended refuses (invariant I16)."""

from domain.commands import Accept, Expire, Reject
from domain.errors import Rejected
from domain.events import OrderAccepted, OrderEvent, OrderRejected
from domain.order import Order
from domain.statuses import Lifecycle


def accept(state: Order, _command: Accept) -> list[OrderEvent]:
    """Take the order on. Again: nothing."""
    if state.lifecycle is Lifecycle.ACCEPTED:
        return []
    require_open(state)
    return [OrderAccepted()]


def reject(state: Order, command: Reject) -> list[OrderEvent]:
    """Decline an order that was not accepted. Again, whatever the reason: nothing."""
    if state.lifecycle is Lifecycle.REJECTED:
        return []
    require_open(state)
    if state.lifecycle is Lifecycle.ACCEPTED:
        raise Rejected("already-accepted", "This order was accepted; cancel it instead.")
    return [OrderRejected(command.reason)]


def require_open(state: Order) -> None:
    """Refuse on an order that has ended; only late PSP facts and notes are still taken."""
    if state.lifecycle is Lifecycle.REJECTED:
        raise Rejected("order-rejected", "This order was rejected; it cannot be changed any more.")
    if state.lifecycle is Lifecycle.CANCELLED:
        raise Rejected("order-cancelled", "This order is cancelled; it cannot be changed any more.")


def expire(state: Order, command: Expire) -> list[OrderEvent]:
    raise NotImplementedError
