"""Stock, parcels that go astray, and pieces that come back (I4)."""

import pytest

from domain.commands import (
    ApproveReturn,
    CancelShipment,
    CloseReturn,
    CreateShipment,
    DispatchShipment,
    PlaceOrder,
    ReceiveReturnItems,
    RecordAllocation,
    RecordBackorder,
    RecordDelivery,
    RecordDeliveryFailure,
    RejectReturn,
    RequestReturn,
    UpdateTracking,
)
from domain.decide import decide
from domain.events import (
    LinesAllocated,
    LinesBackordered,
    LinesCancelled,
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
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
from domain.order import Order
from domain.values import INT64_MAX, Line, LineQuantity, ReceivedLine

[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A-1", 3, 1000), Line("B-1", 1, 500))))
ACCEPTED = OrderAccepted()
CANCELLED = OrderCancelled(None, 3500, "EUR", "c-1")


def pieces(*quantities):
    return tuple(LineQuantity(str(n), count) for n, count in enumerate(quantities, 1) if count)


GONE = LinesCancelled(pieces(1), None, 1000, "EUR", "c-1")
ALLOCATED, BACKORDERED = LinesAllocated(pieces(2)), LinesBackordered(pieces(1))


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED], RecordAllocation(pieces(2)), [ALLOCATED]),
        ([PLACED, ALLOCATED], RecordAllocation(pieces(1)), [LinesAllocated(pieces(1))]),
        ([PLACED, ALLOCATED], RecordAllocation(pieces(2)), "quantity-not-available"),
        ([PLACED], RecordAllocation(()), "lines-missing"),
        ([PLACED], RecordAllocation(pieces(1) * 2), "line-repeated"),
        ([PLACED], RecordAllocation((LineQuantity("9", 1),)), "line-unknown"),
        ([PLACED], RecordAllocation((LineQuantity("1", 0),)), "quantity-not-positive"),
        ([PLACED], RecordAllocation((LineQuantity("1", INT64_MAX + 1),)), "amount-overflow"),
        ([PLACED, CANCELLED], RecordAllocation(pieces(1)), "order-cancelled"),
        ([PLACED, GONE], RecordAllocation(pieces(2)), [ALLOCATED]),
        ([PLACED, GONE], RecordAllocation(pieces(3)), "quantity-not-available"),
        ([PLACED], RecordBackorder(pieces(1)), [BACKORDERED]),
        ([PLACED, ALLOCATED, BACKORDERED], RecordBackorder(pieces(1)), "quantity-not-available"),
        ([PLACED, BACKORDERED], RecordAllocation(pieces(3)), [LinesAllocated(pieces(3))]),
    ],
)
def test_stock(when, history, command, answer):
    assert when(history, command) == answer


def test_pieces_that_are_allocated_are_waited_for_no_longer(fold):
    state = fold([PLACED, LinesBackordered(pieces(3)), ALLOCATED])

    assert (state.lines["1"].allocated, state.lines["1"].backordered) == (2, 1)


CREATED = ShipmentCreated("s-1", pieces(3, 1), "DHL")
HERE = [PLACED, ACCEPTED, CREATED]
SENT = [*HERE, ShipmentDispatched("s-1", "T-1")]
ASTRAY, ENDED = ShipmentDeliveryFailed("s-1", "nobody"), ShipmentCancelled("s-1")
ARRIVED = [*SENT, ShipmentDelivered("s-1")]
TRACKED = ShipmentTrackingUpdated("s-1", "T-2", "in transit")


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        (SENT, UpdateTracking("s-1", "T-2", "in transit"), [TRACKED]),
        ([*SENT, TRACKED], UpdateTracking("s-1", "T-2", "in transit"), []),
        (HERE, UpdateTracking("s-9", "T-2"), "shipment-unknown"),
        ([*HERE, ENDED], UpdateTracking("s-1", "T-2"), "shipment-cancelled"),
        ([*SENT, TRACKED], DispatchShipment("s-1", "T-1"), []),
        (SENT, RecordDeliveryFailure("s-1", "nobody"), [ASTRAY]),
        ([*SENT, ASTRAY], RecordDeliveryFailure("s-1", "nobody"), []),
        (
            [*SENT, ASTRAY],
            RecordDeliveryFailure("s-1", "moved"),
            [ShipmentDeliveryFailed("s-1", "moved")],
        ),
        (HERE, RecordDeliveryFailure("s-1", "nobody"), "shipment-not-dispatched"),
        (ARRIVED, RecordDeliveryFailure("s-1", "nobody"), "shipment-already-delivered"),
        ([*HERE, ENDED], RecordDeliveryFailure("s-1", "nobody"), "shipment-cancelled"),
        ([*SENT, ASTRAY], RecordDelivery("s-1"), [ShipmentDelivered("s-1")]),
        (HERE, CancelShipment("s-1"), [ENDED]),
        ([*HERE, ENDED], CancelShipment("s-1"), []),
        (SENT, CancelShipment("s-1"), "shipment-already-dispatched"),
        ([*SENT, ASTRAY], CancelShipment("s-1"), "shipment-already-dispatched"),
        ([*HERE, ENDED], DispatchShipment("s-1"), "shipment-cancelled"),
        (
            [*HERE, ENDED],
            CreateShipment("s-2", pieces(3, 1)),
            [ShipmentCreated("s-2", pieces(3, 1), None)],
        ),
    ],
)
def test_parcels(when, history, command, answer):
    assert when(history, command) == answer


