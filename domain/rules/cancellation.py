"""Taking pieces, or everything, out of an order before they have left (invariants I4, I13)."""

from collections.abc import Mapping

from domain.commands import Cancel, CancelLines
from domain.errors import Rejected
from domain.events import LinesCancelled, OrderCancelled, OrderEvent
from domain.order import Order
from domain.order.lifecycle import worth_of
from domain.rules.goods.pieces import require_free
from domain.rules.goods.shipping import LEFT
from domain.rules.review import require_open
from domain.statuses import Lifecycle


def cancel(state: Order, command: Cancel) -> list[OrderEvent]:
    """End a draft, or an order of which nothing has left; its parcels end with it."""
    if state.lifecycle is Lifecycle.CANCELLED:
        return []
    if state.lifecycle is not Lifecycle.DRAFT:
        require_open(state)
    if any(shipment.stage in LEFT for shipment in state.shipments.values()) or any(
        line.delivered_before for line in state.lines.values()
    ):
        raise Rejected(
            "already-dispatched",
            "Part of this order has left the house; cancel the lines that are still here.",
        )
    return [_ended(state, command.reason, state.cancelled_minor)]


def cancel_lines(state: Order, command: CancelLines) -> list[OrderEvent]:
    """Cancel pieces that are in no shipment; with the last piece of all the order ends too.

    Cancelling two pieces and again two pieces is four: a retry is known by its command id alone.
    """
    require_open(state)
    pieces = require_free(state, command.lines)
    amount_minor = _value(state, pieces)
    event = LinesCancelled(
        lines=command.lines,
        reason=command.reason,
        amount_minor=amount_minor,
        currency=state.currency,
        customer_id=state.customer_id,
    )
    if any(
        line.ordered > line.cancelled + pieces.get(line_id, 0)
        for line_id, line in state.lines.items()
    ):
        return [event]
    return [event, _ended(state, command.reason, state.cancelled_minor + amount_minor)]


def _ended(state: Order, reason: str | None, cancelled_minor: int) -> OrderCancelled:
    return OrderCancelled(
        reason=reason,
        amount_minor=state.total_minor - cancelled_minor,
        currency=state.currency,
        customer_id=state.customer_id,
    )


def _value(state: Order, pieces: Mapping[str, int]) -> int:
    return sum(worth_of(state.lines[line_id], quantity) for line_id, quantity in pieces.items())
