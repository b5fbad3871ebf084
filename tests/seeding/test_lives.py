"""Lives by chance: the rules take every step of them, and come to the same sums by another way."""

from collections import Counter
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import events as facts
from domain.decide import decide
from domain.order import Order, evolve
from seeding.completejourney import CompleteJourney
from seeding.life import Life
from seeding.lives import WithLives
from seeding.orders import Sums

ORDERS = 600


def sums_of(state: Order) -> Sums:
    return Sums(
        1,
        len(state.lines),
        sum(line.ordered for line in state.lines.values()),
        state.total_minor,
        state.captured_minor,
        state.refunded_minor,
        state.money.balance_minor,
    )


@pytest.fixture(scope="module")
def orders():
    return list(WithLives(CompleteJourney()).orders(ORDERS))


def test_every_life_is_one_that_the_rules_allow(orders, domain_command):
    told: Counter[type] = Counter()
    ends: Counter[str] = Counter()
    repeats = 0
    for order in orders:
        state = Order()
        for command in order.commands:
            events = decide(state, domain_command(command["command"], dict(command["data"])))
            told.update(map(type, events))
            repeats += not events
            state = reduce(evolve, events, state)
        assert sums_of(state) == order.expected.sums, order.name
        ends[str(state.lifecycle)] += 1

    failures = {
        facts.PaymentAuthorisationFailed, facts.PaymentAuthorisationExpired, facts.CaptureFailed,
        facts.RefundFailed, facts.ShipmentDeliveryFailed, facts.LinesBackordered,
        facts.ReturnRejected, facts.ChargebackRecorded, facts.PaymentVoided, facts.OrderCancelled,
    }  # fmt: skip
    assert failures <= set(told)
    assert repeats > 0  # A webhook that comes twice.
    assert set(ends) == {
        "PLACED", "ACCEPTED", "COMPLETED", "REJECTED", "EXPIRED", "CANCELLED", "ARCHIVED",
    }  # fmt: skip
    assert ends["COMPLETED"] + ends["ARCHIVED"] > ORDERS / 2


def test_not_every_order_owes_nothing(orders):
    owing = Counter(
        (order.expected.sums.open_minor > 0) - (order.expected.sums.open_minor < 0)
        for order in orders
    )

    assert min(owing[-1], owing[0], owing[1]) > 0


def test_the_same_orders_live_the_same_lives(orders):
    assert list(WithLives(CompleteJourney()).orders(50)) == orders[:50]


def test_only_the_placement_is_as_without_a_life(orders):
    """So a data set that was sent without lives goes on to live when it is sent with them."""
    for plain, alive in zip(CompleteJourney().orders(50), orders, strict=False):
        assert (plain.order_id, plain.commands[0]) == (alive.order_id, alive.commands[0])


LINES = st.lists(
    st.fixed_dictionaries({"quantity": st.integers(1, 9), "unit_price_minor": st.integers(0, 999)}),
    min_size=1,
    max_size=4,
)


@given(LINES, st.integers(0, 100), st.data())
@settings(max_examples=100, deadline=None)
def test_pieces_that_go_are_worth_what_the_rules_say(domain_command, lines, percent, data):
    """Whatever the shares of the discount and the steps, the books agree after each of them."""
    value = sum(line["quantity"] * line["unit_price_minor"] for line in lines)
    life = Life(
        {
            "customer_id": "c",
            "currency": "EUR",
            "placed_at": "2026-01-01T00:00:00Z",
            "lines": [{"sku": "A", **line} for line in lines],
            "discounts": [{"discount_id": "D", "amount_minor": value * percent // 100}],
        }
    )
    life.do("Accept")
    life.ship("s-1", {"1": 1})
    life.arrive("s-1", 1)
    life.take_back("e-1", {"1": 1}, "x")
    while life.pieces and data.draw(st.booleans()):
        line_id = data.draw(st.sampled_from(sorted(life.pieces)))
        life.cancel_lines({line_id: data.draw(st.integers(1, life.pieces[line_id]))})

    state = Order()
    for (command, fields), sums in zip(life.steps, life.pages, strict=True):
        state = reduce(evolve, decide(state, domain_command(command, dict(fields))), state)
        assert sums_of(state) == sums
