"""Which rule answers which command. The rules themselves are one module per topic."""

from domain.cancellation import cancel, cancel_lines
from domain.commands import (
    Accept,
    AddNote,
    Cancel,
    CancelLines,
    CreateShipment,
    DispatchShipment,
    OrderCommand,
    PlaceOrder,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordCapture,
    RecordDelivery,
    Reject,
    RequestAuthorisation,
    RequestCapture,
)
from domain.decider import Decider
from domain.errors import NoSuchOrder
from domain.events import OrderEvent
from domain.order import Order, evolve
from domain.payments import (
    record_authorisation,
    record_authorisation_failure,
    record_capture,
    request_authorisation,
    request_capture,
)
from domain.placement import place
from domain.review import accept, add_note, reject
from domain.shipping import create_shipment, dispatch_shipment, record_delivery


def decide(state: Order, command: OrderCommand) -> list[OrderEvent]:  # noqa: C901, PLR0912
    """Return the new facts that a command makes; `[]`: it is already so.

    Raises:
        OrderExists: the id is taken; a new order needs another one.
        NoSuchOrder: the order was never placed; check the id.
        Rejected: a rule says no; show its sentence to the person who asked.

    """
    if isinstance(command, PlaceOrder):
        return place(state, command)
    if state.lifecycle is None:
        raise NoSuchOrder("There is no order with this id.")
    match command:
        case Accept():
            return accept(state, command)
        case Reject():
            return reject(state, command)
        case RequestAuthorisation():
            return request_authorisation(state, command)
        case RecordAuthorisation():
            return record_authorisation(state, command)
        case RecordAuthorisationFailure():
            return record_authorisation_failure(state, command)
        case RequestCapture():
            return request_capture(state, command)
        case RecordCapture():
            return record_capture(state, command)
        case CreateShipment():
            return create_shipment(state, command)
        case DispatchShipment():
            return dispatch_shipment(state, command)
        case RecordDelivery():
            return record_delivery(state, command)
        case CancelLines():
            return cancel_lines(state, command)
        case Cancel():
            return cancel(state, command)
        case AddNote():
            return add_note(state, command)


DECIDER: Decider[Order, OrderCommand, OrderEvent] = Decider(Order(), decide, evolve)
