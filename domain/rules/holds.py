"""What keeps an order in the house, and what lets it go (invariant I12)."""

from domain.commands import Hold, ReleaseHold
from domain.errors import Rejected
from domain.events import OrderEvent, OrderHeld, OrderHoldReleased
from domain.order import Order
from domain.rules.review import require_open


def hold(state: Order, command: Hold) -> list[OrderEvent]:
    """Let nothing leave until the hold is released. The same hold again: nothing."""
    known = state.holds.get(command.hold_id)
    if known is not None:
        if (known.kind, known.reason) == (command.kind, command.reason):
            return []
        raise Rejected(
            "hold-id-reused",
            f"Hold {command.hold_id} already exists with another kind or reason.",
        )
    require_open(state)
    return [OrderHeld(command.hold_id, command.kind, command.reason)]


def release_hold(state: Order, command: ReleaseHold) -> list[OrderEvent]:
    """Take a hold away, on any order. Again: nothing."""
    known = state.holds.get(command.hold_id)
    if known is None:
        raise Rejected("hold-unknown", f"This order has no hold {command.hold_id}.")
    return [] if known.is_released else [OrderHoldReleased(command.hold_id)]
