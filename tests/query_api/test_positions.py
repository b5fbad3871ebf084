"""Reading one's own writes: what is waited for, what wakes those who wait, and who is refused."""

import asyncio
import time

import pytest

from domain import commands
from projectors import generations
from projectors.database import CHECKPOINTS_CHANNEL, GENERATIONS_CHANNEL
from projectors.read_models import PROJECTIONS
from query_api import checkpoints, reading
from runtime.position import Position, log_id

HEADER = "Orders-Min-Position"
ROUTES = {
    "/v1/orders/{order_id}": "orders",
    "/v1/orders": "orders",
    "/v1/customers/c-1/orders": "orders",
    "/v1/queues/fulfilment": "orders",
    "/v1/queues/returns": "orders",
    "/v1/orders/{order_id}/timeline": "timeline",
    "/v1/customers/c-1": "customers",
    "/v1/reports/revenue": "revenue",
}


async def waiting(api) -> float:
    for line in (await api.get("/metrics")).text.splitlines():
        if line.startswith("orderlog_query_waiting "):
            return float(line.split()[1])
    raise AssertionError("no such metric")


async def is_waiting(api) -> None:
    async with asyncio.timeout(10):
        while not await waiting(api):
            await asyncio.sleep(0.005)


def test_it_listens_to_what_projectors_notify():
    assert checkpoints.CHANNELS == (CHECKPOINTS_CHANNEL, GENERATIONS_CHANNEL)


@pytest.mark.parametrize("route", ROUTES)
async def test_a_route_waits_for_its_own_read_model(api, shop, route):
    order_id = shop.place()
    path, token = route.format(order_id=order_id), shop.token()
    own = ROUTES[route]
    await shop.project(*(name for name in PROJECTIONS if name != own))

    early = await api.problem(path, {HEADER: token}, wait_ms=0)
    request = asyncio.create_task(api.get(path, {HEADER: token}, wait_ms=10_000))
    await is_waiting(api)
    await shop.project(own)
    answer = await request

    assert (early["status"], early["code"], early["reason"]) == (
        503,
        "not-yet-projected",
        "pending",
    )
    assert answer.status_code == 200, answer.text
    contained = Position.decode(answer.headers["orders-position"])
    assert contained.contains(Position.decode(token))


async def test_a_notification_wakes_those_who_wait(api, shop, monkeypatch):
    """Without notifications nobody would look for a minute."""
    monkeypatch.setattr(checkpoints, "POLL_S", 60.0)
    order_id = shop.place()
    requests = [
        asyncio.create_task(
            api.get(f"/v1/orders/{order_id}", {HEADER: shop.token()}, wait_ms=10_000)
        )
        for _ in range(20)
    ]
    await is_waiting(api)
    began = time.monotonic()

    await shop.project()
    answers = await asyncio.gather(*requests)

    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - began < 5


async def test_a_process_that_is_to_end_answers_those_who_wait(api, shop):
    """A roll-out makes no request fail that the read models will soon contain."""
    order_id = shop.place()
    path, token = f"/v1/orders/{order_id}", shop.token()
    request = asyncio.create_task(api.get(path, {HEADER: token}, wait_ms=10_000))
    await is_waiting(api)

    api.close()
    await shop.project()

    assert (await request).status_code == 200


async def test_a_process_that_is_to_end_does_not_wait_for_ever(api, shop, monkeypatch):
    monkeypatch.setattr(reading, "LAST_WAIT_S", 0.1)
    path, token = f"/v1/orders/{shop.place()}", shop.token()
    request = asyncio.create_task(api.get(path, {HEADER: token}, wait_ms=10_000))
    await is_waiting(api)
    began = time.monotonic()

    api.close()

    assert (await request).json()["code"] == "not-yet-projected"
    assert time.monotonic() - began < 5


async def test_a_lost_notification_costs_a_moment(api, shop, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHANNELS", ("nobody_notifies_this",))
    order_id = shop.place()
    request = asyncio.create_task(
        api.get(f"/v1/orders/{order_id}", {HEADER: shop.token()}, wait_ms=10_000)
    )
    await is_waiting(api)
    await shop.project()

    assert (await request).status_code == 200


async def test_the_listening_connection_comes_back(api, shop, owner):
    """An operator ends all connections of the query role; those who wait are answered still."""
    order_id = shop.place()
    request = asyncio.create_task(
        api.get(f"/v1/orders/{order_id}", {HEADER: shop.token()}, wait_ms=10_000)
    )
    await is_waiting(api)
    ended = await owner.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'orderlog-query' AND datname = current_database()"
    )
    await shop.project()

    assert ended >= 2
    assert (await request).status_code == 200


async def test_nobody_waits_longer_than_asked(api, shop):
    order_id = shop.place()
    began = time.monotonic()

    problem = await api.problem(f"/v1/orders/{order_id}", {HEADER: shop.token()}, wait_ms=200)

    assert 0.2 <= time.monotonic() - began < 5
    assert problem["code"] == "not-yet-projected"


async def test_the_default_wait_is_configured(serve, shop):
    order_id = shop.place()
    async with serve(wait_ms_default=100) as api:
        began = time.monotonic()

        problem = await api.problem(f"/v1/orders/{order_id}", {HEADER: shop.token()})

    assert time.monotonic() - began < 1.9
    assert problem["reason"] == "pending"


