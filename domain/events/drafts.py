"""What happens to an order before it is placed."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import Address, Contact, RepricedLine, Sealed, Tax


@dataclass(frozen=True, slots=True)
class OrderDrafted:
    """Somebody began an order in `currency` (ISO 4217); nothing is agreed yet."""

    customer_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class LineAdded:
    """The draft has one more line, of `quantity` (> 0) pieces."""

    line_id: str
    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    taxes: tuple[Tax, ...]


@dataclass(frozen=True, slots=True)
class LineQuantityChanged:
    """The draft's line is now of `quantity` (> 0) pieces."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class LineRemoved:
    """The draft's line is gone, and the discounts that were on it."""

    line_id: str


@dataclass(frozen=True, slots=True)
class AddressesSet:
    """Where the order goes to and who it is for; None leaves what was there."""

    ship_to: Address | Sealed | None
    bill_to: Address | Sealed | None
    contact: Contact | Sealed | None


@dataclass(frozen=True, slots=True)
class ShippingSelected:
    """The way of delivery, and its price for the whole order."""

    method: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class DiscountApplied:
    """Money off one line of the draft, or off all of it when `line_id` is None."""

    discount_id: str
    amount_minor: int
    line_id: str | None


@dataclass(frozen=True, slots=True)
class DiscountRemoved:
    """The draft's discount is gone."""

    discount_id: str


@dataclass(frozen=True, slots=True)
class OrderRepriced:
    """Other prices and taxes for some lines of the draft."""

    lines: tuple[RepricedLine, ...]


DraftEvent: TypeAlias = (
    OrderDrafted
    | LineAdded
    | LineQuantityChanged
    | LineRemoved
    | AddressesSet
    | ShippingSelected
    | DiscountApplied
    | DiscountRemoved
    | OrderRepriced
)
