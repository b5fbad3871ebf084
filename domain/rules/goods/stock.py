"""What the stock says of the pieces (invariant I4).

Neither command has an id of its own: a retry is known by its command id alone.
"""

from domain.commands import RecordAllocation, RecordBackorder
from domain.events import LinesAllocated, LinesBackordered, OrderEvent
from domain.order import Order
from domain.rules.goods.pieces import require_named, require_within
from domain.rules.review import require_open


def record_allocation(state: Order, command: RecordAllocation) -> list[OrderEvent]:
    """Record that pieces are set aside in the stock."""
    require_open(state)
    pieces = require_named(state, command.lines)
    require_within(
        pieces,
        lambda line_id: _wanted(state, line_id),
        "quantity-not-available",
        "neither cancelled nor set aside already",
    )
    return [LinesAllocated(command.lines)]


def record_backorder(state: Order, command: RecordBackorder) -> list[OrderEvent]:
    """Record that pieces are not in stock and come later."""
    require_open(state)
    pieces = require_named(state, command.lines)
    require_within(
        pieces,
        lambda line_id: _wanted(state, line_id) - state.lines[line_id].backordered,
        "quantity-not-available",
        "neither cancelled, nor set aside, nor waited for already",
    )
    return [LinesBackordered(command.lines)]


def _wanted(state: Order, line_id: str) -> int:
    line = state.lines[line_id]
    return max(0, line.ordered - line.cancelled - line.allocated)
