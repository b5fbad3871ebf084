"""What is served must be what was sent; a difference anywhere is found and named."""

from collections.abc import Callable
from typing import Any

import pytest

from seeding.demo import ORDERS, Demo
from seeding.reconciliation import ReadingFailed, Reckoning, Served, Sums, reckon
from seeding.sending import Sender, SendOptions, Sent


async def sent_to(shop, orders: int = ORDERS) -> Sent:
    async with shop.client() as client:
        return await Sender(client, SendOptions()).send(Demo().orders(orders))


async def reckoned(shop, sent: Sent, wait_s: float = 5) -> Reckoning:
    async with shop.client() as client:
        return await reckon(sent.orders, Served(client, sent.position, wait_s))


def one_order(change: Callable[[dict[str, Any]], dict[str, Any] | None], skip: int = 7):
    """Change only the order that is served after `skip` others."""
    chosen: list[str] = []

    def falsify(order: dict[str, Any]) -> dict[str, Any] | None:
        if order["order_id"] not in chosen:
            chosen.append(order["order_id"])
        return change(order) if chosen.index(order["order_id"]) == skip else order

    return falsify


async def test_all_is_well(shop):
    sent = await sent_to(shop)

    result = await reckoned(shop, sent)

    assert result.is_equal
    assert result.sent == result.served
    assert sum(sums.orders for sums in result.sent.values()) == ORDERS
    assert set(result.sent) == {"EUR", "JPY", "KWD"}
    assert (result.others, result.revenue_differs, result.differences) == (0, [], [])


@pytest.mark.parametrize(
    "change",
    [
        lambda order: {**order, "total_minor": order["total_minor"] + 1},
        lambda order: {**order, "captured_minor": order["captured_minor"] - 1},
        lambda order: {**order, "refunded_minor": order["refunded_minor"] + 1},
        lambda order: {**order, "balance_minor": order["balance_minor"] - 1},
        lambda order: {**order, "lines": order["lines"][1:]},
        lambda order: {**order, "lines": [{"quantity": 1000}, *order["lines"][1:]]},
        lambda order: {**order, "currency": "CHF"},
        lambda _order: None,
    ],
    ids=["total", "captured", "refunded", "open", "line", "pieces", "currency", "missing"],
)
async def test_a_planted_difference_is_found(shop, change):
    sent = await sent_to(shop)
    shop.falsify = one_order(change)

    result = await reckoned(shop, sent)

    assert not result.is_equal
    assert result.differing == 1
    assert result.differences[0].order_id in sent.orders


async def test_two_differences_that_cancel_out_are_found(shop):
    """The sums are right to the cent, two orders are wrong."""
    sent = await sent_to(shop)
    amounts: dict[str, int] = {}

    def shift(order: dict[str, Any]) -> dict[str, Any]:
        if order["currency"] == "EUR" and len(amounts) < 2:
            amounts.setdefault(order["order_id"], 1 if not amounts else -1)
        return {**order, "total_minor": order["total_minor"] + amounts.get(order["order_id"], 0)}

    shop.falsify = shift

    result = await reckoned(shop, sent)

    assert result.sent == result.served
    assert result.differing == 2
    assert not result.is_equal


async def test_orders_of_others_do_no_harm(shop):
    await sent_to(shop, ORDERS)
    only_some = await sent_to(shop, 30)

    result = await reckoned(shop, only_some)

    assert result.is_equal
    assert result.others > 0
    assert result.revenue_differs is None
    assert sum(sums.orders for sums in result.served.values()) == 30


async def test_a_wrong_revenue_report_is_found(shop):
    sent = await sent_to(shop)
    rows = shop.served
    missing_one = list(rows())[1:]

    async def revenue(request: Any) -> Any:
        shop.served = lambda: iter(missing_one)
        answer = await type(shop).revenue(shop, request)
        shop.served = rows
        return answer

    shop.revenue = revenue

    result = await reckoned(shop, sent)

    assert result.differing == 0
    assert result.revenue_differs
    assert not result.is_equal


async def test_it_waits_until_the_orders_are_projected(shop):
    sent = await sent_to(shop)
    shop.not_yet = 3

    assert (await reckoned(shop, sent)).is_equal


async def test_it_does_not_wait_for_ever(shop):
    sent = await sent_to(shop, 3)
    shop.not_yet = 10**9

    with pytest.raises(ReadingFailed, match="does not contain the orders yet"):
        await reckoned(shop, sent, wait_s=0.3)


async def test_more_than_one_page_is_read(shop):
    sent = await sent_to(shop, 430)

    result = await reckoned(shop, sent)

    assert sum(sums.orders for sums in result.served.values()) == 430
    assert result.is_equal


async def test_nothing_sent_is_nothing_to_compare(shop):
    assert (await reckoned(shop, Sent())).sent == {}


def test_sums_add_up():
    assert Sums(1, 2, 3, 4, 5, 6, 7) + Sums(1, 1, 1, 1, 1, 1, -8) == Sums(2, 3, 4, 5, 6, 7, -1)
