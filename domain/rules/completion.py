"""Ending an order on which nothing is open, and putting it away (invariants I14 to I16)."""

from domain.commands import Archive, Complete
from domain.currencies import written
from domain.errors import Rejected
from domain.events import OrderArchived, OrderCompleted, OrderEvent
from domain.order import Order, ReturnStage
from domain.rules.review import require_open
from domain.statuses import Lifecycle

_ENDS = frozenset({Lifecycle.COMPLETED, Lifecycle.REJECTED, Lifecycle.EXPIRED, Lifecycle.CANCELLED})


def complete(state: Order, _command: Complete) -> list[OrderEvent]:
    """End an accepted order on which nothing is open. Again: nothing."""
    if state.lifecycle is Lifecycle.COMPLETED:
        return []
    require_open(state)
    if state.lifecycle is not Lifecycle.ACCEPTED:
        raise Rejected("order-not-accepted", "Accept the order before you complete it.")
    _require_pieces_settled(state)
    _require_nothing_proposed(state)
    _require_money_settled(state)
    _require_paid(state)
    return [OrderCompleted()]


def archive(state: Order, _command: Archive) -> list[OrderEvent]:
    """Put an order away that has ended and is settled. Again: nothing."""
    if state.lifecycle is Lifecycle.ARCHIVED:
        return []
    if state.lifecycle not in _ENDS:
        raise Rejected("order-not-ended", "Only an order that has ended can be archived.")
    if state.lifecycle is not Lifecycle.COMPLETED:
        _require_money_settled(state)
        _require_given_back(state)
    return [OrderArchived()]


def _require_pieces_settled(state: Order) -> None:
    for line_id, line in state.lines.items():
        open_pieces = line.ordered - line.cancelled - state.delivered(line_id)
        if open_pieces > 0:
            raise Rejected(
                "pieces-open",
                f"{open_pieces} pieces of line {line_id} are neither delivered nor cancelled.",
            )


def _require_nothing_proposed(state: Order) -> None:
    if state.is_held:
        raise Rejected("hold-open", "This order is on hold; release every hold first.")
    if state.open_amendment is not None:
        raise Rejected("amendment-open", "An amendment of this order is not answered yet.")
    open_stages = {ReturnStage.REQUESTED, ReturnStage.APPROVED}
    if any(known.stage in open_stages for known in state.returns.values()):
        raise Rejected("return-open", "A return of this order is not closed yet.")


def _require_money_settled(state: Order) -> None:
    """Refuse while something is asked of the PSP, or money is set aside that nobody takes (I14)."""
    if any(payment.capture_open_minor for payment in state.payments.values()):
        raise Rejected("capture-open", "The PSP has not answered a capture yet.")
    if any(refund.open_minor for refund in state.refunds.values()):
        raise Rejected("refund-open", "The PSP has not answered a refund yet.")
    if any(payment.releasable_minor for payment in state.payments.values()):
        raise Rejected(
            "authorisation-open", "Money is still set aside for this order; void it first."
        )


def _require_paid(state: Order) -> None:
    """Refuse while one side owes the other; what was given back as goodwill is not owed."""
    money = state.money
    if money.captured_minor < money.due_minor:
        owed = written(money.due_minor - money.captured_minor, state.currency)
        raise Rejected("balance-open", f"The customer still owes {owed}.")
    if money.balance_minor < 0:
        owed = written(-money.balance_minor, state.currency)
        raise Rejected("balance-open", f"The customer must still get {owed} back.")


def _require_given_back(state: Order) -> None:
    """Refuse while money of an order that came to nothing was not given back (I14)."""
    money = state.money
    kept_minor = money.captured_minor - money.given_back_minor
    if kept_minor > 0:
        raise Rejected(
            "balance-open",
            f"The customer must still get {written(kept_minor, state.currency)} back.",
        )
