"""The pieces that bodies share, each with the domain's value that it becomes."""

from pydantic import BaseModel, ConfigDict, Field

from command_api.fields import (
    Country,
    Email,
    Id,
    Minor,
    Name,
    OptionalText,
    Quantity,
    Rate,
)
from domain import values
from domain.values import INT64_MAX


class Part(BaseModel):
    """A strict piece of a body: unknown fields and lax types are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Tax(Part):
    """One tax on a whole line."""

    code: Id
    rate: Rate
    amount_minor: Minor
    included: bool = Field(description="true: already part of the unit price")


def taxes(given: tuple[Tax, ...]) -> tuple[values.Tax, ...]:
    """Return the domain's taxes."""
    return tuple(values.Tax(t.code, t.rate, t.amount_minor, t.included) for t in given)


class Line(Part):
    """A line as it is asked for."""

    line_id: Id | None = None
    sku: Id
    name: OptionalText = ""
    quantity: Quantity
    unit_price_minor: Minor
    taxes: tuple[Tax, ...] = Field((), max_length=20)

    def value(self) -> values.Line:
        """Return the domain's line."""
        return values.Line(
            self.sku,
            self.quantity,
            self.unit_price_minor,
            self.line_id,
            self.name,
            taxes(self.taxes),
        )


class LineQuantity(Part):
    """So many pieces of one line."""

    line_id: Id
    quantity: Quantity


def pieces(lines: tuple[LineQuantity, ...]) -> tuple[values.LineQuantity, ...]:
    """Return the domain's pieces of lines."""
    return tuple(values.LineQuantity(line.line_id, line.quantity) for line in lines)


class Address(Part):
    """A postal address."""

    name: Name
    lines: tuple[Name, ...] = Field(min_length=1, max_length=5)
    postal_code: OptionalText = ""
    city: Name
    region: OptionalText = ""
    country: Country

    def value(self) -> values.Address:
        """Return the domain's address."""
        return values.Address(
            self.name, self.lines, self.postal_code, self.city, self.region, self.country
        )


class Contact(Part):
    """How to reach the customer."""

    name: Name
    email: Email | None = None
    phone: OptionalText = ""

    def value(self) -> values.Contact:
        """Return the domain's contact."""
        return values.Contact(self.name, self.email or "", self.phone)


class Shipping(Part):
    """The way of delivery and its price."""

    method: Id
    price_minor: Minor

    def value(self) -> values.Shipping:
        """Return the domain's shipping."""
        return values.Shipping(self.method, self.price_minor)


class Discount(Part):
    """Money off one line, or off the whole order."""

    discount_id: Id
    amount_minor: Minor
    line_id: Id | None = None

    def value(self) -> values.Discount:
        """Return the domain's discount."""
        return values.Discount(self.discount_id, self.amount_minor, self.line_id)


class RepricedLine(Part):
    """A draft line's new price and all of its taxes."""

    line_id: Id
    unit_price_minor: Minor
    taxes: tuple[Tax, ...] = Field((), max_length=20)

    def value(self) -> values.RepricedLine:
        """Return the domain's line."""
        return values.RepricedLine(self.line_id, self.unit_price_minor, taxes(self.taxes))


class NewQuantity(Part):
    """How many pieces of a line there are to be; 0: none."""

    line_id: Id
    quantity: int = Field(ge=0, le=INT64_MAX)

    def value(self) -> values.LineQuantity:
        """Return the domain's pieces."""
        return values.LineQuantity(self.line_id, self.quantity)


class Changes(Part):
    """What an amendment changes of an order."""

    add_lines: tuple[Line, ...] = Field((), max_length=1_000)
    quantities: tuple[NewQuantity, ...] = Field((), max_length=1_000)


class ReceivedLine(Part):
    """Pieces that came back, and in what condition."""

    line_id: Id
    quantity: Quantity
    condition: Id
    restock: bool = Field(description="true: they can be sold again")

    def value(self) -> values.ReceivedLine:
        """Return the domain's pieces."""
        return values.ReceivedLine(self.line_id, self.quantity, self.condition, self.restock)


class ImportedLine(Part):
    """What had become of a line's pieces."""

    line_id: Id
    cancelled: int = Field(0, ge=0, le=INT64_MAX)
    delivered: int = Field(0, ge=0, le=INT64_MAX)
    returned: int = Field(0, ge=0, le=INT64_MAX)

    def value(self) -> values.ImportedLine:
        """Return the domain's pieces."""
        return values.ImportedLine(self.line_id, self.cancelled, self.delivered, self.returned)


class ImportedPayment(Part):
    """What had become of a payment; `authorised_minor` is all that was ever set aside."""

    payment_id: Id
    psp_reference: Id
    method: Id | None = None
    authorised_minor: Minor
    captured_minor: Minor = 0
    refunded_minor: Minor = 0

    def value(self) -> values.ImportedPayment:
        """Return the domain's payment."""
        return values.ImportedPayment(
            self.payment_id,
            self.psp_reference,
            self.method,
            self.authorised_minor,
            self.captured_minor,
            self.refunded_minor,
        )
