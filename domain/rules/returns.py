"""Pieces that come back (invariant I4)."""

from domain.commands import (
    ApproveReturn,
    CloseReturn,
    ReceiveReturnItems,
    RejectReturn,
    RequestReturn,
)
from domain.events import OrderEvent
from domain.order import Order


def request_return(state: Order, command: RequestReturn) -> list[OrderEvent]:
    raise NotImplementedError


def approve_return(state: Order, command: ApproveReturn) -> list[OrderEvent]:
    raise NotImplementedError


def reject_return(state: Order, command: RejectReturn) -> list[OrderEvent]:
    raise NotImplementedError


def receive_return_items(state: Order, command: ReceiveReturnItems) -> list[OrderEvent]:
    raise NotImplementedError


def close_return(state: Order, command: CloseReturn) -> list[OrderEvent]:
    raise NotImplementedError
