"""Correcting and erasing personal data, on any order (invariant I16)."""

from domain.commands import CorrectContact, EraseCustomerData
from domain.errors import Rejected
from domain.events import ContactCorrected, CustomerDataErased, OrderEvent
from domain.order import Order
from domain.personal import is_same


def correct_contact(state: Order, command: CorrectContact) -> list[OrderEvent]:
    """Say how the customer is really reached. The same again: nothing."""
    require_not_erased(state)
    if is_same(state.contact, command.contact):
        return []
    return [ContactCorrected(command.contact)]


def erase_customer_data(state: Order, _command: EraseCustomerData) -> list[OrderEvent]:
    """Let the personal data be shown nowhere any more. Again: nothing."""
    return [] if state.is_erased else [CustomerDataErased()]


def require_not_erased(state: Order) -> None:
    """Refuse to record personal data again once it was erased."""
    if state.is_erased:
        raise Rejected(
            "customer-data-erased",
            "The personal data of this order was erased; none can be recorded again.",
        )