ASKED = ReturnRequested("e-1", pieces(2), "too small")
APPROVED, REFUSED, CLOSED = (
    ReturnApproved("e-1"),
    ReturnRejected("e-1", "worn"),
    ReturnClosed("e-1"),
)
ONE = (ReceivedLine("1", 1, "as new", restock=True),)
CAME = ReturnItemsReceived("e-1", ONE, 1000, "EUR", "c-1")
ASK = RequestReturn("e-1", pieces(2), "too small")


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        (ARRIVED, ASK, [ASKED]),
        ([*ARRIVED, ASKED], ASK, []),
        ([*ARRIVED, ASKED], RequestReturn("e-1", pieces(1)), "return-id-reused"),
        ([*ARRIVED, ASKED], RequestReturn("e-2", pieces(2)), "quantity-not-returnable"),
        (SENT, ASK, "quantity-not-returnable"),
        ([*ARRIVED, ASKED, REFUSED], RequestReturn("e-2", pieces(3)), None),
        ([*ARRIVED, OrderCompleted()], ASK, "order-completed"),
        ([*ARRIVED, ASKED], ApproveReturn("e-1"), [APPROVED]),
        ([*ARRIVED, ASKED, APPROVED], ApproveReturn("e-1"), []),
        (ARRIVED, ApproveReturn("e-1"), "return-unknown"),
        ([*ARRIVED, ASKED, REFUSED], ApproveReturn("e-1"), "return-rejected"),
        ([*ARRIVED, ASKED, APPROVED, CLOSED], ApproveReturn("e-1"), "return-closed"),
        ([*ARRIVED, ASKED], RejectReturn("e-1", "worn"), [REFUSED]),
        ([*ARRIVED, ASKED, REFUSED], RejectReturn("e-1", "other"), []),
        ([*ARRIVED, ASKED, APPROVED], RejectReturn("e-1", "worn"), "return-already-approved"),
        ([*ARRIVED, ASKED], ReceiveReturnItems("e-1", ONE), "return-not-approved"),
        ([*ARRIVED, ASKED, APPROVED], ReceiveReturnItems("e-1", ONE), [CAME]),
        ([*ARRIVED, ASKED, APPROVED, CAME], ReceiveReturnItems("e-1", ONE), [CAME]),
        (
            [*ARRIVED, ASKED, APPROVED, CAME, CAME],
            ReceiveReturnItems("e-1", ONE),
            "quantity-not-expected",
        ),
        (
            [*ARRIVED, ASKED, APPROVED],
            ReceiveReturnItems("e-1", (ReceivedLine("2", 1, "new", restock=True),)),
            "quantity-not-expected",
        ),
        ([*ARRIVED, ASKED, APPROVED], ReceiveReturnItems("e-1", ()), "lines-missing"),
        ([*ARRIVED, ASKED, APPROVED, CAME], CloseReturn("e-1"), [CLOSED]),
        ([*ARRIVED, ASKED, APPROVED, CLOSED], CloseReturn("e-1"), []),
        ([*ARRIVED, ASKED], CloseReturn("e-1"), "return-not-approved"),
        ([*ARRIVED, ASKED, REFUSED], CloseReturn("e-1"), "return-rejected"),
        ([*ARRIVED, ASKED, APPROVED, CLOSED], RejectReturn("e-1", "worn"), "return-closed"),
    ],
)
def test_returns(when, history, command, answer):
    if answer is None:
        answer = [ReturnRequested(command.return_id, command.lines, command.reason)]
    assert when(history, command) == answer


def test_a_line_that_a_fact_names_twice_counts_twice(fold):
    """No rule lets it through; a fact from elsewhere folds all the same."""
    assert fold([PLACED, ShipmentCreated("s-1", pieces(1) * 2, None)]).in_shipments("1") == 2


def test_each_line_comes_back_by_itself(when):
    """Pieces of line 1 came, then those of line 2: of neither more are expected."""
    asked = ReturnRequested("e-1", pieces(1, 1), None)
    other = (ReceivedLine("2", 1, "new", restock=True),)
    came_too = ReturnItemsReceived("e-1", other, 500, "EUR", "c-1")
    both = [*ARRIVED, asked, APPROVED, CAME, came_too]

    assert when([*ARRIVED, asked, APPROVED, CAME], ReceiveReturnItems("e-1", other)) == [came_too]
    assert when(both, ReceiveReturnItems("e-1", ONE)) == "quantity-not-expected"
    assert when(both, ReceiveReturnItems("e-1", other)) == "quantity-not-expected"


def test_what_came_back_is_owed_no_longer(fold):
    state = fold([*ARRIVED, ASKED, APPROVED, CAME, CAME])

    assert (state.lines["1"].returned, state.returned_minor) == (2, 2000)
    assert state.money.balance_minor == 1500
