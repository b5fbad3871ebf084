"""Values that facts and commands are made of. Money is always `int` minor units of one currency."""

from dataclasses import dataclass
from typing import NewType

INT64_MAX = 2**63 - 1


Sealed = NewType("Sealed", str)
"""Personal data as text that only the key of its order opens; see `domain.personal`."""

SEALED = "sealed1:"
"""What sealed text begins with."""

ESSENCE_CHARACTERS = 24
"""So many characters after it are equal when what is sealed is equal, within one order."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked: `kind` is for example `system`, `user` or `service`."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax on a whole line. `included` taxes are already part of the unit price."""

    code: str
    rate: str
    amount_minor: int
    included: bool


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; personal data. `country` is ISO 3166-1 alpha-2."""

    name: str
    lines: tuple[str, ...]
    postal_code: str
    city: str
    region: str
    country: str


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach the customer; personal data."""

    name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Shipping:
    """The way of delivery that the customer chose, and its price for the whole order."""

    method: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Discount:
    """Money off one line, or off the whole order when `line_id` is None."""

    discount_id: str
    amount_minor: int
    line_id: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was asked for. `line_id` None: the order numbers its lines 1, 2, 3 …."""

    sku: str
    quantity: int
    unit_price_minor: int
    line_id: str | None = None
    name: str = ""
    taxes: tuple[Tax, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line as it was frozen at placement.

    `discount_minor` is its own discounts plus its share of the order's; `tax_minor` is all its
    taxes; `total_minor` = quantity x unit price - discounts + taxes that are not included.
    """

    line_id: str
    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    taxes: tuple[Tax, ...]
    discount_minor: int
    tax_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class LineQuantity:
    """So many pieces of one line."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class RepricedLine:
    """A draft line's new price and its taxes, which replace those before."""

    line_id: str
    unit_price_minor: int
    taxes: tuple[Tax, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """Pieces that came back, in what condition, and whether they can be sold again."""

    line_id: str
    quantity: int
    condition: str
    restock: bool


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """What had become of a line's pieces before the order was imported."""

    line_id: str
    cancelled: int
    delivered: int
    returned: int


@dataclass(frozen=True, slots=True)
class ImportedPayment:
    """What had been authorised, captured and refunded before the order was imported.

    `authorised_minor` is all that was ever set aside, `captured_minor` what was taken of it.
    """

    payment_id: str
    psp_reference: str
    method: str | None
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
