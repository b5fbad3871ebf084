from collections import Counter
from functools import reduce
from itertools import islice
from typing import get_args

import pytest

from domain import events as facts
from domain.currencies import EXPONENTS
from domain.decide import decide
from domain.order import Order, evolve
from domain.statuses import Lifecycle
from seeding.demo import ORDERS, Demo
from seeding.orders import SeedOrder, Sums
from seeding.stories import STORIES


def history(order: SeedOrder, domain_command) -> list[facts.OrderEvent]:
    events: list[facts.OrderEvent] = []
    for command in order.commands:
        state = reduce(evolve, events, Order())
        new = decide(state, domain_command(command["command"], dict(command["data"])))
        assert new, f"{order.name}: {command['command']} changes nothing"
        events += new
    return events


@pytest.mark.parametrize("order", list(Demo().orders(2 * ORDERS)), ids=lambda order: order.name)
def test_the_rules_accept_every_order_and_come_to_the_same_money(order: SeedOrder, domain_command):
    events = history(order, domain_command)

    placed, state = events[0], reduce(evolve, events, Order())
    assert isinstance(placed, facts.OrderPlaced)
    assert placed.currency == order.expected.currency
    assert placed.total_minor == order.expected.placed_minor
    assert order.expected.sums == Sums(
        1,
        len(state.lines),
        sum(line.ordered for line in state.lines.values()),
        state.total_minor,
        state.captured_minor,
        state.refunded_minor,
        state.money.balance_minor,
    )


NOT_TOLD = {*get_args(facts.DraftEvent), facts.OrderImported} - {facts.OrderPlaced}
"""The demo's orders are placed in one call; the README's tour tells of a draft."""


def test_every_fact_and_every_end_appears(domain_command):
    types: Counter[type] = Counter()
    ends: Counter[Lifecycle | None] = Counter()
    for order in Demo().orders(ORDERS):
        events = history(order, domain_command)
        types.update(type(event) for event in events)
        ends[reduce(evolve, events, Order()).lifecycle] += 1

    assert set(types) == set(get_args(facts.OrderEvent)) - NOT_TOLD
    assert set(ends) == set(Lifecycle) - {Lifecycle.DRAFT}


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
