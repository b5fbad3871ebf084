"""Changing what was ordered, after it was placed (invariants I6, I7)."""

from collections.abc import Mapping

from domain.commands import (
    ApproveAmendment,
    DeclineAmendment,
    ProposeAmendment,
    WithdrawAmendment,
)
from domain.errors import Rejected
from domain.events import (
    AmendmentApplied,
    AmendmentDeclined,
    AmendmentProposed,
    AmendmentWithdrawn,
    OrderEvent,
)
from domain.order import Amendment, AmendmentStage, Order
from domain.pricing import price_lines, repriced, require_int64
from domain.rules.lines import numbered, require_line
from domain.rules.review import require_open
from domain.values import PlacedLine


def propose_amendment(state: Order, command: ProposeAmendment) -> list[OrderEvent]:
    """Propose other lines. The same proposal again, while nobody answered it: nothing.

    At most one proposal is open; it is computed whole and applies whole, and until then nothing of
    the order changes (vendure#4013: no order waits in an editing state).
    """
    known = state.amendments.get(command.amendment_id)
    if known is not None and known.stage is not AmendmentStage.OPEN:
        raise _reused(command.amendment_id)
    require_open(state)
    lines = _amended(state, command)
    difference_minor = _difference(state, lines)
    if known is not None:
        if (known.lines, known.reason) == (lines, command.reason):
            return []
        raise _reused(command.amendment_id)
    if state.open_amendment is not None:
        raise Rejected(
            "amendment-open", "Another amendment of this order is open; answer it first."
        )
    require_int64(state.total_minor + difference_minor)
    return [AmendmentProposed(command.amendment_id, lines, difference_minor, command.reason)]


def approve_amendment(state: Order, command: ApproveAmendment) -> list[OrderEvent]:
    """Let the proposal apply, whole. Again: nothing."""
    amendment = _known(state, command.amendment_id)
    if amendment.stage is AmendmentStage.APPLIED:
        return []
    _require_unanswered(amendment, command.amendment_id)
    require_open(state)
    for line in amendment.lines:
        if line.line_id in state.lines and not _is_possible(state, line.line_id, line.quantity):
            raise Rejected(
                "amendment-outdated",
                f"Pieces of line {line.line_id} were sent or cancelled meanwhile; withdraw the "
                "amendment and propose a new one.",
            )
    if not _leaves_something(state, amendment.lines):
        raise Rejected(
            "amendment-outdated",
            "Nothing would be left of this order by now; withdraw the amendment, or cancel the "
            "order.",
        )
    return [
        AmendmentApplied(
            amendment_id=command.amendment_id,
            lines=amendment.lines,
            difference_minor=amendment.difference_minor,
            currency=state.currency,
            customer_id=state.customer_id,
        )
    ]


def decline_amendment(state: Order, command: DeclineAmendment) -> list[OrderEvent]:
    """Say no to the proposal. Again: nothing."""
    amendment = _known(state, command.amendment_id)
    if amendment.stage is AmendmentStage.DECLINED:
        return []
    _require_unanswered(amendment, command.amendment_id)
    return [AmendmentDeclined(command.amendment_id)]


def withdraw_amendment(state: Order, command: WithdrawAmendment) -> list[OrderEvent]:
    """Take the proposal back. Again: nothing."""
    amendment = _known(state, command.amendment_id)
    if amendment.stage is AmendmentStage.WITHDRAWN:
        return []
    _require_unanswered(amendment, command.amendment_id)
    return [AmendmentWithdrawn(command.amendment_id)]


def _amended(state: Order, command: ProposeAmendment) -> tuple[PlacedLine, ...]:
    """Return the lines that would be new or other than they are."""
    changed = [
        repriced(state.lines[line_id].placed, quantity)
        for line_id, quantity in _quantities(state, command).items()
        if quantity != state.lines[line_id].ordered
    ]
    for line in command.add_lines:
        require_line(line)
    added = numbered(command.add_lines, state.lines)
    lines = (*changed, *price_lines(added, ()))
    if not lines:
        raise Rejected("amendment-changes-nothing", "The amendment would change nothing.")
    if not _leaves_something(state, lines):
        raise Rejected(
            "amendment-empties-order", "Nothing would be left of this order; cancel it instead."
        )
    return lines


def _leaves_something(state: Order, lines: tuple[PlacedLine, ...]) -> bool:
    left = {line_id: line.ordered - line.cancelled for line_id, line in state.lines.items()}
    changed = {line.line_id: line.quantity for line in lines}  # A cancelled line keeps one more.
    return any({**left, **changed}.values())


def _quantities(state: Order, command: ProposeAmendment) -> Mapping[str, int]:
    """Return the quantities that are asked for, by line id; all of them possible."""
    asked = {line.line_id: line.quantity for line in command.quantities}
    if len(asked) < len(command.quantities):
        raise Rejected("line-repeated", "A line is named twice; name each line once.")
    for line_id, quantity in asked.items():
        if line_id not in state.lines:
            raise Rejected("line-unknown", f"This order has no line {line_id}.")
        if quantity < 0:
            raise Rejected("quantity-negative", "A quantity cannot be below zero.")
        require_int64(quantity)
        if not _is_possible(state, line_id, quantity):
            line = state.lines[line_id]
            used = line.cancelled + state.in_shipments(line_id)
            raise Rejected(
                "quantity-below-used",
                f"{used} pieces of line {line_id} are cancelled or in a shipment already, so it "
                f"cannot be changed to {quantity}; cancel pieces instead.",
            )
    return asked


def _is_possible(state: Order, line_id: str, quantity: int) -> bool:
    """Tell whether the line can have so many pieces, given what became of those it has (I6).

    A line of which pieces were cancelled keeps at least one more: it carries the odd units.
    """
    line = state.lines[line_id]
    used = line.cancelled + state.in_shipments(line_id)
    return quantity >= used and (not line.cancelled or quantity > line.cancelled)


def _difference(state: Order, lines: tuple[PlacedLine, ...]) -> int:
    before = sum(
        state.lines[line.line_id].placed.total_minor
        for line in lines
        if line.line_id in state.lines
    )
    return sum(line.total_minor for line in lines) - before


def _known(state: Order, amendment_id: str) -> Amendment:
    amendment = state.amendments.get(amendment_id)
    if amendment is None:
        raise Rejected("amendment-unknown", f"This order has no amendment {amendment_id}.")
    return amendment


def _require_unanswered(amendment: Amendment, amendment_id: str) -> None:
    if amendment.stage is not AmendmentStage.OPEN:
        raise Rejected(
            "amendment-closed",
            f"Amendment {amendment_id} was {amendment.stage.name.lower()} already.",
        )


def _reused(amendment_id: str) -> Rejected:
    return Rejected(
        "amendment-id-reused",
        f"Amendment {amendment_id} already exists, answered or with other changes.",
    )
