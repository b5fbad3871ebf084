from collections import Counter
from functools import reduce
from itertools import islice

import pytest

from domain.currencies import EXPONENTS
from domain.decide import decide
from domain.events import OrderEvent, OrderPlaced, PaymentCaptured
from domain.order import Order, evolve
from domain.statuses import Lifecycle
from seeding.demo import ORDERS, Demo
from seeding.orders import SeedOrder
from seeding.stories import STORIES


def history(order: SeedOrder, domain_command) -> list[OrderEvent]:
    events: list[OrderEvent] = []
    for command in order.commands:
        state = reduce(evolve, events, Order())
        new = decide(state, domain_command(command["command"], dict(command["data"])))
        assert new, f"{order.name}: {command['command']} changes nothing"
        events += new
    return events


@pytest.mark.parametrize("order", list(Demo().orders(2 * ORDERS)), ids=lambda order: order.name)
def test_the_rules_accept_every_order_and_come_to_the_same_money(order: SeedOrder, domain_command):
    events = history(order, domain_command)

    placed = events[0]
    assert isinstance(placed, OrderPlaced)
    expected = order.expected
    assert (placed.currency, placed.total_minor) == (expected.currency, expected.total_minor)
    assert len(placed.lines) == expected.lines
    assert sum(line.quantity for line in placed.lines) == expected.pieces
    assert expected.captured_minor == sum(
        event.amount_minor for event in events if isinstance(event, PaymentCaptured)
    )


TOLD = {
    "OrderPlaced",
    "OrderAccepted",
    "OrderRejected",
    "OrderCancelled",
    "LinesCancelled",
    "NoteAdded",
    "PaymentAuthorisationRequested",
    "PaymentAuthorised",
    "PaymentAuthorisationFailed",
    "CaptureRequested",
    "PaymentCaptured",
    "ShipmentCreated",
    "ShipmentDispatched",
    "ShipmentDelivered",
}
"""The facts of the demo's stories."""


def test_every_fact_and_every_end_of_the_stories_appears(domain_command):
    types: Counter[str] = Counter()
    ends: Counter[Lifecycle | None] = Counter()
    for order in Demo().orders(ORDERS):
        events = history(order, domain_command)
        types.update(type(event).__name__ for event in events)
        ends[reduce(evolve, events, Order()).lifecycle] += 1

    assert set(types) == TOLD
    assert set(ends) == {
        Lifecycle.PLACED,
        Lifecycle.ACCEPTED,
        Lifecycle.REJECTED,
        Lifecycle.CANCELLED,
    }


def test_every_story_is_told_in_every_currency():
    told = {
        (at % len(STORIES), order.expected.currency)
        for at, order in enumerate(Demo().orders(ORDERS))
    }

    assert len(told) == len(STORIES) * 3
    assert {EXPONENTS[currency] for _, currency in told} == {0, 2, 3}


def test_the_shop_is_the_same_in_every_run_and_at_every_size():
    assert list(Demo().orders(ORDERS)) == list(islice(Demo().orders(5 * ORDERS), ORDERS))


def test_ids_and_keys_are_unique():
    orders = list(Demo().orders(5 * ORDERS))
    keys = [command["idempotency_key"] for order in orders for command in order.commands]

    assert len({order.order_id for order in orders}) == len(orders)
    assert len(set(keys)) == len(keys)
