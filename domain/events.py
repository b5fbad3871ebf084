"""The facts of an order. Type names and field names are the stored format: they never change."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import (
    Actor,
    Address,
    Contact,
    Discount,
    LineQuantity,
    PlacedLine,
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
    contact: Contact | None
    ship_to: Address | None
    bill_to: Address | None
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    shipping_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """The shop took the order on."""


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """The shop declined the order; an end."""

    reason: str


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
class NoteAdded:
    """Something a person wants remembered."""

    note_id: str
    text: str


@dataclass(frozen=True, slots=True)
class PaymentAuthorisationRequested:
    """The payment provider (PSP) is to be asked to set `amount_minor` aside."""

    payment_id: str
    amount_minor: int
    method: str | None


@dataclass(frozen=True, slots=True)
class PaymentAuthorised:
    """The PSP set `amount_minor` aside."""

    payment_id: str
    psp_reference: str
    amount_minor: int
    expires_at_us: int | None


@dataclass(frozen=True, slots=True)
class PaymentAuthorisationFailed:
    """The PSP said no."""

    payment_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class CaptureRequested:
    """The PSP is to be asked to take `amount_minor`; `capture_id` is its idempotency key."""

    payment_id: str
    capture_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class PaymentCaptured:
    """The PSP took `amount_minor`."""

    payment_id: str
    capture_id: str
    psp_reference: str
    amount_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class ShipmentCreated:
    """These pieces will travel together."""

    shipment_id: str
    lines: tuple[LineQuantity, ...]
    carrier: str | None


@dataclass(frozen=True, slots=True)
class ShipmentDispatched:
    """The parcel left the house."""

    shipment_id: str
    tracking_number: str | None


@dataclass(frozen=True, slots=True)
class ShipmentDelivered:
    """The parcel arrived."""

    shipment_id: str


OrderEvent: TypeAlias = (
    OrderPlaced
    | OrderAccepted
    | OrderRejected
    | OrderCancelled
    | LinesCancelled
    | NoteAdded
    | PaymentAuthorisationRequested
    | PaymentAuthorised
    | PaymentAuthorisationFailed
    | CaptureRequested
    | PaymentCaptured
    | ShipmentCreated
    | ShipmentDispatched
    | ShipmentDelivered
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One fact with its provenance and its place in the log.

    Times are microseconds UTC. `offset` is Kafka's place in `partition`; `version` is the place in
    the order. `value` is the stored bytes, which the hash chain and the audit export are made of.
    """

    partition: int
    offset: int
    event_id: str
    tenant_id: str
    order_id: str
    version: int
    occurred_at_us: int
    recorded_at_us: int
    command_id: str
    fingerprint: bytes
    correlation_id: str
    causation_id: str
    actor: Actor
    prev_hash: bytes
    command_index: int
    command_size: int
    event: OrderEvent
    value: bytes

    @property
    def type(self) -> str:
        """The event's name in the stored format, for example `OrderPlaced`."""
        return type(self.event).__name__
