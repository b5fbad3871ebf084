"""What keeps an order in the house, and what lets it go (invariant I12)."""

from domain.commands import Hold, ReleaseHold
from domain.events import OrderEvent
from domain.order import Order


def hold(state: Order, command: Hold) -> list[OrderEvent]:
    raise NotImplementedError


def release_hold(state: Order, command: ReleaseHold) -> list[OrderEvent]:
    raise NotImplementedError
