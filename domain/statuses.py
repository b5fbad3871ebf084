"""What an order is called from outside: statuses derived from facts, as functions of plain numbers.

No command sets a status and no event carries one. Rules and projections both derive them here.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Lifecycle(StrEnum):
    """How far an order has come; `REJECTED` and `CANCELLED` are ends."""

    DRAFT = "DRAFT"
    PLACED = "PLACED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


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


class FulfilmentStatus(StrEnum):
    """What has happened to the goods."""

    NONE = "NONE"
    PARTIAL = "PARTIAL"
    FULFILLED = "FULFILLED"
    DELIVERED = "DELIVERED"


class ReturnStatus(StrEnum):
    """What has come back."""

    NONE = "NONE"


class LinePieces(NamedTuple):
    """The pieces of one line; `shipped` counts dispatched pieces, delivered ones included."""

    ordered: int
    cancelled: int
    shipped: int
    delivered: int


def payment_status(
    *,
    total_minor: int,
    cancelled_minor: int,
    authorised_minor: int,
    captured_minor: int,
    refunded_minor: int,
    is_pending: bool,
) -> PaymentStatus:
    """Name the state of the money; all amounts are sums over the order, in minor units.

    `is_pending`: some payment was requested and the PSP has told nothing about it yet.
    """
    due_minor = total_minor - cancelled_minor
    if captured_minor > 0 and refunded_minor >= captured_minor:
        return PaymentStatus.REFUNDED
    if captured_minor - refunded_minor > total_minor:
        return PaymentStatus.OVERCHARGED
    if refunded_minor > 0:
        return PaymentStatus.PARTIALLY_REFUNDED
    if captured_minor > 0:
        is_complete = captured_minor >= due_minor
        return PaymentStatus.CAPTURED if is_complete else PaymentStatus.PARTIALLY_CAPTURED
    if authorised_minor > 0:
        is_complete = authorised_minor >= due_minor
        return PaymentStatus.AUTHORISED if is_complete else PaymentStatus.PARTIALLY_AUTHORISED
    return PaymentStatus.PENDING if is_pending else PaymentStatus.NONE


def fulfilment_status(lines: Iterable[LinePieces]) -> FulfilmentStatus:
    """Name the state of the goods from the pieces of every line."""
    pieces = tuple(lines)
    if not any(line.shipped for line in pieces):
        return FulfilmentStatus.NONE
    if any(line.shipped < line.ordered - line.cancelled for line in pieces):
        return FulfilmentStatus.PARTIAL
    if any(line.delivered < line.shipped for line in pieces):
        return FulfilmentStatus.FULFILLED
    return FulfilmentStatus.DELIVERED


def balance_minor(
    *, total_minor: int, cancelled_minor: int, captured_minor: int, refunded_minor: int
) -> int:
    """Return what the customer still owes; negative: what the shop owes the customer."""
    return total_minor - cancelled_minor - captured_minor + refunded_minor
