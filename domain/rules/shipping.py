"""Parcels: put together, sent, arrived; and which pieces are free (invariants I4, I12)."""

from collections.abc import Iterable, Mapping

from domain.commands import (
    CancelShipment,
    CreateShipment,
    DispatchShipment,
    RecordDelivery,
    RecordDeliveryFailure,
    UpdateTracking,
)
from domain.errors import Rejected
from domain.events import OrderEvent, ShipmentCreated, ShipmentDelivered, ShipmentDispatched
from domain.order import Order, Shipment, ShipmentStage, pieces_of
from domain.rules.review import require_open
from domain.statuses import Lifecycle
from domain.values import LineQuantity


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
    require_pieces(state, command.lines)
    return [ShipmentCreated(command.shipment_id, command.lines, command.carrier)]


def dispatch_shipment(state: Order, command: DispatchShipment) -> list[OrderEvent]:
    """Let a parcel leave. Again with the same tracking number: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.stage in {ShipmentStage.DISPATCHED, ShipmentStage.DELIVERED}:
        if shipment.tracking_number == command.tracking_number:
            return []
        raise Rejected(
            "shipment-already-dispatched",
            f"Shipment {command.shipment_id} has already left, with another tracking number.",
        )
    require_open(state)
    return [ShipmentDispatched(command.shipment_id, command.tracking_number)]


def record_delivery(state: Order, command: RecordDelivery) -> list[OrderEvent]:
    """Tell that a parcel has arrived. Again: nothing."""
    shipment = _known(state, command.shipment_id)
    if shipment.stage is ShipmentStage.DELIVERED:
        return []
    require_open(state)
    if shipment.stage is not ShipmentStage.DISPATCHED:
        raise Rejected(
            "shipment-not-dispatched",
            f"Shipment {command.shipment_id} has not left yet, so it cannot have arrived.",
        )
    return [ShipmentDelivered(command.shipment_id)]


def require_pieces(state: Order, lines: Iterable[LineQuantity]) -> Mapping[str, int]:
    """Return the pieces by line id, all of them free: neither cancelled nor in a shipment (I4)."""
    asked = tuple(lines)
    pieces = pieces_of(asked)
    if not asked:
        raise Rejected("lines-missing", "Name at least one line and how many pieces of it.")
    if any(line.quantity <= 0 for line in asked):
        raise Rejected("quantity-not-positive", "Every quantity must be at least 1.")
    if len(pieces) < len(asked):
        raise Rejected("line-repeated", "A line is named twice; name each line once.")
    for line_id, quantity in pieces.items():
        if line_id not in state.lines:
            raise Rejected("line-unknown", f"This order has no line {line_id}.")
        if quantity > (free := state.free(line_id)):
            raise Rejected(
                "quantity-not-available",
                f"{quantity} pieces of line {line_id} were asked for, but only {free} are neither "
                "cancelled nor in a shipment.",
            )
    return pieces


def _known(state: Order, shipment_id: str) -> Shipment:
    shipment = state.shipments.get(shipment_id)
    if shipment is None:
        require_open(state)
        raise Rejected("shipment-unknown", f"This order has no shipment {shipment_id}.")
    return shipment


def update_tracking(state: Order, command: UpdateTracking) -> list[OrderEvent]:
    raise NotImplementedError


def record_delivery_failure(state: Order, command: RecordDeliveryFailure) -> list[OrderEvent]:
    raise NotImplementedError


def cancel_shipment(state: Order, command: CancelShipment) -> list[OrderEvent]:
    raise NotImplementedError
