"""The facts of an order. Type names and field names are the stored format: they never change."""

from typing import NamedTuple, TypeAlias

from domain.events.amendments import (
    AmendmentApplied,
    AmendmentDeclined,
    AmendmentEvent,
    AmendmentProposed,
    AmendmentWithdrawn,
)
from domain.events.drafts import (
    AddressesSet,
    DiscountApplied,
    DiscountRemoved,
    DraftEvent,
    LineAdded,
    LineQuantityChanged,
    LineRemoved,
    OrderDrafted,
    OrderRepriced,
    ShippingSelected,
)
from domain.events.goods import (
    GoodsEvent,
    LinesAllocated,
    LinesBackordered,
    ReturnApproved,
    ReturnClosed,
    ReturnItemsReceived,
    ReturnRejected,
    ReturnRequested,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDeliveryFailed,
    ShipmentDispatched,
    ShipmentTrackingUpdated,
)
from domain.events.lifecycle import (
    ContactCorrected,
    CustomerDataErased,
    LifecycleEvent,
    LinesCancelled,
    NoteAdded,
    OrderAccepted,
    OrderArchived,
    OrderCancelled,
    OrderCompleted,
    OrderExpired,
    OrderHeld,
    OrderHoldReleased,
    OrderImported,
    OrderPlaced,
    OrderRejected,
)
from domain.events.payments import (
    CaptureFailed,
    CaptureRequested,
    ChargebackRecorded,
    PaymentAuthorisationExpired,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentVoided,
    RefundCompleted,
    RefundFailed,
    RefundRequested,
)
from domain.values import Actor

OrderEvent: TypeAlias = DraftEvent | LifecycleEvent | AmendmentEvent | PaymentEvent | GoodsEvent


class Recorded(NamedTuple):
    """One fact with its provenance and its place in the log.

    A named tuple, because one is made for every event that is ever read.

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
    reason: str
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


__all__ = [
    "AddressesSet",
    "AmendmentApplied",
    "AmendmentDeclined",
    "AmendmentEvent",
    "AmendmentProposed",
    "AmendmentWithdrawn",
    "CaptureFailed",
    "CaptureRequested",
    "ChargebackRecorded",
    "ContactCorrected",
    "CustomerDataErased",
    "DiscountApplied",
    "DiscountRemoved",
    "DraftEvent",
    "GoodsEvent",
    "LifecycleEvent",
    "LineAdded",
    "LineQuantityChanged",
    "LineRemoved",
    "LinesAllocated",
    "LinesBackordered",
    "LinesCancelled",
    "NoteAdded",
    "OrderAccepted",
    "OrderArchived",
    "OrderCancelled",
    "OrderCompleted",
    "OrderDrafted",
    "OrderEvent",
    "OrderExpired",
    "OrderHeld",
    "OrderHoldReleased",
    "OrderImported",
    "OrderPlaced",
    "OrderRejected",
    "OrderRepriced",
    "PaymentAuthorisationExpired",
    "PaymentAuthorisationFailed",
    "PaymentAuthorisationRequested",
    "PaymentAuthorised",
    "PaymentCaptured",
    "PaymentEvent",
    "PaymentVoided",
    "Recorded",
    "RefundCompleted",
    "RefundFailed",
    "RefundRequested",
    "ReturnApproved",
    "ReturnClosed",
    "ReturnItemsReceived",
    "ReturnRejected",
    "ReturnRequested",
    "ShipmentCancelled",
    "ShipmentCreated",
    "ShipmentDelivered",
    "ShipmentDeliveryFailed",
    "ShipmentDispatched",
    "ShipmentTrackingUpdated",
    "ShippingSelected",
]
