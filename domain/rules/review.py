"""The shop's own word on an order, and what an order that has ended refuses (invariant I16)."""

from collections.abc import Mapping

from domain.commands import Accept, Expire, Reject
from domain.errors import Rejected
from domain.events import OrderAccepted, OrderEvent, OrderExpired, OrderRejected
from domain.order import Order
from domain.statuses import Lifecycle

_CLOSED: Mapping[Lifecycle | None, tuple[str, str]] = {
    Lifecycle.DRAFT: ("order-not-placed", "This order is a draft; place it first."),
    Lifecycle.COMPLETED: (
        "order-completed",
        "This order is completed; it cannot be changed any more.",
    ),
    Lifecycle.REJECTED: (
        "order-rejected",
        "This order was rejected; it cannot be changed any more.",
    ),
    Lifecycle.EXPIRED: ("order-expired", "This order expired; it cannot be changed any more."),
    Lifecycle.CANCELLED: (
        "order-cancelled",
        "This order is cancelled; it cannot be changed any more.",
    ),
    Lifecycle.ARCHIVED: (
        "order-archived",
        "This order is archived; it cannot be changed any more.",
    ),
}


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
    _require_not_accepted(state)
    return [OrderRejected(command.reason)]


def expire(state: Order, _command: Expire) -> list[OrderEvent]:
    """Give up on a draft, or on an order that was not accepted. Again: nothing."""
    if state.lifecycle is Lifecycle.EXPIRED:
        return []
    if state.lifecycle is not Lifecycle.DRAFT:
        require_open(state)
    _require_not_accepted(state)
    return [OrderExpired()]


def require_open(state: Order) -> None:
    """Let placed and accepted orders pass: drafts are too early for it, ended orders too late."""
    closed = _CLOSED.get(state.lifecycle)
    if closed is not None:
        raise Rejected(*closed)


def _require_not_accepted(state: Order) -> None:
    if state.lifecycle is Lifecycle.ACCEPTED:
        raise Rejected("already-accepted", "This order was accepted; cancel it instead.")
