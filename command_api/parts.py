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


class Part(BaseModel):
    """A strict piece of a body: unknown fields and lax types are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Tax(Part):
    """One tax on a whole line."""

    code: Id
    rate: Rate
    amount_minor: Minor
    included: bool = Field(description="true: already part of the unit price")


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
            tuple(values.Tax(t.code, t.rate, t.amount_minor, t.included) for t in self.taxes),
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
