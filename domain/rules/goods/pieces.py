"""Pieces of lines that a command names, and which of them are free (invariant I4)."""

from collections.abc import Callable, Iterable, Mapping

from domain.errors import Rejected
from domain.order import Order, pieces_of
from domain.pricing import require_int64
from domain.values import LineQuantity


def require_named(state: Order, lines: Iterable[LineQuantity]) -> Mapping[str, int]:
    """Return the pieces by line id: at least one line of this order, each named once."""
    asked = tuple(lines)
    pieces = pieces_of(asked)
    if not asked:
        raise Rejected("lines-missing", "Name at least one line and how many pieces of it.")
    if any(line.quantity <= 0 for line in asked):
        raise Rejected("quantity-not-positive", "Every quantity must be at least 1.")
    if len(pieces) < len(asked):
        raise Rejected("line-repeated", "A line is named twice; name each line once.")
    for line_id, quantity in pieces.items():
        require_int64(quantity)
        if line_id not in state.lines:
            raise Rejected("line-unknown", f"This order has no line {line_id}.")
    return pieces


def require_free(state: Order, lines: Iterable[LineQuantity]) -> Mapping[str, int]:
    """Return the pieces by line id, all of them free: neither cancelled nor in a shipment."""
    pieces = require_named(state, lines)
    require_within(
        pieces, state.free, "quantity-not-available", "neither cancelled nor in a shipment"
    )
    return pieces


def require_within(
    pieces: Mapping[str, int], limit: Callable[[str], int], rule: str, which: str
) -> None:
    """Refuse by `rule` more pieces of a line than its limit; `which` says what the limit counts."""
    for line_id, quantity in pieces.items():
        if quantity > (left := limit(line_id)):
            raise Rejected(
                rule,
                f"{quantity} pieces of line {line_id} were asked for, but only {left} are {which}.",
            )
