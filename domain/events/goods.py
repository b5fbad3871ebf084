"""What happens to the pieces: stock, parcels, returns."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import LineQuantity, ReceivedLine


@dataclass(frozen=True, slots=True)
class LinesAllocated:
    """These pieces are set aside in the stock."""

    lines: tuple[LineQuantity, ...]


@dataclass(frozen=True, slots=True)
class LinesBackordered:
    """These pieces are not in stock; they come later."""

    lines: tuple[LineQuantity, ...]


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
class ShipmentTrackingUpdated:
    """Where the parcel can be followed, and what its carrier says of it."""

    shipment_id: str
    tracking_number: str
    status: str | None


@dataclass(frozen=True, slots=True)
class ShipmentDelivered:
    """The parcel arrived."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class ShipmentDeliveryFailed:
    """The parcel could not be handed over; it may still arrive."""

    shipment_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShipmentCancelled:
    """The parcel will not leave; its pieces are free again."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class ReturnRequested:
    """The customer wants to send these delivered pieces back."""

    return_id: str
    lines: tuple[LineQuantity, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class ReturnApproved:
    """The shop will take the pieces back."""

    return_id: str


@dataclass(frozen=True, slots=True)
class ReturnRejected:
    """The shop will not take the pieces back."""

    return_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReturnItemsReceived:
    """These pieces came back, worth `amount_minor` of the order's total."""

    return_id: str
    lines: tuple[ReceivedLine, ...]
    amount_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class ReturnClosed:
    """Nothing more will come back with this return."""

    return_id: str


GoodsEvent: TypeAlias = (
    LinesAllocated
    | LinesBackordered
    | ShipmentCreated
    | ShipmentDispatched
    | ShipmentTrackingUpdated
    | ShipmentDelivered
    | ShipmentDeliveryFailed
    | ShipmentCancelled
    | ReturnRequested
    | ReturnApproved
    | ReturnRejected
    | ReturnItemsReceived
    | ReturnClosed
)
