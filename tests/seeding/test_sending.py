"""Every order arrives once, whatever the service answers in between."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from runtime.position import Position
from seeding.demo import ORDERS, Demo
from seeding.sending import Sender, SendingFailed, SendOptions, Sent

BUSY = {"status": 429, "code": "overloaded", "detail": "too much in flight", "retry_after": 0}
MOVING = {"status": 503, "code": "partition-unavailable", "detail": "moving"}


async def send(shop, orders: int = ORDERS, **options: Any) -> Sent:
    async with shop.client() as client:
        return await Sender(client, SendOptions(**options)).send(Demo().orders(orders))


def commands_in(orders: int) -> int:
    return sum(len(order.commands) for order in Demo().orders(orders))


async def test_every_command_is_taken(shop):
    sent = await send(shop)

    assert (len(sent.orders), sent.replayed, sent.refused) == (ORDERS, 0, 0)
    assert sent.commands == commands_in(ORDERS) == shop.seen
    assert len(shop.histories) == ORDERS


async def test_sending_again_adds_nothing_and_says_so(shop):
    first = await send(shop)
    before = {order_id: len(events) for order_id, events in shop.histories.items()}

    again = await send(shop)

    assert again.replayed == ORDERS
    assert again.orders == first.orders
    assert {order_id: len(events) for order_id, events in shop.histories.items()} == before


async def test_a_run_that_was_cut_off_is_finished_by_the_next(shop):
    await send(shop, 25)

    sent = await send(shop, ORDERS)

    assert (len(sent.orders), sent.replayed) == (ORDERS, 25)


async def test_batches_keep_to_their_limit_and_orders_whole(shop):
    await send(shop, batch_commands_max=20, concurrency=3)

    assert max(shop.requests) <= 20
    assert sum(shop.requests) == commands_in(ORDERS)


@pytest.mark.parametrize("trouble", [BUSY, MOVING], ids=["busy", "moving"])
async def test_single_commands_that_were_put_off_come_again_in_order(shop, trouble):
    """No command is sent before its predecessor was taken, so none is refused for it."""
    shop.fault_command = lambda seen: trouble if seen % 7 == 0 and seen < 400 else None

    sent = await send(shop, batch_commands_max=40)

    assert (len(sent.orders), sent.refused) == (ORDERS, 0)
    assert sent.repeats > 0
    undisturbed = type(shop)()
    await send(undisturbed)
    assert shop.histories == undisturbed.histories


async def test_a_whole_request_that_was_put_off_comes_again(shop):
    def busy(request: int) -> Response | None:
        return JSONResponse({"detail": "busy"}, 429, {"retry-after": "0"}) if request % 2 else None

    shop.fault_request = busy

    sent = await send(shop, batch_commands_max=50)

    assert (len(sent.orders), sent.refused) == (ORDERS, 0)


async def test_a_lost_connection_is_tried_again(shop):
    def broken(request: int) -> None:
        if request in {1, 3}:
            raise httpx2.ReadError("connection reset")

    shop.fault_request = broken

    sent = await send(shop, batch_commands_max=50)

    assert len(sent.orders) == ORDERS


async def test_an_answer_that_is_lost_after_the_fact_is_a_replay(shop):
    """The service did it, nobody heard: the same keys find it again."""
    heard: set[str] = set()
    take = shop._command

    def deaf(asked: dict[str, Any]) -> dict[str, Any]:
        answer = take(asked)
        is_first = asked["idempotency_key"] not in heard
        heard.add(asked["idempotency_key"])
        return MOVING if is_first else answer

    shop._command = deaf

    sent = await send(shop)

    assert (len(sent.orders), sent.refused, sent.replayed) == (ORDERS, 0, ORDERS)


async def test_a_service_that_stays_away_ends_it(shop):
    shop.fault_request = lambda _n: JSONResponse({"detail": "no leader"}, 503)

    with pytest.raises(SendingFailed, match="503 no leader"):
        await send(shop, attempts_max=2)


async def test_a_refused_batch_ends_it(shop):
    shop.fault_request = lambda _n: JSONResponse({"title": "too large"}, 413)

    with pytest.raises(SendingFailed, match="413 too large"):
        await send(shop)


async def test_refusals_are_told_with_their_reason(shop):
    no = {"status": 422, "code": "invalid-command", "title": "Fields are wrong.", "detail": None}
    shop.fault_command = lambda seen: no if seen == 1 else None

    sent = await send(shop, concurrency=1)

    assert sent.refused == 1
    assert sent.refusals[0].code == "invalid-command"
    assert sent.refusals[0].detail == "Fields are wrong."
    assert len(sent.orders) == ORDERS - 1


async def test_the_rate_is_kept(shop):
    loop = asyncio.get_running_loop()
    started = loop.time()

    sent = await send(shop, 15, rate=200)

    assert loop.time() - started >= (sent.commands - 50) / 200


async def test_the_position_contains_every_answer(shop):
    sent = await send(shop)

    assert sent.position is not None
    for answer in shop.answers.values():
        assert sent.position.contains(Position.decode(answer["position"]))
