"""Bodies of the commands that begin, go on with, and end an order."""

from typing import Literal

from pydantic import ConfigDict, Field

from command_api.bodies.body import Beginning, Body
from command_api.fields import (
    Currency,
    CustomerId,
    Id,
    Moment,
    Name,
    Note,
    OrderId,
    Reason,
    microseconds,
)
from command_api.parts import (
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    Line,
    LineQuantity,
    Shipping,
    pieces,
)
from domain import commands


class PlaceOrder(Beginning):
    """Commit to a whole order in one call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "c-1",
                    "currency": "EUR",
                    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
                }
            ]
        }
    )
    route = "/v1/orders"

    customer_id: CustomerId
    currency: Currency
    placed_at: Moment | None = None
    contact: Contact | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None
    lines: tuple[Line, ...] = Field(min_length=1, max_length=1_000)
    shipping: Shipping | None = None
    discounts: tuple[Discount, ...] = Field((), max_length=200)
    replaces_order_id: OrderId | None = Field(
        None, description="the order that this one is the exchange for"
    )

    def command(self) -> commands.PlaceOrder:
        """Return the domain's command."""
        return commands.PlaceOrder(
            customer_id=self.customer_id,
            currency=self.currency,
            lines=tuple(line.value() for line in self.lines),
            discounts=tuple(discount.value() for discount in self.discounts),
            shipping=None if self.shipping is None else self.shipping.value(),
            contact=None if self.contact is None else self.contact.value(),
            ship_to=None if self.ship_to is None else self.ship_to.value(),
            bill_to=None if self.bill_to is None else self.bill_to.value(),
            replaces_order_id=self.replaces_order_id,
        )

    @property
    def occurred_at_us(self) -> int | None:
        """When the customer ordered, where the body says so."""
        return None if self.placed_at is None else microseconds(self.placed_at)


class ImportOrder(Beginning):
    """Take an order over that has a past elsewhere."""

    route = "/v1/imports"

    source: Name = Field(description="where the order comes from")
    lifecycle: Literal["PLACED", "ACCEPTED", "COMPLETED", "CANCELLED"]
    customer_id: CustomerId
    currency: Currency
    placed_at: Moment | None = None
    contact: Contact | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None
    lines: tuple[Line, ...] = Field(min_length=1, max_length=1_000)
    past: tuple[ImportedLine, ...] = Field((), max_length=1_000)
    payments: tuple[ImportedPayment, ...] = Field((), max_length=100)
    shipping: Shipping | None = None
    discounts: tuple[Discount, ...] = Field((), max_length=200)

    def command(self) -> commands.ImportOrder:
        """Return the domain's command."""
        return commands.ImportOrder(
            source=self.source,
            lifecycle=self.lifecycle,
            customer_id=self.customer_id,
            currency=self.currency,
            lines=tuple(line.value() for line in self.lines),
            past=tuple(line.value() for line in self.past),
            payments=tuple(payment.value() for payment in self.payments),
            discounts=tuple(discount.value() for discount in self.discounts),
            shipping=None if self.shipping is None else self.shipping.value(),
            contact=None if self.contact is None else self.contact.value(),
            ship_to=None if self.ship_to is None else self.ship_to.value(),
            bill_to=None if self.bill_to is None else self.bill_to.value(),
        )

    @property
    def occurred_at_us(self) -> int | None:
        """When the customer ordered, where the body says so."""
        return None if self.placed_at is None else microseconds(self.placed_at)


class Accept(Body):
    """Take the order on."""

    def command(self) -> commands.Accept:
        """Return the domain's command."""
        return commands.Accept()


class Reject(Body):
    """Decline the order."""

    reason: Reason

    def command(self) -> commands.Reject:
        """Return the domain's command."""
        return commands.Reject(self.reason)


class Expire(Body):
    """Give up on an order that nobody went on with."""

    def command(self) -> commands.Expire:
        """Return the domain's command."""
        return commands.Expire()


class Hold(Body):
    """Let nothing leave until the hold is released."""

    hold_id: Id
    kind: Id
    reason: Reason | None = None

    def command(self) -> commands.Hold:
        """Return the domain's command."""
        return commands.Hold(self.hold_id, self.kind, self.reason)


class ReleaseHold(Body):
    """Take the hold away."""

    hold_id: Id

    def command(self) -> commands.ReleaseHold:
        """Return the domain's command."""
        return commands.ReleaseHold(self.hold_id)


class CancelLines(Body):
    """Take pieces out of the order that are in no shipment."""

    lines: tuple[LineQuantity, ...] = Field(min_length=1, max_length=1_000)
    reason: Reason | None = None

    def command(self) -> commands.CancelLines:
        """Return the domain's command."""
        return commands.CancelLines(pieces(self.lines), self.reason)


class Cancel(Body):
    """End the order while nothing has left."""

    reason: Reason | None = None

    def command(self) -> commands.Cancel:
        """Return the domain's command."""
        return commands.Cancel(self.reason)


class Complete(Body):
    """End an order on which nothing is open."""

    def command(self) -> commands.Complete:
        """Return the domain's command."""
        return commands.Complete()


class Archive(Body):
    """Put an ended order away."""

    def command(self) -> commands.Archive:
        """Return the domain's command."""
        return commands.Archive()


class AddNote(Body):
    """Remember something."""

    note_id: Id
    text: Note

    def command(self) -> commands.AddNote:
        """Return the domain's command."""
        return commands.AddNote(self.note_id, self.text)


class CorrectContact(Body):
    """Say how the customer is really reached."""

    contact: Contact

    def command(self) -> commands.CorrectContact:
        """Return the domain's command."""
        return commands.CorrectContact(self.contact.value())


class EraseCustomerData(Body):
    """Let the customer's personal data be shown nowhere any more."""

    def command(self) -> commands.EraseCustomerData:
        """Return the domain's command."""
        return commands.EraseCustomerData()
