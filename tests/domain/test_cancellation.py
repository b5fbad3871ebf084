import pytest

from domain.commands import Cancel, CancelLines, CreateShipment, DispatchShipment, PlaceOrder
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
from domain.order import Order, ShipmentStage
from domain.values import Discount, Line, LineQuantity, Shipping

COMMAND = PlaceOrder(
    "c-1",
    "EUR",
    (Line("A", 3, 1000), Line("B", 1, 500)),
    discounts=(Discount("d", 1000, "1"),),
    shipping=Shipping("standard", 490),
)
[PLACED] = decide(Order(), COMMAND)  # Line 1 is worth 2000 (3 pieces), line 2 500; total 2990.
ACCEPTED = OrderAccepted()
REJECTED = OrderRejected("no stock")
CREATED = ShipmentCreated("s-1", (LineQuantity("1", 2),), None)
DISPATCHED = ShipmentDispatched("s-1", None)
SHIPPED = [PLACED, ACCEPTED, CREATED, DISPATCHED]


def lines(*pairs):
    return tuple(LineQuantity(*pair) for pair in pairs)


def lines_cancelled(amount_minor, *pairs):
    return LinesCancelled(lines(*pairs), "late", amount_minor, "EUR", "c-1")


def ended(amount_minor, reason="late"):
    return OrderCancelled(reason, amount_minor, "EUR", "c-1")


FIRST = lines_cancelled(666, ("1", 1))
SECOND = lines_cancelled(667, ("1", 1))


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED], Cancel("late"), [ended(2990)]),
        ([PLACED, ACCEPTED], Cancel(), [ended(2990, None)]),
        ([PLACED, ACCEPTED, CREATED], Cancel("late"), [ended(2990)]),
        ([PLACED, FIRST], Cancel("late"), [ended(2324)]),
        ([PLACED, ended(2990)], Cancel("late"), []),
        ([PLACED, ended(2990)], Cancel(), []),
        ([PLACED, REJECTED], Cancel(), "order-rejected"),
        (SHIPPED, Cancel(), "already-dispatched"),
        ([*SHIPPED, ShipmentDelivered("s-1")], Cancel(), "already-dispatched"),
    ],
)
def test_cancel(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "pairs", "answer"),
    [
        ([PLACED], [("1", 1)], [FIRST]),
        ([PLACED, FIRST], [("1", 1)], [SECOND]),
        ([PLACED, FIRST, SECOND], [("1", 1)], [lines_cancelled(667, ("1", 1))]),
        ([PLACED], [("1", 3)], [lines_cancelled(2000, ("1", 3))]),
        ([PLACED], [("2", 1), ("1", 2)], [lines_cancelled(1833, ("2", 1), ("1", 2))]),
        (
            [PLACED],
            [("1", 3), ("2", 1)],
            [lines_cancelled(2500, ("1", 3), ("2", 1)), ended(490)],
        ),
        (
            [PLACED, FIRST, lines_cancelled(500, ("2", 1))],
            [("1", 2)],
            [lines_cancelled(1334, ("1", 2)), ended(490)],
        ),
        ([PLACED, ACCEPTED, CREATED], [("1", 1)], [FIRST]),
        ([PLACED, ACCEPTED, CREATED], [("1", 2)], "quantity-not-available"),
        ([*SHIPPED, FIRST], [("2", 1)], [lines_cancelled(500, ("2", 1))]),
        (SHIPPED, [("1", 2)], "quantity-not-available"),
        ([PLACED, FIRST, SECOND], [("1", 2)], "quantity-not-available"),
        ([PLACED], [("1", 4)], "quantity-not-available"),
        ([PLACED], [("3", 1)], "line-unknown"),
        ([PLACED], [], "lines-missing"),
        ([PLACED], [("1", 0)], "quantity-not-positive"),
        ([PLACED], [("1", -1)], "quantity-not-positive"),
        ([PLACED], [("1", 1), ("1", 1)], "line-repeated"),
        ([PLACED, REJECTED], [("1", 1)], "order-rejected"),
        ([PLACED, ended(2990)], [("1", 1)], "order-cancelled"),
    ],
)
def test_cancel_lines(when, history, pairs, answer):
    assert when(history, CancelLines(lines(*pairs), "late")) == answer


def test_cancelling_ends_parcels_that_still_stand_here(when):
    """The pieces are free again for nobody: the order has ended, and its parcel cannot leave."""
    history = [PLACED, ACCEPTED, CREATED, ended(2990)]

    assert when(history, DispatchShipment("s-1")) == "order-cancelled"
    assert when(history, CreateShipment("s-2", lines(("1", 1)))) == "order-cancelled"


def test_a_cancelled_order_has_no_piece_and_no_value_left(fold):
    state = fold([PLACED, ACCEPTED, CREATED, FIRST, ended(2324)])

    assert state.cancelled_minor == state.total_minor
    assert all(line.cancelled == line.ordered for line in state.lines.values())
    assert all(state.in_shipments(line_id) == 0 for line_id in state.lines)


def test_what_is_cancelled_is_worth_all_of_it_and_what_has_left_has_left(fold):
    """No rule cancels an order that has left in part; a fact from elsewhere folds all the same."""
    state = fold([*SHIPPED, ended(2990)])

    assert [line.cancelled_minor for line in state.lines.values()] == [2000, 500]
    assert state.shipments["s-1"].stage is ShipmentStage.DISPATCHED
