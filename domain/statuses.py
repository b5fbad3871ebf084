"""What an order is called from outside: statuses derived from facts, as functions of plain numbers.

No command sets a status and no event carries one. Rules and projections both derive them here.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Lifecycle(StrEnum):
    """How far an order has come; from `COMPLETED` on all are ends."""

    DRAFT = "DRAFT"
    PLACED = "PLACED"
    ACCEPTED = "ACCEPTED"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    ARCHIVED = "ARCHIVED"


class PaymentStatus(StrEnum):
    """What has happened to the money, over all payments of an order."""

    NONE = "NONE"
    PENDING = "PENDING"
    PARTIALLY_AUTHORISED = "PARTIALLY_AUTHORISED"
    AUTHORISED = "AUTHORISED"
    PARTIALLY_CAPTURED = "PARTIALLY_CAPTURED"
    CAPTURED = "CAPTURED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    OVERCHARGED = "OVERCHARGED"
    VOIDED = "VOIDED"


class FulfilmentStatus(StrEnum):
    """What has happened to the goods."""

    NONE = "NONE"
    BACKORDERED = "BACKORDERED"
    PARTIAL = "PARTIAL"
    FULFILLED = "FULFILLED"
    DELIVERED = "DELIVERED"


class ReturnStatus(StrEnum):
    """What has come back."""

    NONE = "NONE"
    REQUESTED = "REQUESTED"
    PARTIAL = "PARTIAL"
    RETURNED = "RETURNED"


class LinePieces(NamedTuple):
    """The pieces of one line; `shipped` counts dispatched pieces, delivered ones included."""

    ordered: int
    cancelled: int
    shipped: int
    delivered: int
    backordered: int = 0


class Money(NamedTuple):
    """Sums over one order (or one payment of it), in minor units.

    `cancelled_minor` and `returned_minor` are what those goods were worth of the total;
    `authorised_minor` is what is set aside now, captured money included.
    """

    total_minor: int
    cancelled_minor: int = 0
    returned_minor: int = 0
    authorised_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    charged_back_minor: int = 0

    @property
    def due_minor(self) -> int:
        """What the goods that stay with the customer cost."""
        return self.total_minor - self.cancelled_minor - self.returned_minor

    @property
    def given_back_minor(self) -> int:
        """What the customer has back, whoever gave or took it."""
        return self.refunded_minor + self.charged_back_minor

    @property
    def balance_minor(self) -> int:
        """What the customer still owes; negative: what the shop owes the customer."""
        return self.due_minor - self.captured_minor + self.given_back_minor


def payment_status(money: Money, *, is_pending: bool, is_voided: bool) -> PaymentStatus:
    """Name the state of the money.

    `is_pending`: some payment was requested and the PSP has told nothing about it yet.
    `is_voided`: money was set aside once, and is not any more.
    """
    captured_minor, given_back_minor = money.captured_minor, money.given_back_minor
    if captured_minor > 0 and given_back_minor >= captured_minor:
        return PaymentStatus.REFUNDED
    if captured_minor - given_back_minor > money.total_minor:
        return PaymentStatus.OVERCHARGED
    if given_back_minor > 0:
        return PaymentStatus.PARTIALLY_REFUNDED
    if captured_minor > 0:
        is_complete = captured_minor >= money.due_minor
        return PaymentStatus.CAPTURED if is_complete else PaymentStatus.PARTIALLY_CAPTURED
    if money.authorised_minor > 0:
        is_complete = money.authorised_minor >= money.due_minor
        return PaymentStatus.AUTHORISED if is_complete else PaymentStatus.PARTIALLY_AUTHORISED
    if is_pending:
        return PaymentStatus.PENDING
    return PaymentStatus.VOIDED if is_voided else PaymentStatus.NONE


def fulfilment_status(lines: Iterable[LinePieces]) -> FulfilmentStatus:
    """Name the state of the goods from the pieces of every line."""
    pieces = tuple(lines)
    if not any(line.shipped for line in pieces):
        is_waiting = any(min(line.backordered, line.ordered - line.cancelled) for line in pieces)
        return FulfilmentStatus.BACKORDERED if is_waiting else FulfilmentStatus.NONE
    if any(line.shipped < line.ordered - line.cancelled for line in pieces):
        return FulfilmentStatus.PARTIAL
    if any(line.delivered < line.shipped for line in pieces):
        return FulfilmentStatus.FULFILLED
    return FulfilmentStatus.DELIVERED


def return_status(*, delivered: int, returned: int, is_requested: bool) -> ReturnStatus:
    """Name the state of what comes back, from pieces counted over all lines.

    `is_requested`: some return is neither rejected nor closed.
    """
    if returned:
        return ReturnStatus.RETURNED if returned >= delivered else ReturnStatus.PARTIAL
    return ReturnStatus.REQUESTED if is_requested else ReturnStatus.NONE
