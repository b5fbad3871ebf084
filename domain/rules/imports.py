"""Taking an order over that has a past elsewhere."""

from domain.commands import ImportOrder
from domain.events import OrderEvent
from domain.order import Order


def import_order(state: Order, command: ImportOrder) -> list[OrderEvent]:
    raise NotImplementedError
