from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import PlaceOrder
from domain.currencies import written
from domain.decide import decide
from domain.errors import OrderExists, Rejected
from domain.events import NoteAdded, OrderPlaced
from domain.order import Order
from domain.values import (
    INT64_MAX,
    Address,
    Contact,
    Discount,
    Line,
    PlacedLine,
    Shipping,
    Tax,
)

INCLUDED = Tax("VAT", "0.19", 415, included=True)
ADDED = Tax("CITY", "0.01", 26, included=False)
ADDRESS = Address("A. Buyer", ("Way 1",), "10115", "Berlin", "", "DE")
FULL = PlaceOrder(
    customer_id="c-1",
    currency="EUR",
    lines=(
        Line("A-1", 2, 1299, "cup", "Cup", (INCLUDED, ADDED)),
        Line("B-2", 1, 1000, name="Pot"),
    ),
    discounts=(Discount("MUG", 100, "cup"), Discount("SPRING", 200, None)),
    shipping=Shipping("standard", 490),
    contact=Contact("A. Buyer", "a@example.org", "+49 30 1"),
    ship_to=ADDRESS,
    bill_to=replace(ADDRESS, name="Accounts"),
)
SMALLEST = PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1299),))


def lines(*some: Line) -> PlaceOrder:
    return replace(SMALLEST, lines=some)


def discounts(*some: Discount) -> PlaceOrder:
    return replace(SMALLEST, discounts=some)


def test_the_smallest_order(when):
    assert when([], SMALLEST) == [
        OrderPlaced(
            customer_id="c-1",
            currency="EUR",
            lines=(PlacedLine("1", "A-1", "", 2, 1299, (), 0, 0, 2598),),
            discounts=(),
            shipping=None,
            contact=None,
            ship_to=None,
            bill_to=None,
            subtotal_minor=2598,
            discount_minor=0,
            tax_minor=0,
            shipping_minor=0,
            total_minor=2598,
        )
    ]


def test_a_full_order_freezes_prices_taxes_and_discounts(when):
    """200 off the order are split 2498 : 1000, what the lines cost after their own discounts."""
    cup = PlacedLine("cup", "A-1", "Cup", 2, 1299, (INCLUDED, ADDED), 100 + 143, 441, 2381)
    pot = PlacedLine("1", "B-2", "Pot", 1, 1000, (), 57, 0, 943)

    assert when([], FULL) == [
        OrderPlaced(
            customer_id="c-1",
            currency="EUR",
            lines=(cup, pot),
            discounts=FULL.discounts,
            shipping=FULL.shipping,
            contact=FULL.contact,
            ship_to=FULL.ship_to,
            bill_to=FULL.bill_to,
            subtotal_minor=3598,
            discount_minor=300,
            tax_minor=441,
            shipping_minor=490,
            total_minor=2381 + 943 + 490,
        )
    ]


HUGE_VAT = Tax("VAT", "1", INT64_MAX, included=True)
HALF = INT64_MAX // 2 + 1


@pytest.mark.parametrize(
    "command",
    [
        # Each sum by itself is too large, while the total would fit.
        replace(lines(Line("A", 2, HALF)), discounts=(Discount("d", 5, None),)),
        lines(Line("A", 1, 1, taxes=(HUGE_VAT, replace(HUGE_VAT, code="B", amount_minor=1)))),
        lines(Line("A", 1, INT64_MAX, taxes=(ADDED,))),
        replace(lines(Line("A", 1, HALF), Line("B", 1, HALF)), discounts=(Discount("d", 5, None),)),
        lines(Line("A", 1, 1, taxes=(HUGE_VAT,)), Line("B", 1, 1, taxes=(INCLUDED,))),
    ],
    ids=["subtotal of a line", "taxes of a line", "total of a line", "subtotal", "taxes"],
)
def test_every_sum_must_fit(when, command):
    assert when([], command) == "amount-overflow"


def test_lines_that_cost_nothing_after_their_discounts_are_an_order(when):
    given = replace(SMALLEST, discounts=(Discount("d", 2598, "1"),))

    [event] = when([], given)

    assert event.total_minor == 0


def test_an_exchange_names_the_order_that_it_replaces(when, fold):
    other = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"

    [event] = when([], replace(FULL, replaces_order_id=other))

    assert event.replaces_order_id == other
    assert fold([event]).contact == FULL.contact


def test_an_amount_of_no_known_currency_is_written_whole():
    assert written(5, "?") == "5 ?"


