"""How an order begins, goes on, and ends; and what is remembered of it."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import (
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    LineQuantity,
    PlacedLine,
    Sealed,
    Shipping,
)


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """The customer committed to buy `lines`; prices, names, taxes and discounts are frozen here."""

    customer_id: str
    currency: str
    lines: tuple[PlacedLine, ...]
    discounts: tuple[Discount, ...]
    shipping: Shipping | None
    contact: Contact | Sealed | None
    ship_to: Address | Sealed | None
    bill_to: Address | Sealed | None
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    shipping_minor: int
    total_minor: int
    replaces_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class OrderImported:
    """An order with a past elsewhere, as it stood in `source` when it was taken over.

    `lifecycle` is one of PLACED, ACCEPTED, COMPLETED and CANCELLED; `past` has the lines of which
    pieces were cancelled, delivered or returned. What was cancelled or came back before is worth
    `cancelled_minor` and `returned_minor`.
    """

    source: str
    lifecycle: str
    customer_id: str
    currency: str
    lines: tuple[PlacedLine, ...]
    past: tuple[ImportedLine, ...]
    payments: tuple[ImportedPayment, ...]
    discounts: tuple[Discount, ...]
    shipping: Shipping | None
    contact: Contact | Sealed | None
    ship_to: Address | Sealed | None
    bill_to: Address | Sealed | None
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    shipping_minor: int
    total_minor: int
    cancelled_minor: int
    returned_minor: int


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """The shop took the order on."""


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """The shop declined the order; an end."""

    reason: str


@dataclass(frozen=True, slots=True)
class OrderExpired:
    """Nobody went on with the order in time; an end."""


@dataclass(frozen=True, slots=True)
class OrderHeld:
    """Nothing leaves the house until this hold is released."""

    hold_id: str
    kind: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class OrderHoldReleased:
    """One hold stands in the way no longer."""

    hold_id: str


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order ended before anything left the house.

    `amount_minor` is what was not cancelled before: remaining lines and shipping.
    """

    reason: str | None
    amount_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class LinesCancelled:
    """Pieces that will not be delivered, worth `amount_minor` of the order's total."""

    lines: tuple[LineQuantity, ...]
    reason: str | None
    amount_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class OrderCompleted:
    """Everything is delivered, paid and settled; an end."""


@dataclass(frozen=True, slots=True)
class OrderArchived:
    """The ended order is put away."""


@dataclass(frozen=True, slots=True)
class NoteAdded:
    """Something a person wants remembered."""

    note_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ContactCorrected:
    """How to reach the customer, as it should have been."""

    contact: Contact | Sealed


@dataclass(frozen=True, slots=True)
class CustomerDataErased:
    """The customer's personal data is to be shown nowhere any more."""


LifecycleEvent: TypeAlias = (
    OrderPlaced
    | OrderImported
    | OrderAccepted
    | OrderRejected
    | OrderExpired
    | OrderHeld
    | OrderHoldReleased
    | OrderCancelled
    | LinesCancelled
    | OrderCompleted
    | OrderArchived
    | NoteAdded
    | ContactCorrected
    | CustomerDataErased
)
