"""One order, lists with every filter and sort, and the queues."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from domain import commands
from domain.values import LineQuantity
from runtime.position import Position

SORTS = ("placed_at", "-placed_at", "total_minor", "-total_minor", "updated_at", "-updated_at")


def at(now_us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
    return moment.isoformat().replace("+00:00", "Z")


async def ids(api, path="/v1/orders", **parameters) -> list[str]:
    return [order_id async for page in api.pages(path, **parameters) for order_id in page]


async def test_an_order_is_served_as_it_is_stored(api, shop, connection):
    order_id = shop.place()
    shop.do(order_id, commands.Accept())
    await shop.project()
    stored = await connection.fetchval("SELECT document FROM read_models.orders")

    answer = await api.get(f"/v1/orders/{order_id}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == '"2"'
    assert answer.headers["orders-freshness"] == "fresh"
    assert answer.content == f'{stored[:-1]},"stale_since":null}}'.encode()
    body = answer.json()
    assert (body["order_id"], body["lifecycle"], body["total_minor"]) == (
        order_id,
        "ACCEPTED",
        2_990,
    )
    contained = Position.decode(answer.headers["orders-position"])
    assert contained.contains(Position.decode(shop.token()))


@pytest.mark.parametrize("spelled", [str.upper, lambda order_id: order_id.replace("-", "")])
async def test_an_order_is_found_however_its_id_is_spelled(api, shop, spelled):
    order_id = shop.place()
    await shop.project()

    answer = await api.get(f"/v1/orders/{spelled(order_id)}")

    assert answer.json()["order_id"] == order_id


@pytest.mark.parametrize(
    ("known", "status"),
    [('"1"', 304), ('W/"1"', 304), ('"7", "1"', 304), ("*", 304), ('"2"', 200), ("1", 200)],
)
async def test_a_version_that_is_known_is_not_sent_again(api, shop, known, status):
    order_id = shop.place()
    await shop.project()

    answer = await api.get(f"/v1/orders/{order_id}", {"If-None-Match": known})

    assert answer.status_code == status
    assert bool(answer.content) == (status == 200)
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["orders-position"]


async def test_an_order_that_is_not_there_is_not_found(api, shop):
    problem = await api.problem(f"/v1/orders/{uuid.uuid4()}")

    assert (problem["status"], problem["code"]) == (404, "order-not-found")


@pytest.mark.parametrize("sort", SORTS)
async def test_every_sort_pages_through_everything_once(api, shop, sort):
    for n in range(23):
        order_id = shop.place(price_minor=100 * (n % 4))
        if n % 3 == 0:
            shop.do(order_id, commands.Accept())
        if n % 5 == 0:
            shop.now_us -= 2_000  # Some are placed at the same time, or before.
    await shop.project()

    pages = [page async for page in api.pages("/v1/orders", sort=sort, limit=4)]

    assert [len(page) for page in pages] == [4, 4, 4, 4, 4, 3]
    found = [order_id for page in pages for order_id in page]
    assert len(set(found)) == 23
    whole = (await api.get("/v1/orders", sort=sort, limit=200)).json()
    assert [order["order_id"] for order in whole["orders"]] == found
    assert whole["next_cursor"] is None
    column = sort.removeprefix("-")
    keys = [(order[column], order["order_id"]) for order in whole["orders"]]
    if column != "total_minor":
        keys = [(datetime.fromisoformat(key), order_id) for key, order_id in keys]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


async def test_pages_have_no_gap_and_no_repetition_while_orders_come_in(api, shop):
    before = [shop.place() for _ in range(20)]
    await shop.project()
    found = []

    async for page in api.pages("/v1/orders", sort="-placed_at", limit=3):
        found += page
        shop.place()
        await shop.project()

    assert found == before[::-1]


async def test_ascending_pages_reach_what_came_in_meanwhile(api, shop):
    placed = [shop.place() for _ in range(5)]
    await shop.project()
    found = []

    async for page in api.pages("/v1/orders", sort="placed_at", limit=2):
        found += page
        if len(placed) < 8:
            placed.append(shop.place())
            await shop.project()

    assert found == placed


async def test_each_filter_chooses(api, shop):
    early = shop.place("c-1", "EUR", 1_000)
    shop.now_us += 60_000_000
    between = shop.now_us
    dear = shop.place("c-2", "USD", 5_000)
    paid = shop.place("c-2", "EUR", 2_000)
    shop.do(
        paid,
        commands.Accept(),
        commands.RequestAuthorisation("p", 4_990),
        commands.RecordAuthorisation("p", "r", 4_990),
    )
    shop.do(dear, commands.Cancel("no"))
    sent = shop.place("c-3", "EUR", 1)
    everything = (LineQuantity("1", 2), LineQuantity("2", 1))
    shop.do(
        sent,
        commands.Accept(),
        commands.CreateShipment("s", everything),
        commands.DispatchShipment("s"),
    )
    await shop.project()

    assert await ids(api, sort="placed_at") == [early, dear, paid, sent]
    for expected, filters in [
        ([dear, paid], {"customer_id": "c-2"}),
        ([], {"customer_id": "c-9"}),
        ([dear], {"lifecycle": "CANCELLED"}),
        ([paid], {"payment_status": "AUTHORISED"}),
        ([sent], {"fulfilment_status": "FULFILLED"}),
        ([dear], {"currency": "USD"}),
        ([dear, paid, sent], {"placed_from": at(between)}),
        ([early], {"placed_to": at(between)}),
        ([dear], {"placed_from": at(between + 1_000), "placed_to": at(between + 1_001)}),
        ([dear, paid], {"min_total_minor": 4_990}),
        ([early, paid, sent], {"max_total_minor": 4_990}),
        ([paid], {"customer_id": "c-2", "currency": "EUR", "lifecycle": "ACCEPTED"}),
    ]:
        assert await ids(api, sort="placed_at", **filters) == expected, filters
        assert await ids(api, sort="placed_at", limit=1, **filters) == expected, filters


async def test_a_customer_s_orders_are_listed_latest_first(api, shop):
    ours = [shop.place("c/1 ☕") for _ in range(3)]
    shop.place("c-2")
    shop.do(ours[1], commands.Accept())
    await shop.project()
    path = "/v1/customers/c%2F1%20%E2%98%95/orders"

    assert await ids(api, path, limit=2) == ours[::-1]
    assert await ids(api, path, lifecycle="ACCEPTED") == [ours[1]]
    assert await ids(api, path, lifecycle="REJECTED") == []
    problem = await api.problem("/v1/customers/nobody/orders")
    assert (problem["status"], problem["code"]) == (404, "customer-not-found")


async def test_the_fulfilment_queue_has_what_is_to_be_sent_oldest_first(api, shop):
    orders = [shop.place() for _ in range(7)]
    for order_id in orders[:6]:
        shop.do(order_id, commands.Accept())
    shop.do(
        orders[1],
        commands.CreateShipment("s", (LineQuantity("1", 1),)),
        commands.DispatchShipment("s"),
    )
    shop.do(
        orders[2],
        commands.CreateShipment("s", (LineQuantity("1", 2), LineQuantity("2", 1))),
        commands.DispatchShipment("s"),
    )
    shop.do(orders[3], commands.Cancel("no"))
    await shop.project()
    expected = [orders[0], orders[1], orders[4], orders[5]]

    pages = [page async for page in api.pages("/v1/queues/fulfilment", limit=3)]

    assert pages == [expected[:3], expected[3:]]


async def test_the_queue_of_returns_is_served(api, shop):
    shop.place()
    await shop.project()

    answer = await api.get("/v1/queues/returns")

    assert answer.json() == {"orders": [], "next_cursor": None}
    assert answer.headers["orders-position"]
