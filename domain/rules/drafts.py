"""Putting an order together (invariant I6)."""

from domain.commands import (
    AddLine,
    ApplyDiscount,
    ChangeLineQuantity,
    CreateDraft,
    RemoveDiscount,
    RemoveLine,
    Reprice,
    SelectShipping,
    SetAddresses,
)
from domain.events import OrderEvent
from domain.order import Order


def create_draft(state: Order, command: CreateDraft) -> list[OrderEvent]:
    raise NotImplementedError


def add_line(state: Order, command: AddLine) -> list[OrderEvent]:
    raise NotImplementedError


def change_line_quantity(state: Order, command: ChangeLineQuantity) -> list[OrderEvent]:
    raise NotImplementedError


def remove_line(state: Order, command: RemoveLine) -> list[OrderEvent]:
    raise NotImplementedError


def set_addresses(state: Order, command: SetAddresses) -> list[OrderEvent]:
    raise NotImplementedError


def select_shipping(state: Order, command: SelectShipping) -> list[OrderEvent]:
    raise NotImplementedError


def apply_discount(state: Order, command: ApplyDiscount) -> list[OrderEvent]:
    raise NotImplementedError


def remove_discount(state: Order, command: RemoveDiscount) -> list[OrderEvent]:
    raise NotImplementedError


def reprice(state: Order, command: Reprice) -> list[OrderEvent]:
    raise NotImplementedError