async def test_a_position_that_is_contained_is_answered_with_what_there_is(api, shop):
    order_id = shop.place()
    token = shop.token()
    shop.do(order_id, commands.Accept())
    await shop.project()

    answer = await api.get(f"/v1/orders/{order_id}", {HEADER: token}, wait_ms=0)

    assert answer.json()["version"] == 2
    again = await api.get(
        f"/v1/orders/{order_id}", {HEADER: answer.headers["orders-position"]}, wait_ms=0
    )
    assert again.status_code == 200


async def test_the_reason_is_said(api, shop, connection):
    order_id = shop.place()
    await generations.create(connection, PROJECTIONS["orders"], 4)
    ask = f"/v1/orders/{order_id}", {HEADER: shop.token()}

    assert (await api.problem(*ask, wait_ms=0))["reason"] == "rebuilding"

    await shop.execute("UPDATE orderlog.checkpoints SET error = 'bad event' WHERE generation = 1")
    parked = await api.problem(*ask, wait_ms=0)
    assert parked["reason"] == "parked"
    assert parked["position"].startswith("AQ")


async def test_what_stands_still_is_not_called_fresh(api, shop):
    stuck, other = shop.place(), shop.place()
    await shop.project()
    partition = (await api.get(f"/v1/orders/{stuck}/timeline")).json()["events"][0]["partition"]
    while (await api.get(f"/v1/orders/{other}/timeline")).json()["events"][0][
        "partition"
    ] == partition:
        other = shop.place()
        await shop.project()
    await shop.execute(
        "UPDATE orderlog.checkpoints SET error = 'x' WHERE partition = $1", partition
    )

    for path, freshness in [
        (f"/v1/orders/{stuck}", "parked"),
        (f"/v1/orders/{stuck}/timeline", "parked"),
        (f"/v1/orders/{other}", "fresh"),
        (f"/v1/orders/{other}/timeline", "fresh"),
        ("/v1/orders", "parked"),
        ("/v1/reports/revenue", "parked"),
    ]:
        assert (await api.get(path)).headers["orders-freshness"] == freshness, path


@pytest.mark.parametrize("token", ["", "AQ", "x" * 50, "AQ==", "é", "AQAAAAAA", "a b", "A" * 5_000])
async def test_a_token_that_is_none_is_refused(api, token):
    problem = await api.problem("/v1/orders", {HEADER: token.encode("latin-1")}, wait_ms=0)

    assert problem["status"] in (409, 422)
    if problem["status"] == 422:
        assert problem["code"] == "invalid-query"
        assert [entry["field"] for entry in problem["errors"]] == [HEADER]


async def test_a_token_of_another_log_is_refused(api):
    token = Position(log_id("other", "topic-id"), {0: 1}).encode()

    problem = await api.problem("/v1/orders", {HEADER: token})

    assert (problem["status"], problem["code"]) == (409, "other-log")
    assert "another log" in problem["detail"]


async def test_a_token_with_a_partition_that_is_not_there_is_refused(api):
    token = Position(log_id("cluster", "topic-id"), {4: 1}).encode()

    problem = await api.problem("/v1/orders", {HEADER: token})

    assert problem["code"] == "invalid-query"
    assert "4 partitions" in problem["errors"][0]["message"]


async def test_rolling_back_never_answers_with_less_than_was_asked_for(api, shop, connection):
    """The older generation has to catch up first."""
    orders = PROJECTIONS["orders"]
    place = await generations.create(connection, orders, 4)
    await generations.create_indexes(connection, orders, place.generation)
    order_id = shop.place()
    token = shop.token()
    await shop.project()
    ask = f"/v1/orders/{order_id}", {HEADER: token}
    assert (await api.get(*ask)).status_code == 200

    async with connection.transaction():
        await generations.switch(connection, orders, place.generation)
    behind = await api.problem(*ask, wait_ms=50)
    empty = await api.get(f"/v1/orders/{order_id}")
    async with connection.transaction():
        await generations.switch(connection, orders, 1)

    assert behind["code"] == "not-yet-projected"
    assert empty.status_code == 404
    assert (await api.get(*ask, wait_ms=0)).status_code == 200


async def test_switches_under_load_are_never_seen(api, shop, connection):
    orders = PROJECTIONS["orders"]
    order_id = shop.place()
    await shop.project()
    place = await generations.create(connection, orders, 4)
    await generations.create_indexes(connection, orders, place.generation)
    await shop.execute(
        f"INSERT INTO read_models.orders_g{place.generation} SELECT * FROM read_models.orders_g1"
    )
    await shop.execute(
        "UPDATE orderlog.checkpoints n SET next_offset = o.next_offset FROM orderlog.checkpoints o "
        "WHERE n.projection = 'orders' AND n.generation = 2 AND o.projection = 'orders' "
        "AND o.generation = 1 AND o.partition = n.partition"
    )
    stop, answers = asyncio.Event(), []

    async def ask() -> None:
        while not stop.is_set():
            answers.append(
                await api.get(f"/v1/orders/{order_id}", {HEADER: shop.token()}, wait_ms=0)
            )

    readers = [asyncio.create_task(ask()) for _ in range(8)]
    for generation in (2, 1) * 20:
        async with connection.transaction():
            await generations.switch(connection, orders, generation)
    stop.set()
    await asyncio.gather(*readers)

    assert len(answers) > 40
    assert {answer.status_code for answer in answers} == {200}
