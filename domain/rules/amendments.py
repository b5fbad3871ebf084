"""Changing what was ordered, after it was placed (invariants I6, I7)."""

from domain.commands import ApproveAmendment, DeclineAmendment, ProposeAmendment, WithdrawAmendment
from domain.events import OrderEvent
from domain.order import Order


def propose_amendment(state: Order, command: ProposeAmendment) -> list[OrderEvent]:
    raise NotImplementedError


def approve_amendment(state: Order, command: ApproveAmendment) -> list[OrderEvent]:
    raise NotImplementedError


def decline_amendment(state: Order, command: DeclineAmendment) -> list[OrderEvent]:
    raise NotImplementedError


def withdraw_amendment(state: Order, command: WithdrawAmendment) -> list[OrderEvent]:
    raise NotImplementedError
