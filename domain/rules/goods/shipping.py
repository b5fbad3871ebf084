"""Parcels: put together, sent, followed, arrived (invariants I4, I12)."""

from domain.commands import (
    CancelShipment,
    CreateShipment,
    DispatchShipment,
    RecordDelivery,
    RecordDeliveryFailure,
    UpdateTracking,
)
from domain.errors import Rejected
from domain.events import (
    OrderEvent,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDeliveryFailed,
    ShipmentDispatched,
    ShipmentTrackingUpdated,
)
from domain.order import Order, Shipment, ShipmentStage, pieces_of
from domain.rules.goods.pieces import require_free
from domain.rules.review import require_open
from domain.statuses import Lifecycle

LEFT = frozenset({ShipmentStage.DISPATCHED, ShipmentStage.FAILED, ShipmentStage.DELIVERED})
"""The stages of parcels that have left the house."""


def create_shipment(state: Order, command: CreateShipment) -> list[OrderEvent]:
    """Put free pieces of an accepted order together. The same shipment again: nothing."""
    shipment = state.shipments.get(command.shipment_id)
    if shipment is not None:
        is_same = (shipment.pieces, shipment.carrier) == (pieces_of(command.lines), command.carrier)
        if is_same:
            return []
        raise Rejected(
            "shipment-id-reused",
            f"Shipment {command.shipment_id} already exists with other pieces or another carrier.",
        )
    require_open(state)
    if state.lifecycle is not Lifecycle.ACCEPTED:
        raise Rejected("order-not-accepted", "Accept the order before you ship from it.")
    require_free(state, command.lines)
    return [ShipmentCreated(command.shipment_id, command.lines, command.carrier)]


def dispatch_shipment(state: Order, command: DispatchShipment) -> list[OrderEvent]:
    """Let a parcel leave. Again with the same tracking number: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.stage in LEFT:
        if shipment.tracking_number == command.tracking_number:
            return []
        raise Rejected(
            "shipment-already-dispatched",
            f"Shipment {command.shipment_id} has already left, with another tracking number.",
        )
    require_open(state)
    _require_not_ended(shipment, command.shipment_id)
    if state.is_held:
        raise Rejected("order-on-hold", "This order is on hold; release every hold first.")
    return [ShipmentDispatched(command.shipment_id, command.tracking_number)]


def update_tracking(state: Order, command: UpdateTracking) -> list[OrderEvent]:
    """Record where a parcel can be followed. The same word again: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.tracking == (command.tracking_number, command.status):
        return []
    require_open(state)
    _require_not_ended(shipment, command.shipment_id)
    return [
        ShipmentTrackingUpdated(command.shipment_id, command.tracking_number, command.status),
    ]


def record_delivery(state: Order, command: RecordDelivery) -> list[OrderEvent]:
    """Tell that a parcel has arrived. Again: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.stage is ShipmentStage.DELIVERED:
        return []
    require_open(state)
    _require_left(shipment, command.shipment_id)
    return [ShipmentDelivered(command.shipment_id)]


def record_delivery_failure(state: Order, command: RecordDeliveryFailure) -> list[OrderEvent]:
    """Tell that a parcel could not be handed over. For the same reason again: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.stage is ShipmentStage.FAILED and shipment.failure == command.reason:
        return []
    require_open(state)
    if shipment.stage is ShipmentStage.DELIVERED:
        raise Rejected(
            "shipment-already-delivered", f"Shipment {command.shipment_id} has already arrived."
        )
    _require_left(shipment, command.shipment_id)
    return [ShipmentDeliveryFailed(command.shipment_id, command.reason)]


def cancel_shipment(state: Order, command: CancelShipment) -> list[OrderEvent]:
    """Take a parcel apart that has not left; its pieces are free again. Again: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.stage is ShipmentStage.ENDED:
        return []
    require_open(state)
    if shipment.stage in LEFT:
        raise Rejected(
            "shipment-already-dispatched",
            f"Shipment {command.shipment_id} has already left; it cannot be taken apart.",
        )
    return [ShipmentCancelled(command.shipment_id)]


def _known(state: Order, shipment_id: str) -> Shipment:
    shipment = state.shipments.get(shipment_id)
    if shipment is None:
        require_open(state)
        raise Rejected("shipment-unknown", f"This order has no shipment {shipment_id}.")
    return shipment


def _require_not_ended(shipment: Shipment, shipment_id: str) -> None:
    if shipment.stage is ShipmentStage.ENDED:
        raise Rejected(
            "shipment-cancelled", f"Shipment {shipment_id} was cancelled; create another one."
        )


def _require_left(shipment: Shipment, shipment_id: str) -> None:
    _require_not_ended(shipment, shipment_id)
    if shipment.stage is ShipmentStage.CREATED:
        raise Rejected(
            "shipment-not-dispatched",
            f"Shipment {shipment_id} has not left yet, so it cannot have arrived.",
        )
