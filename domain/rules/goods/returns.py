"""Pieces that come back (invariant I4): asked for, agreed to, received."""

from domain.commands import (
    ApproveReturn,
    CloseReturn,
    ReceiveReturnItems,
    RejectReturn,
    RequestReturn,
)
from domain.errors import Rejected
from domain.events import (
    OrderEvent,
    ReturnApproved,
    ReturnClosed,
    ReturnItemsReceived,
    ReturnRejected,
    ReturnRequested,
)
from domain.order import Order, Return, ReturnStage, pieces_of
from domain.order.lifecycle import worth_of
from domain.rules.goods.pieces import require_named, require_within
from domain.rules.review import require_open
from domain.values import LineQuantity


def request_return(state: Order, command: RequestReturn) -> list[OrderEvent]:
    """Ask to send delivered pieces back. The same return again: nothing."""
    known = state.returns.get(command.return_id)
    if known is not None:
        if (known.pieces, known.reason) == (pieces_of(command.lines), command.reason):
            return []
        raise Rejected(
            "return-id-reused",
            f"Return {command.return_id} already exists with other pieces or another reason.",
        )
    require_open(state)
    pieces = require_named(state, command.lines)
    require_within(
        pieces,
        lambda line_id: _returnable(state, line_id),
        "quantity-not-returnable",
        "delivered and neither returned nor on their way back",
    )
    return [ReturnRequested(command.return_id, command.lines, command.reason)]


def approve_return(state: Order, command: ApproveReturn) -> list[OrderEvent]:
    """Agree to take the pieces back. Again: nothing."""
    known = _known(state, command.return_id)
    if known.stage is ReturnStage.APPROVED:
        return []
    require_open(state)
    _require_not_ended(known, command.return_id)
    return [ReturnApproved(command.return_id)]


def reject_return(state: Order, command: RejectReturn) -> list[OrderEvent]:
    """Refuse to take the pieces back. Again, whatever the reason: nothing."""
    known = _known(state, command.return_id)
    if known.stage is ReturnStage.REJECTED:
        return []
    require_open(state)
    if known.stage is ReturnStage.APPROVED:
        raise Rejected(
            "return-already-approved",
            f"Return {command.return_id} was approved; close it when nothing more comes back.",
        )
    _require_not_ended(known, command.return_id)
    return [ReturnRejected(command.return_id, command.reason)]


def receive_return_items(state: Order, command: ReceiveReturnItems) -> list[OrderEvent]:
    """Record that pieces came back. A retry is known by its command id alone."""
    known = _known(state, command.return_id)
    require_open(state)
    _require_approved(known, command.return_id)
    lines = tuple(LineQuantity(line.line_id, line.quantity) for line in command.lines)
    pieces = require_named(state, lines)
    require_within(
        pieces, known.outstanding, "quantity-not-expected", "still expected with this return"
    )
    amount_minor = sum(
        worth_of(state.lines[line_id], quantity) for line_id, quantity in pieces.items()
    )
    return [
        ReturnItemsReceived(
            return_id=command.return_id,
            lines=command.lines,
            amount_minor=amount_minor,
            currency=state.currency,
            customer_id=state.customer_id,
        )
    ]


def close_return(state: Order, command: CloseReturn) -> list[OrderEvent]:
    """Expect nothing more of this return. Again: nothing."""
    known = _known(state, command.return_id)
    if known.stage is ReturnStage.CLOSED:
        return []
    require_open(state)
    _require_approved(known, command.return_id)
    return [ReturnClosed(command.return_id)]


def _returnable(state: Order, line_id: str) -> int:
    expected = sum(known.outstanding(line_id) for known in state.returns.values())
    return state.delivered(line_id) - state.lines[line_id].returned - expected


def _known(state: Order, return_id: str) -> Return:
    known = state.returns.get(return_id)
    if known is None:
        require_open(state)
        raise Rejected("return-unknown", f"This order has no return {return_id}.")
    return known


def _require_not_ended(known: Return, return_id: str) -> None:
    if known.stage is ReturnStage.REJECTED:
        raise Rejected("return-rejected", f"Return {return_id} was rejected; request another one.")
    if known.stage is ReturnStage.CLOSED:
        raise Rejected("return-closed", f"Return {return_id} is closed; request another one.")


def _require_approved(known: Return, return_id: str) -> None:
    _require_not_ended(known, return_id)
    if known.stage is ReturnStage.REQUESTED:
        raise Rejected("return-not-approved", f"Approve return {return_id} first.")
