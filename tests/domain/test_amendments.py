"""Changing what was ordered, after it was placed (I6, I7)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import (
    ApproveAmendment,
    Cancel,
    CancelLines,
    DeclineAmendment,
    PlaceOrder,
    ProposeAmendment,
    WithdrawAmendment,
)
from domain.decide import decide
from domain.events import (
    AmendmentApplied,
    AmendmentDeclined,
    AmendmentProposed,
    AmendmentWithdrawn,
    LinesCancelled,
    OrderAccepted,
    OrderCancelled,
    ShipmentCreated,
)
from domain.order import Order, evolve
from domain.values import INT64_MAX, Discount, Line, LineQuantity, PlacedLine, Shipping, Tax

VAT = Tax("VAT", "0.19", 300, included=False)
[PLACED] = decide(
    Order(),
    PlaceOrder(
        "c-1",
        "EUR",
        (Line("A-1", 3, 1000, taxes=(VAT,)), Line("B-1", 1, 500)),
        (Discount("d", 100, "1"),),
        Shipping("standard", 490),
    ),
)
ACCEPTED = OrderAccepted()
TWO = LineQuantity("1", 2)
FEWER = ProposeAmendment("a-1", quantities=(TWO,))
TWO_CUPS = PlacedLine(
    "1", "A-1", "", 2, 1000, (Tax("VAT", "0.19", 200, included=False),), 66, 200, 2134
)
PROPOSED = AmendmentProposed("a-1", (TWO_CUPS,), -1066, None)
APPLIED = AmendmentApplied("a-1", (TWO_CUPS,), -1066, "EUR", "c-1")
DECLINED, WITHDRAWN = AmendmentDeclined("a-1"), AmendmentWithdrawn("a-1")
CANCELLED_ONE = LinesCancelled((LineQuantity("1", 1),), None, 1066, "EUR", "c-1")
SHIPPED_TWO = ShipmentCreated("s-1", (TWO,), None)
CANCELLED = OrderCancelled(None, 4190, "EUR", "c-1")


def test_an_amendment_leaves_something_of_the_order(when):
    """Pieces that are cancelled are not left: without the other line, nothing is."""
    all_cups = LinesCancelled((LineQuantity("1", 3),), None, 3200, "EUR", "c-1")
    without_the_other = to(0, "2")
    [proposed] = when([PLACED], without_the_other)

    assert when([PLACED, all_cups], without_the_other) == "amendment-empties-order"
    assert when([PLACED, proposed, all_cups], ApproveAmendment("a-1")) == "amendment-outdated"


def to(quantity, line_id="1"):
    return ProposeAmendment("a-1", quantities=(LineQuantity(line_id, quantity),))


def adding(**line):
    return ProposeAmendment("a-1", (Line("C-1", **line),))


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED], FEWER, [PROPOSED]),
        ([PLACED, ACCEPTED], FEWER, [PROPOSED]),
        ([PLACED, PROPOSED], FEWER, []),
        ([PLACED, PROPOSED], to(1), "amendment-id-reused"),
        ([PLACED, PROPOSED, WITHDRAWN], FEWER, "amendment-id-reused"),
        ([PLACED, PROPOSED], ProposeAmendment("a-2", quantities=(TWO,)), "amendment-open"),
        ([PLACED], to(3), "amendment-changes-nothing"),
        ([PLACED], ProposeAmendment("a-1"), "amendment-changes-nothing"),
        ([PLACED], ProposeAmendment("a-1", quantities=(TWO, TWO)), "line-repeated"),
        ([PLACED], to(1, "9"), "line-unknown"),
        ([PLACED], to(-1), "quantity-negative"),
        ([PLACED], to(INT64_MAX), "amount-overflow"),
        (
            [PLACED],
            adding(quantity=1, unit_price_minor=INT64_MAX - PLACED.total_minor + 1),
            "amount-overflow",
        ),
        ([PLACED, CANCELLED_ONE, SHIPPED_TWO], to(3), "amendment-changes-nothing"),
        ([PLACED, SHIPPED_TWO], to(1), "quantity-below-used"),
        ([PLACED, CANCELLED_ONE], to(1), "quantity-below-used"),
        (
            [PLACED],
            ProposeAmendment("a-1", quantities=(LineQuantity("1", 0), LineQuantity("2", 0))),
            "amendment-empties-order",
        ),
        ([PLACED], adding(quantity=0, unit_price_minor=1), "quantity-not-positive"),
        ([PLACED], adding(quantity=1, unit_price_minor=1, line_id="1"), "line-id-repeated"),
        ([PLACED, CANCELLED], FEWER, "order-cancelled"),
        ([PLACED, PROPOSED], ApproveAmendment("a-1"), [APPLIED]),
        ([PLACED, PROPOSED, APPLIED], ApproveAmendment("a-1"), []),
        ([PLACED], ApproveAmendment("a-1"), "amendment-unknown"),
        ([PLACED, PROPOSED, DECLINED], ApproveAmendment("a-1"), "amendment-closed"),
        (
            [PLACED, PROPOSED, ShipmentCreated("s-1", (LineQuantity("1", 3),), None)],
            ApproveAmendment("a-1"),
            "amendment-outdated",
        ),
        ([PLACED, PROPOSED], DeclineAmendment("a-1"), [DECLINED]),
        ([PLACED, PROPOSED, DECLINED], DeclineAmendment("a-1"), []),
        ([PLACED, PROPOSED, APPLIED], DeclineAmendment("a-1"), "amendment-closed"),
        ([PLACED, PROPOSED], WithdrawAmendment("a-1"), [WITHDRAWN]),
        ([PLACED, PROPOSED, WITHDRAWN], WithdrawAmendment("a-1"), []),
        ([PLACED, PROPOSED, DECLINED], WithdrawAmendment("a-1"), "amendment-closed"),
        ([PLACED, PROPOSED, CANCELLED], WithdrawAmendment("a-1"), []),
        ([PLACED, PROPOSED, CANCELLED], ApproveAmendment("a-1"), "amendment-closed"),
    ],
)
def test_amendments(when, history, command, answer):
    assert when(history, command) == answer


def test_an_applied_amendment_is_the_order(fold):
    state = fold([PLACED, PROPOSED, APPLIED])

    assert state.total_minor == PLACED.total_minor - 1066
    assert state.lines["1"].placed == TWO_CUPS
    assert state.open_amendment is None


def test_an_applied_amendment_keeps_what_became_of_the_pieces(fold):
    four = replace(TWO_CUPS, quantity=4)
    applied = AmendmentApplied("a-1", (four,), 0, "EUR", "c-1")

    line = fold([PLACED, CANCELLED_ONE, applied]).lines["1"]

    assert (line.ordered, line.cancelled, line.cancelled_minor) == (4, 1, 1066)


def test_a_proposal_has_its_reason(when):
    asked = replace(FEWER, reason="The customer called.")
    [proposed] = when([PLACED], asked)

    assert proposed == replace(PROPOSED, reason="The customer called.")
    assert when([PLACED, proposed], asked) == []
    assert when([PLACED, proposed], FEWER) == "amendment-id-reused"


def test_a_line_keeps_its_name_and_its_taxes_grow_with_it(when):
    tax = Tax("VAT", "0.19", 190, included=True)
    line = Line("A", 1, 1000, name="Cup", taxes=(tax,))
    [placed] = decide(Order(), PlaceOrder("c-1", "EUR", (line,)))

    [proposed] = when([placed], to(2))

    assert (proposed.lines[0].name, proposed.lines[0].tax_minor) == ("Cup", 380)


def test_a_proposal_changes_nothing_by_itself(fold):
    before, after = fold([PLACED]), fold([PLACED, PROPOSED])

    assert (after.total_minor, after.lines) == (before.total_minor, before.lines)


def test_taxes_follow_the_quantity_down_to_the_unit(when):
    """250 of 3 pieces are 83 and 1/3 for each: what is left over is not taxed."""
    tax = Tax("VAT", "0.19", 250, included=True)
    [placed] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A", 3, 1000, taxes=(tax,)),)))

    [proposed] = when([placed], to(1))

    assert [type(tax.amount_minor) for tax in proposed.lines[0].taxes] == [int]
    assert (proposed.lines[0].taxes[0].amount_minor, proposed.lines[0].tax_minor) == (83, 83)


def test_a_line_that_was_emptied_has_no_taxes_and_discounts_again(when):
    """One piece, none, one again: what the amounts were shared by is gone."""
    tax = Tax("VAT", "0.19", 190, included=True)
    lines = (Line("A", 1, 1000, taxes=(tax,)), Line("B", 1, 500))
    [placed] = decide(Order(), PlaceOrder("c-1", "EUR", lines, (Discount("d", 100, "1"),)))
    [emptied] = when([placed], to(0))
    applied = AmendmentApplied("a-1", emptied.lines, emptied.difference_minor, "EUR", "c-1")
    again = ProposeAmendment("a-2", quantities=(LineQuantity("1", 1),))

    [proposed] = when([placed, emptied, applied], again)

    assert (emptied.difference_minor, proposed.difference_minor) == (-900, 1000)


def test_a_new_line_gets_the_first_free_number(when):
    [proposed] = when([PLACED], adding(quantity=2, unit_price_minor=250))

    assert [(line.line_id, line.total_minor) for line in proposed.lines] == [("3", 500)]
    assert proposed.difference_minor == 500


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 999)), min_size=1, max_size=4),
    st.lists(st.integers(0, 6), min_size=4, max_size=4),
    st.integers(0, 50),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_amended_the_order_adds_up(ordered, wanted, discount):
    """I2 and I3: the total is that of the lines; cancelling all of them gives all of it back."""
    lines = tuple(Line("A", count, price) for count, price in ordered)
    worth = sum(count * price for count, price in ordered)
    placing = PlaceOrder("c-1", "EUR", lines, (Discount("d", min(discount, worth), None),))
    state = evolve(Order(), *decide(Order(), placing))
    asked = {
        line_id: wanted[place]
        for place, (line_id, line) in enumerate(state.lines.items())
        if wanted[place] != line.ordered
    }
    left = {line_id: asked.get(line_id, line.ordered) for line_id, line in state.lines.items()}
    if not asked or not any(left.values()):
        return

    quantities = tuple(LineQuantity(*one) for one in asked.items())
    for command in (ProposeAmendment("a", quantities=quantities), ApproveAmendment("a")):
        [event] = decide(state, command)
        state = evolve(state, event)

    assert state.total_minor == sum(line.placed.total_minor for line in state.lines.values())
    assert {line_id: line.ordered for line_id, line in state.lines.items()} == left
    for line_id, quantity in left.items():
        for _ in range(quantity):
            for event in decide(state, CancelLines((LineQuantity(line_id, 1),))):
                state = evolve(state, event)
    assert state.cancelled_minor == state.total_minor
    assert decide(state, Cancel()) == []
