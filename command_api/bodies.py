"""What a client may send: one strict model per command, and the domain's command it becomes.

`COMMANDS` is the list of all; a new command is one class here and nothing else in this package.
"""

import re
from abc import abstractmethod
from typing import ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from command_api.fields import (
    Currency,
    CustomerId,
    Id,
    Minor,
    Moment,
    Note,
    OrderId,
    Positive,
    Reason,
    microseconds,
)
from command_api.parts import (
    Address,
    Contact,
    Discount,
    Line,
    LineQuantity,
    Part,
    Shipping,
    pieces,
)
from domain import commands


class Body(Part):
    """The data of one command."""

    name: ClassVar[str]
    """The command's name in a path, for example `record-capture`."""
    creates: ClassVar[bool] = False
    """True: the command begins an order."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        cls.name = kebab(cls.__name__)

    @abstractmethod
    def command(self) -> commands.OrderCommand:
        """Return the domain's command."""

    @property
    def occurred_at_us(self) -> int | None:
        """When it happened, where the body says so; None: now."""
        return None


def kebab(name: str) -> str:
    """Return `record-capture` for `RecordCapture`, and kebab-case as it is."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class PlaceOrder(Body):
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
    creates = True

    order_id: OrderId | None = None
    customer_id: CustomerId
    currency: Currency
    placed_at: Moment | None = None
    contact: Contact | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None
    lines: tuple[Line, ...] = Field(min_length=1, max_length=1_000)
    shipping: Shipping | None = None
    discounts: tuple[Discount, ...] = Field((), max_length=200)

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


class RequestAuthorisation(Body):
    """Ask the payment provider (PSP) to set money aside."""

    payment_id: Id
    amount_minor: Positive
    method: Id | None = None

    def command(self) -> commands.RequestAuthorisation:
        """Return the domain's command."""
        return commands.RequestAuthorisation(self.payment_id, self.amount_minor, self.method)


class RecordAuthorisation(Body):
    """Tell that the PSP set money aside."""

    payment_id: Id
    psp_reference: Id
    amount_minor: Minor
    expires_at: Moment | None = None

    def command(self) -> commands.RecordAuthorisation:
        """Return the domain's command."""
        expires_at_us = None if self.expires_at is None else microseconds(self.expires_at)
        return commands.RecordAuthorisation(
            self.payment_id, self.psp_reference, self.amount_minor, expires_at_us
        )


class RecordAuthorisationFailure(Body):
    """Tell that the PSP said no."""

    payment_id: Id
    psp_reference: Id
    reason: Reason

    def command(self) -> commands.RecordAuthorisationFailure:
        """Return the domain's command."""
        return commands.RecordAuthorisationFailure(self.payment_id, self.psp_reference, self.reason)


class RequestCapture(Body):
    """Ask the PSP to take authorised money; `capture_id` is the PSP's idempotency key."""

    payment_id: Id
    capture_id: Id
    amount_minor: Positive

    def command(self) -> commands.RequestCapture:
        """Return the domain's command."""
        return commands.RequestCapture(self.payment_id, self.capture_id, self.amount_minor)


class RecordCapture(Body):
    """Tell that the PSP took money."""

    payment_id: Id
    capture_id: Id
    psp_reference: Id
    amount_minor: Minor

    def command(self) -> commands.RecordCapture:
        """Return the domain's command."""
        return commands.RecordCapture(
            self.payment_id, self.capture_id, self.psp_reference, self.amount_minor
        )


class CreateShipment(Body):
    """Put pieces together for one parcel."""

    shipment_id: Id
    lines: tuple[LineQuantity, ...] = Field(min_length=1, max_length=1_000)
    carrier: Id | None = None

    def command(self) -> commands.CreateShipment:
        """Return the domain's command."""
        return commands.CreateShipment(self.shipment_id, pieces(self.lines), self.carrier)


class DispatchShipment(Body):
    """Let the parcel leave."""

    shipment_id: Id
    tracking_number: Id | None = None

    def command(self) -> commands.DispatchShipment:
        """Return the domain's command."""
        return commands.DispatchShipment(self.shipment_id, self.tracking_number)


class RecordDelivery(Body):
    """Tell that the parcel arrived."""

    shipment_id: Id
    delivered_at: Moment | None = None

    def command(self) -> commands.RecordDelivery:
        """Return the domain's command."""
        return commands.RecordDelivery(self.shipment_id)

    @property
    def occurred_at_us(self) -> int | None:
        """When it arrived, where the body says so."""
        return None if self.delivered_at is None else microseconds(self.delivered_at)


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


class AddNote(Body):
    """Remember something."""

    note_id: Id
    text: Note

    def command(self) -> commands.AddNote:
        """Return the domain's command."""
        return commands.AddNote(self.note_id, self.text)


COMMANDS: dict[str, type[Body]] = {
    body.name: body
    for body in (
        PlaceOrder,
        Accept,
        Reject,
        RequestAuthorisation,
        RecordAuthorisation,
        RecordAuthorisationFailure,
        RequestCapture,
        RecordCapture,
        CreateShipment,
        DispatchShipment,
        RecordDelivery,
        CancelLines,
        Cancel,
        AddNote,
    )
}


class BatchItem(Part):
    """One command of a batch; `data` is validated as the command's own body."""

    command: str = Field(max_length=100)
    order_id: OrderId | None = None
    idempotency_key: str | None = Field(None, min_length=1, max_length=255, pattern=r"^[!-~]+$")
    expected_version: int | None = Field(None, ge=0, le=2**31)
    data: dict[str, object] = Field(default_factory=dict)


BATCH_ITEM: TypeAdapter[BatchItem] = TypeAdapter(BatchItem)
