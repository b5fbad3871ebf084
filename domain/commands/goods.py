"""Stock, parcels and returns."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import LineQuantity, ReceivedLine


@dataclass(frozen=True, slots=True)
class RecordAllocation:
    """Tell that pieces are set aside in the stock."""

    lines: tuple[LineQuantity, ...]


@dataclass(frozen=True, slots=True)
class RecordBackorder:
    """Tell that pieces are not in stock and come later."""

    lines: tuple[LineQuantity, ...]


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
class UpdateTracking:
    """Tell where the parcel can be followed and what its carrier says of it."""

    shipment_id: str
    tracking_number: str
    status: str | None = None


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """Tell that the parcel arrived."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class RecordDeliveryFailure:
    """Tell that the parcel could not be handed over."""

    shipment_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CancelShipment:
    """Take apart a parcel that has not left."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class RequestReturn:
    """Ask to send delivered pieces back."""

    return_id: str
    lines: tuple[LineQuantity, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ApproveReturn:
    """Agree to take the pieces back."""

    return_id: str


@dataclass(frozen=True, slots=True)
class RejectReturn:
    """Refuse to take the pieces back."""

    return_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReceiveReturnItems:
    """Tell that pieces came back."""

    return_id: str
    lines: tuple[ReceivedLine, ...]


@dataclass(frozen=True, slots=True)
class CloseReturn:
    """Expect nothing more of this return."""

    return_id: str


GoodsCommand: TypeAlias = (
    RecordAllocation
    | RecordBackorder
    | CreateShipment
    | DispatchShipment
    | UpdateTracking
    | RecordDelivery
    | RecordDeliveryFailure
    | CancelShipment
    | RequestReturn
    | ApproveReturn
    | RejectReturn
    | ReceiveReturnItems
    | CloseReturn
)
