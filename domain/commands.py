"""What a client may ask of an order. Times and ids come in with the command, never from here."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import Address, Contact, Discount, Line, LineQuantity, Shipping


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Commit to the whole order in one call."""

    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...] = ()
    shipping: Shipping | None = None
    contact: Contact | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the order on."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Decline the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class RequestAuthorisation:
    """Ask the PSP to set money aside."""

    payment_id: str
    amount_minor: int
    method: str | None = None


@dataclass(frozen=True, slots=True)
class RecordAuthorisation:
    """Tell that the PSP set money aside."""

    payment_id: str
    psp_reference: str
    amount_minor: int
    expires_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class RecordAuthorisationFailure:
    """Tell that the PSP said no."""

    payment_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestCapture:
    """Ask the PSP to take authorised money."""

    payment_id: str
    capture_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RecordCapture:
    """Tell that the PSP took money."""

    payment_id: str
    capture_id: str
    psp_reference: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CreateShipment:
    """Put pieces together for one parcel."""

    shipment_id: str
    lines: tuple[LineQuantity, ...]
    carrier: str | None = None


@dataclass(frozen=True, slots=True)
class DispatchShipment:
    """Let the parcel leave."""

    shipment_id: str
    tracking_number: str | None = None


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """Tell that the parcel arrived."""

    shipment_id: str


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
class AddNote:
    """Remember something."""

    note_id: str
    text: str


OrderCommand: TypeAlias = (
    PlaceOrder
    | Accept
    | Reject
    | RequestAuthorisation
    | RecordAuthorisation
    | RecordAuthorisationFailure
    | RequestCapture
    | RecordCapture
    | CreateShipment
    | DispatchShipment
    | RecordDelivery
    | CancelLines
    | Cancel
    | AddNote
)
