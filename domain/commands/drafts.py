"""Putting an order together before it is placed."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import Address, Contact, RepricedLine, Sealed, Tax


@dataclass(frozen=True, slots=True)
class CreateDraft:
    """Begin an order."""

    customer_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class AddLine:
    """Put one more line into the draft. `line_id` None: the first free of 1, 2, 3 …."""

    sku: str
    quantity: int
    unit_price_minor: int
    line_id: str | None = None
    name: str = ""
    taxes: tuple[Tax, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeLineQuantity:
    """Make the line of so many pieces."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class RemoveLine:
    """Take the line out of the draft."""

    line_id: str


@dataclass(frozen=True, slots=True)
class SetAddresses:
    """Say where the order goes to and who it is for; None leaves what was there."""

    ship_to: Address | Sealed | None = None
    bill_to: Address | Sealed | None = None
    contact: Contact | Sealed | None = None


@dataclass(frozen=True, slots=True)
class SelectShipping:
    """Choose the way of delivery."""

    method: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class ApplyDiscount:
    """Take money off one line, or off the whole draft."""

    discount_id: str
    amount_minor: int
    line_id: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveDiscount:
    """Take the discount back."""

    discount_id: str


@dataclass(frozen=True, slots=True)
class Reprice:
    """Give lines other prices and taxes."""

    lines: tuple[RepricedLine, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Commit to the draft as it is."""


DraftCommand: TypeAlias = (
    CreateDraft
    | AddLine
    | ChangeLineQuantity
    | RemoveLine
    | SetAddresses
    | SelectShipping
    | ApplyDiscount
    | RemoveDiscount
    | Reprice
    | Place
)
