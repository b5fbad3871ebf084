import pytest

from domain.commands import CreateShipment, DispatchShipment, PlaceOrder, RecordDelivery
from domain.decide import decide
from domain.events import (
    LinesCancelled,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from domain.order import Order
from domain.values import Line, LineQuantity

[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A", 3, 100), Line("B", 1, 100))))
ACCEPTED = OrderAccepted()
REJECTED = OrderRejected("no stock")
CANCELLED = OrderCancelled(None, 400, "EUR", "c-1")


def pieces(**quantities):
    return tuple(LineQuantity(key.removeprefix("line"), n) for key, n in quantities.items())


ONE_CANCELLED = LinesCancelled(pieces(line1=1), None, 100, "EUR", "c-1")
CREATED = ShipmentCreated("s-1", pieces(line1=2, line2=1), "DHL")
DISPATCHED = ShipmentDispatched("s-1", "T-1")
DELIVERED = ShipmentDelivered("s-1")
READY = [PLACED, ACCEPTED]


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        (READY, CreateShipment("s-1", pieces(line1=2, line2=1), "DHL"), [CREATED]),
        ([*READY, CREATED], CreateShipment("s-1", pieces(line1=2, line2=1), "DHL"), []),
        ([*READY, CREATED], CreateShipment("s-1", pieces(line2=1, line1=2), "DHL"), []),
        ([*READY, CREATED, CANCELLED], CreateShipment("s-1", CREATED.lines, "DHL"), []),
        ([*READY, CREATED, DISPATCHED], CreateShipment("s-1", CREATED.lines, "DHL"), []),
        ([*READY, CREATED], CreateShipment("s-1", CREATED.lines), "shipment-id-reused"),
        ([*READY, CREATED], CreateShipment("s-1", pieces(line1=1), "DHL"), "shipment-id-reused"),
        (
            [*READY, CREATED],
            CreateShipment("s-2", pieces(line1=1)),
            [ShipmentCreated("s-2", pieces(line1=1), None)],
        ),
        ([*READY, CREATED], CreateShipment("s-2", pieces(line1=2)), "quantity-not-available"),
        ([*READY, CREATED], CreateShipment("s-2", pieces(line2=1)), "quantity-not-available"),
        (
            [*READY, CREATED, DISPATCHED, DELIVERED],
            CreateShipment("s-2", pieces(line1=2)),
            "quantity-not-available",
        ),
        (
            [*READY, ONE_CANCELLED],
            CreateShipment("s-1", pieces(line1=3)),
            "quantity-not-available",
        ),
        (READY, CreateShipment("s-1", pieces(line1=4)), "quantity-not-available"),
        (READY, CreateShipment("s-1", pieces(line3=1)), "line-unknown"),
        (READY, CreateShipment("s-1", ()), "lines-missing"),
        (READY, CreateShipment("s-1", pieces(line1=0)), "quantity-not-positive"),
        (READY, CreateShipment("s-1", pieces(line1=1) * 2), "line-repeated"),
        ([PLACED], CreateShipment("s-1", pieces(line1=1)), "order-not-accepted"),
        ([PLACED, REJECTED], CreateShipment("s-1", pieces(line1=1)), "order-rejected"),
        ([*READY, CANCELLED], CreateShipment("s-1", pieces(line1=1)), "order-cancelled"),
    ],
)
def test_create_shipment(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([*READY, CREATED], DispatchShipment("s-1", "T-1"), [DISPATCHED]),
        ([*READY, CREATED], DispatchShipment("s-1"), [ShipmentDispatched("s-1", None)]),
        ([*READY, CREATED, DISPATCHED], DispatchShipment("s-1", "T-1"), []),
        ([*READY, CREATED, DISPATCHED, DELIVERED], DispatchShipment("s-1", "T-1"), []),
        (
            [*READY, CREATED, DISPATCHED],
            DispatchShipment("s-1", "T-2"),
            "shipment-already-dispatched",
        ),
        (
            [*READY, CREATED, DISPATCHED],
            DispatchShipment("s-1"),
            "shipment-already-dispatched",
        ),
        (READY, DispatchShipment("s-1"), "shipment-unknown"),
        ([*READY, CREATED, CANCELLED], DispatchShipment("s-1", "T-1"), "order-cancelled"),
        ([*READY, CANCELLED], DispatchShipment("s-1"), "order-cancelled"),
        ([PLACED, CREATED, REJECTED], DispatchShipment("s-1", "T-1"), "order-rejected"),
    ],
)
def test_dispatch_shipment(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([*READY, CREATED, DISPATCHED], RecordDelivery("s-1"), [DELIVERED]),
        ([*READY, CREATED, DISPATCHED, DELIVERED], RecordDelivery("s-1"), []),
        ([*READY, CREATED], RecordDelivery("s-1"), "shipment-not-dispatched"),
        (READY, RecordDelivery("s-1"), "shipment-unknown"),
        ([*READY, CREATED, CANCELLED], RecordDelivery("s-1"), "order-cancelled"),
    ],
)
def test_record_delivery(when, history, command, answer):
    assert when(history, command) == answer
