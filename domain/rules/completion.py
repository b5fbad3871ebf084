"""Ending an order on which nothing is open, and putting it away (invariants I15, I16)."""

from domain.commands import Archive, Complete
from domain.events import OrderEvent
from domain.order import Order


def complete(state: Order, command: Complete) -> list[OrderEvent]:
    raise NotImplementedError


def archive(state: Order, command: Archive) -> list[OrderEvent]:
    raise NotImplementedError
