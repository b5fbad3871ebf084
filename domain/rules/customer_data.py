"""Correcting and erasing personal data."""

from domain.commands import CorrectContact, EraseCustomerData
from domain.events import OrderEvent
from domain.order import Order


def correct_contact(state: Order, command: CorrectContact) -> list[OrderEvent]:
    raise NotImplementedError


def erase_customer_data(state: Order, command: EraseCustomerData) -> list[OrderEvent]:
    raise NotImplementedError
