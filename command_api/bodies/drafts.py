"""Bodies of the commands that put an order together."""

from pydantic import Field

from command_api.bodies.body import Beginning, Body
from command_api.fields import (
    Currency,
    CustomerId,
    Id,
    Minor,
    OptionalText,
    Quantity,
)
from command_api.parts import Address, Contact, RepricedLine, Tax, taxes
from domain import commands


class CreateDraft(Beginning):
    """Begin an order."""

    route = "/v1/drafts"

    customer_id: CustomerId
    currency: Currency

    def command(self) -> commands.CreateDraft:
        """Return the domain's command."""
        return commands.CreateDraft(self.customer_id, self.currency)


class AddLine(Body):
    """Put one more line into the draft."""

    line_id: Id | None = None
    sku: Id
    name: OptionalText = ""
    quantity: Quantity
    unit_price_minor: Minor
    taxes: tuple[Tax, ...] = Field((), max_length=20)

    def command(self) -> commands.AddLine:
        """Return the domain's command."""
        return commands.AddLine(
            self.sku,
            self.quantity,
            self.unit_price_minor,
            self.line_id,
            self.name,
            taxes(self.taxes),
        )


class ChangeLineQuantity(Body):
    """Make the line of so many pieces."""

    line_id: Id
    quantity: Quantity

    def command(self) -> commands.ChangeLineQuantity:
        """Return the domain's command."""
        return commands.ChangeLineQuantity(self.line_id, self.quantity)


class RemoveLine(Body):
    """Take the line out of the draft."""

    line_id: Id

    def command(self) -> commands.RemoveLine:
        """Return the domain's command."""
        return commands.RemoveLine(self.line_id)


class SetAddresses(Body):
    """Say where the order goes to and who it is for; what is left out stays as it is."""

    ship_to: Address | None = None
    bill_to: Address | None = None
    contact: Contact | None = None

    def command(self) -> commands.SetAddresses:
        """Return the domain's command."""
        return commands.SetAddresses(
            None if self.ship_to is None else self.ship_to.value(),
            None if self.bill_to is None else self.bill_to.value(),
            None if self.contact is None else self.contact.value(),
        )


class SelectShipping(Body):
    """Choose the way of delivery."""

    method: Id
    price_minor: Minor

    def command(self) -> commands.SelectShipping:
        """Return the domain's command."""
        return commands.SelectShipping(self.method, self.price_minor)


class ApplyDiscount(Body):
    """Take money off one line, or off the whole draft."""

    discount_id: Id
    amount_minor: Minor
    line_id: Id | None = None

    def command(self) -> commands.ApplyDiscount:
        """Return the domain's command."""
        return commands.ApplyDiscount(self.discount_id, self.amount_minor, self.line_id)


class RemoveDiscount(Body):
    """Take the discount back."""

    discount_id: Id

    def command(self) -> commands.RemoveDiscount:
        """Return the domain's command."""
        return commands.RemoveDiscount(self.discount_id)


class Reprice(Body):
    """Give lines other prices and taxes."""

    lines: tuple[RepricedLine, ...] = Field(min_length=1, max_length=1_000)

    def command(self) -> commands.Reprice:
        """Return the domain's command."""
        return commands.Reprice(tuple(line.value() for line in self.lines))


class Place(Body):
    """Commit to the draft as it is."""

    def command(self) -> commands.Place:
        """Return the domain's command."""
        return commands.Place()
