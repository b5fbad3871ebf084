"""Beginning, going on with, and ending an order; and what is remembered of it."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import (
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    Line,
    LineQuantity,
    Sealed,
    Shipping,
)


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Commit to the whole order in one call."""

    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...] = ()
    shipping: Shipping | None = None
    contact: Contact | Sealed | None = None
    ship_to: Address | Sealed | None = None
    bill_to: Address | Sealed | None = None
    replaces_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """Take an order over that has a past in `source`; see `OrderImported`."""

    source: str
    lifecycle: str
    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    past: tuple[ImportedLine, ...] = ()
    payments: tuple[ImportedPayment, ...] = ()
    discounts: tuple[Discount, ...] = ()
    shipping: Shipping | None = None
    contact: Contact | Sealed | None = None
    ship_to: Address | Sealed | None = None
    bill_to: Address | Sealed | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the order on."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Decline the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class Expire:
    """Give up on an order that nobody went on with."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Let nothing leave until the hold is released."""

    hold_id: str
    kind: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Take the hold away."""

    hold_id: str


@dataclass(frozen=True, slots=True)
class CancelLines:
    """Take pieces out of the order that are in no shipment."""

    lines: tuple[LineQuantity, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the order while nothing has left."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """End an order on which nothing is open."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Put an ended order away."""


@dataclass(frozen=True, slots=True)
class AddNote:
    """Remember something."""

    note_id: str
    text: str


@dataclass(frozen=True, slots=True)
class CorrectContact:
    """Say how the customer is really reached."""

    contact: Contact | Sealed


@dataclass(frozen=True, slots=True)
class EraseCustomerData:
    """Let the customer's personal data be shown nowhere any more."""


LifecycleCommand: TypeAlias = (
    PlaceOrder
    | ImportOrder
    | Accept
    | Reject
    | Expire
    | Hold
    | ReleaseHold
    | CancelLines
    | Cancel
    | Complete
    | Archive
    | AddNote
    | CorrectContact
    | EraseCustomerData
)