@pytest.mark.parametrize(
    ("given_ids", "line_ids"),
    [
        ((None, None, None), ("1", "2", "3")),
        (("cup", None, None), ("cup", "1", "2")),
        ((None, "1", None), ("2", "1", "3")),
        (("7", "cup"), ("7", "cup")),
    ],
)
def test_lines_without_an_id_are_numbered(when, given_ids, line_ids):
    [event] = when([], lines(*(Line("A", 1, 5, line_id) for line_id in given_ids)))

    assert tuple(line.line_id for line in event.lines) == line_ids


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(SMALLEST, customer_id=""), "customer-missing"),
        (replace(SMALLEST, currency="eur"), "currency-unknown"),
        (replace(SMALLEST, currency="XAU"), "currency-unknown"),
        (lines(), "lines-missing"),
        (lines(Line("A", 0, 5)), "quantity-not-positive"),
        (lines(Line("A", 1, 5), Line("A", -1, 5)), "quantity-not-positive"),
        (lines(Line("A", 1, -1)), "price-negative"),
        (lines(Line("A", 1, 5, "x"), Line("A", 1, 5, "x")), "line-id-repeated"),
        (lines(Line("A", 1, 5, taxes=(replace(ADDED, amount_minor=-1),))), "tax-negative"),
        (replace(SMALLEST, shipping=Shipping("standard", -1)), "price-negative"),
        (discounts(Discount("d", -1, None)), "discount-negative"),
        (discounts(Discount("d", 1, "2")), "discount-line-unknown"),
        (discounts(Discount("d", 1, None), Discount("d", 1, "1")), "discount-id-repeated"),
        (discounts(Discount("d", 2599, None)), "discount-exceeds-value"),
        (discounts(Discount("d", 2599, "1")), "discount-exceeds-value"),
        (discounts(Discount("d", 2000, "1"), Discount("e", 599, "1")), "discount-exceeds-value"),
        (discounts(Discount("d", 2598, "1"), Discount("e", 1, None)), "discount-exceeds-value"),
        (lines(Line("A", INT64_MAX + 1, 0)), "amount-overflow"),
        (lines(Line("A", 1, INT64_MAX + 1)), "amount-overflow"),
        (lines(Line("A", 2, INT64_MAX // 2 + 1)), "amount-overflow"),
        (lines(Line("A", 1, INT64_MAX), Line("B", 1, 1)), "amount-overflow"),
        (lines(Line("A", 1, 0, taxes=(replace(INCLUDED, amount_minor=INT64_MAX + 1),))),
         "amount-overflow"),
        (lines(Line("A", 1, INT64_MAX, taxes=(ADDED,))), "amount-overflow"),
        (replace(lines(Line("A", 1, INT64_MAX)), shipping=Shipping("standard", 1)),
         "amount-overflow"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_placed(when, command, rule):
    assert when([], command) == rule


@pytest.mark.parametrize(
    ("command", "total_minor"),
    [
        (lines(Line("A", 1, INT64_MAX)), INT64_MAX),
        (lines(Line("A", 1, 0)), 0),
        (replace(SMALLEST, shipping=Shipping("pick-up", 0)), 2598),
        (discounts(Discount("d", 2598, None)), 0),
        (discounts(Discount("d", 2000, "1"), Discount("e", 598, None)), 0),
        (replace(SMALLEST, currency="KWD"), 2598),
        (replace(SMALLEST, currency="JPY"), 2598),
    ],
)
def test_an_order_at_the_edge_of_what_is_allowed(when, command, total_minor):
    [event] = when([], command)

    assert event.total_minor == total_minor


def test_an_order_id_can_be_used_once(when):
    """That a retry is answered is the writer's work: it knows the command's id."""
    placed = when([], SMALLEST)

    with pytest.raises(OrderExists):
        when(placed, SMALLEST)


def test_a_stray_event_does_not_make_an_order(when):
    assert len(when([NoteAdded("n", "?")], SMALLEST)) == 1


MONEY = st.integers(0, 5000)
TAXES = st.lists(st.builds(Tax, st.just("T"), st.just("0.1"), MONEY, st.booleans()), max_size=2)
LINES = st.lists(
    st.builds(Line, st.just("A"), st.integers(1, 9), MONEY, taxes=TAXES.map(tuple)),
    min_size=1,
    max_size=5,
)


@st.composite
def place_orders(draw):
    """Orders of which most can be placed; some discounts are too high."""
    order_lines = draw(LINES)
    targets = st.sampled_from([None, *(str(n + 1) for n in range(len(order_lines)))])
    amounts = draw(st.lists(st.tuples(st.integers(0, 3000), targets), max_size=4))
    return PlaceOrder(
        customer_id="c-1",
        currency="EUR",
        lines=tuple(order_lines),
        discounts=tuple(Discount(f"d{n}", *amount) for n, amount in enumerate(amounts)),
        shipping=draw(st.none() | st.builds(Shipping, st.just("standard"), MONEY)),
    )


@given(place_orders())
@settings(max_examples=150, deadline=None)
def test_totals_add_up_and_no_line_is_below_zero(fold, command):
    """I2 and I3, recomputed here in the plainest way, and by the fold."""
    try:
        [event] = decide(Order(), command)
    except Rejected as refusal:
        assert refusal.rule == "discount-exceeds-value"  # noqa: PT017 - the only rule in reach
        return

    for line in event.lines:
        added = sum(tax.amount_minor for tax in line.taxes if not tax.included)
        assert line.total_minor == (
            line.quantity * line.unit_price_minor - line.discount_minor + added
        )
        assert line.tax_minor == sum(tax.amount_minor for tax in line.taxes)
        assert 0 <= line.discount_minor <= line.quantity * line.unit_price_minor
    assert event.discount_minor == sum(discount.amount_minor for discount in command.discounts)
    assert event.total_minor == sum(line.total_minor for line in event.lines) + event.shipping_minor
    assert fold([event]).total_minor == event.total_minor
