"""Taking an order over that has a past elsewhere."""

from dataclasses import fields, replace

import pytest

from domain.commands import (
    CreateShipment,
    ImportOrder,
    PlaceOrder,
    RecordCapture,
    RequestReturn,
)
from domain.decide import decide
from domain.errors import OrderExists, Rejected
from domain.order import Order, evolve
from domain.statuses import Lifecycle
from domain.values import (
    INT64_MAX,
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    Line,
    LineQuantity,
    Shipping,
)

LINES = (Line("A-1", 3, 1000, "1"), Line("B-1", 1, 500, "2"))
PAST = (ImportedLine("1", 1, 2, 1), ImportedLine("2", 0, 1, 0))
SPRING, ZOE = Discount("SPRING", 100, None), Contact("Zoë", "z@example.org", "1")
HOME = Address("Zoë", ("Weg 1",), "10115", "Berlin", "", "DE")
WORK = replace(HOME, lines=("Hof 2",))
PAID = (ImportedPayment("p-1", "psp-1", "card", 3990, 2990, 1000),)


def importing(lifecycle="ACCEPTED", past=PAST, payments=PAID, lines=LINES):
    return ImportOrder(
        "old shop", lifecycle, "c-1", "EUR", lines, past, payments, (), Shipping("std", 490)
    )


def imported(command):
    [event] = decide(Order(), command)
    return event, evolve(Order(), event)


def test_the_past_is_there():
    event, state = imported(importing())

    assert (event.total_minor, event.cancelled_minor, event.returned_minor) == (3990, 1000, 1000)
    assert state.money.captured_minor == 2990
    assert state.money.refunded_minor == 1000
    assert state.money.balance_minor == 0
    assert (state.free("1"), state.delivered("1"), state.lines["1"].returned) == (0, 2, 1)


def test_an_order_is_taken_over_whole():
    """Everything that is said of it is in the fact, and its prices are frozen as if placed."""
    placing = PlaceOrder("c-1", "EUR", LINES, (SPRING,), Shipping("std", 490), ZOE, HOME, WORK)
    [placed] = decide(Order(), placing)
    command = replace(importing(), discounts=(SPRING,), contact=ZOE, ship_to=HOME, bill_to=WORK)

    event, state = imported(command)

    shared = {f.name for f in fields(placed)} & {f.name for f in fields(event)}
    assert len(shared) == 13
    assert {name: getattr(event, name) for name in shared} == {
        name: getattr(placed, name) for name in shared
    }
    assert (event.source, event.lifecycle) == ("old shop", "ACCEPTED")
    assert (event.past, event.payments) == (PAST, PAID)
    assert (state.customer_id, state.currency, state.contact) == ("c-1", "EUR", ZOE)
    assert [refund.payment_id for refund in state.refunds.values()] == ["p-1"]


def test_single_pieces_are_worth_all_of_their_line():
    """Of 3 pieces one was cancelled and one of the others came back; of 1 piece, that one."""
    past = (ImportedLine("1", 2, 1, 1), ImportedLine("2", 1, 0, 0))

    _, state = imported(importing("ACCEPTED", past, ()))

    assert (state.lines["1"].cancelled_minor, state.lines["1"].returned_minor) == (2000, 1000)
    assert state.lines["2"].cancelled_minor == 500


@pytest.mark.parametrize("place", range(3))
def test_amounts_of_payments_fit_together(when, place):
    def payments(*amounts):
        return tuple(
            ImportedPayment(f"p-{n}", "r", None, *(amount if at == place else 0 for at in range(3)))
            for n, amount in enumerate(amounts)
        )

    assert isinstance(when([], importing(payments=payments(INT64_MAX))), list)
    assert isinstance(when([], importing(payments=payments(INT64_MAX - 2, 1, 1))), list)
    for amounts in ((INT64_MAX, 1), (1, INT64_MAX), (INT64_MAX - 1, 1, 1)):
        assert when([], importing(payments=payments(*amounts))) == "amount-overflow"


def test_a_completed_order_is_settled(when):
    past = (ImportedLine("1", 1, 2, 0), ImportedLine("2", 0, 1, 0))

    assert isinstance(when([], importing("COMPLETED", past)), list)


def test_a_cancelled_order_is_worth_nothing_any_more():
    past = (ImportedLine("1", 3, 0, 0), ImportedLine("2", 1, 0, 0))

    event, state = imported(importing("CANCELLED", past, ()))

    assert event.cancelled_minor == event.total_minor
    assert state.money.balance_minor == 0


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (importing("DRAFT"), "lifecycle-not-importable"),
        (importing("CANCELLED"), "pieces-open"),
        (importing("COMPLETED", past=PAST[:1]), "pieces-open"),
        (importing(past=(ImportedLine("9", 0, 0, 0),)), "line-unknown"),
        (importing(past=PAST[:1] * 2), "line-repeated"),
        (importing(past=(ImportedLine("1", 2, 2, 0),)), "past-impossible"),
        (importing(past=(ImportedLine("1", 0, 1, 2),)), "past-impossible"),
        (importing(past=(ImportedLine("1", -1, 1, 1),)), "past-impossible"),
        (importing(past=(ImportedLine("1", 1, -1, -1),)), "past-impossible"),
        (importing(past=(ImportedLine("1", 1, 1, -1),)), "past-impossible"),
        (importing(payments=PAID * 2), "payment-id-repeated"),
        (importing(payments=(ImportedPayment("p", "r", None, -1, 0, 0),)), "amount-negative"),
        (
            importing(payments=(ImportedPayment("p", "r", None, INT64_MAX + 1, 0, 0),)),
            "amount-overflow",
        ),
        (importing(lines=()), "lines-missing"),
    ],
)
def test_what_cannot_have_been_is_refused(when, command, rule):
    assert when([], command) == rule


def test_it_goes_on_from_there(when):
    event, state = imported(importing())

    assert decide(state, RecordCapture("p-1", "k-9", "psp-1", 2990)) == []
    with pytest.raises(Rejected, match="only 0 are neither"):
        decide(state, CreateShipment("s-1", (LineQuantity("1", 1),)))
    assert when([event], RequestReturn("e-1", (LineQuantity("1", 1),)))
    assert when([event], RequestReturn("e-1", (LineQuantity("1", 2),))) == "quantity-not-returnable"


def test_a_lifecycle_that_is_none_folds_too():
    """`evolve` is total, whatever another writer may have stored (found by a random fact)."""
    event, _ = imported(importing())

    state = evolve(Order(), replace(event, lifecycle=""))

    assert state.lifecycle is Lifecycle.PLACED


def test_an_id_begins_one_order():
    _, state = imported(importing())

    with pytest.raises(OrderExists):
        decide(state, importing())
