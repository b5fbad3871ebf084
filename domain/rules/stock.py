"""What the stock says of the pieces (invariant I4)."""

from domain.commands import RecordAllocation, RecordBackorder
from domain.events import OrderEvent
from domain.order import Order


def record_allocation(state: Order, command: RecordAllocation) -> list[OrderEvent]:
    raise NotImplementedError


def record_backorder(state: Order, command: RecordBackorder) -> list[OrderEvent]:
    raise NotImplementedError
