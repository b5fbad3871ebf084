"""How facts about pieces - stock, parcels, returns - change an order."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from domain.events import (
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
from domain.order.lifecycle import worth_of
from domain.order.state import (
    Order,
    Return,
    ReturnStage,
    Shipment,
    ShipmentStage,
    pieces_of,
)
from domain.values import LineQuantity


def evolve(state: Order, event: GoodsEvent) -> Order:
    """Apply one fact about pieces."""
    match event:
        case LinesAllocated(lines=lines):
            return _allocated(state, lines)
        case LinesBackordered(lines=lines):
            return _backordered(state, lines)
        case ShipmentCreated(shipment_id=shipment_id, lines=lines, carrier=carrier):
            return _with_shipment(state, shipment_id, Shipment(pieces_of(lines), carrier))
        case ReturnRequested(return_id=return_id, lines=lines, reason=reason):
            return _with_return(state, return_id, Return(pieces_of(lines), reason))
        case ReturnApproved(return_id=return_id):
            return _return_moved(state, return_id, ReturnStage.APPROVED)
        case ReturnRejected(return_id=return_id):
            return _return_moved(state, return_id, ReturnStage.REJECTED)
        case ReturnClosed(return_id=return_id):
            return _return_moved(state, return_id, ReturnStage.CLOSED)
        case ReturnItemsReceived():
            return _received(state, event)
        case _:
            shipment = state.shipments.get(event.shipment_id)
            if shipment is None:
                return state
            return _with_shipment(state, event.shipment_id, _moved(shipment, event))


def _moved(
    shipment: Shipment,
    event: ShipmentDispatched
    | ShipmentTrackingUpdated
    | ShipmentDelivered
    | ShipmentDeliveryFailed
    | ShipmentCancelled,
) -> Shipment:
    match event:
        case ShipmentDispatched(tracking_number=number):
            return replace(shipment, stage=ShipmentStage.DISPATCHED, tracking_number=number)
        case ShipmentTrackingUpdated(tracking_number=number, status=status):
            return replace(shipment, tracking=(number, status))
        case ShipmentDelivered():
            return replace(shipment, stage=ShipmentStage.DELIVERED)
        case ShipmentDeliveryFailed(reason=reason):
            return replace(shipment, stage=ShipmentStage.FAILED, failure=reason)
        case ShipmentCancelled():
            return replace(shipment, stage=ShipmentStage.ENDED)


def _with_shipment(state: Order, shipment_id: str, shipment: Shipment) -> Order:
    return replace(state, shipments={**state.shipments, shipment_id: shipment})


def _allocated(state: Order, lines: Iterable[LineQuantity]) -> Order:
    """Set pieces aside; those that were waited for are waited for no longer."""
    changed = {
        line_id: replace(
            line,
            allocated=line.allocated + quantity,
            backordered=max(0, line.backordered - quantity),
        )
        for line_id, quantity in pieces_of(lines).items()
        if (line := state.lines.get(line_id)) is not None
    }
    return replace(state, lines={**state.lines, **changed})


def _backordered(state: Order, lines: Iterable[LineQuantity]) -> Order:
    changed = {
        line_id: replace(line, backordered=line.backordered + quantity)
        for line_id, quantity in pieces_of(lines).items()
        if (line := state.lines.get(line_id)) is not None
    }
    return replace(state, lines={**state.lines, **changed})


def _with_return(state: Order, return_id: str, returned: Return) -> Order:
    return replace(state, returns={**state.returns, return_id: returned})


def _return_moved(state: Order, return_id: str, stage: ReturnStage) -> Order:
    returned = state.returns.get(return_id)
    if returned is None:
        return state
    return _with_return(state, return_id, replace(returned, stage=stage))


def _received(state: Order, event: ReturnItemsReceived) -> Order:
    pieces = pieces_of(LineQuantity(line.line_id, line.quantity) for line in event.lines)
    changed = {
        line_id: replace(
            line,
            returned=line.returned + quantity,
            returned_minor=line.returned_minor + worth_of(line, quantity),
        )
        for line_id, quantity in pieces.items()
        if (line := state.lines.get(line_id)) is not None
    }
    came_back = replace(
        state,
        lines={**state.lines, **changed},
        returned_minor=state.returned_minor + event.amount_minor,
    )
    returned = state.returns.get(event.return_id)
    if returned is None:
        return came_back
    received = Counter(returned.received) + Counter(pieces)
    return _with_return(came_back, event.return_id, replace(returned, received=received))
