"""Sums, timelines, and how the read models are doing."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from domain import commands
from projectors.read_models import PROJECTIONS
from query_api.routes import reports
from runtime.position import Position

DAY_US = 86_400_000_000


async def test_a_customer_has_totals_per_currency(api, shop):
    shop.place("c-1", "USD", 100)
    order_id = shop.place("c-1", "EUR", 1_000)
    shop.place("c-1", "EUR", 2_000)
    shop.place("c-2", "EUR", 9_000)
    shop.do(order_id, commands.RequestAuthorisation("p", 2_990))
    shop.do(order_id, commands.RecordAuthorisation("p", "r", 2_990))
    shop.do(order_id, commands.RecordCapture("p", "k", "r2", 500))
    await shop.project()

    answer = await api.get("/v1/customers/c-1")

    assert answer.json() == {
        "customer_id": "c-1",
        "totals": [
            {
                "currency": "EUR",
                "orders": 2,
                "gross_minor": 7_980,
                "cancelled_minor": 0,
                "captured_minor": 500,
                "refunded_minor": 0,
            },
            {
                "currency": "USD",
                "orders": 1,
                "gross_minor": 1_190,
                "cancelled_minor": 0,
                "captured_minor": 0,
                "refunded_minor": 0,
            },
        ],
    }
    assert answer.headers["orders-freshness"] == "fresh"
    assert (await api.problem("/v1/customers/c-3"))["code"] == "customer-not-found"


async def test_sums_may_outgrow_64_bits(api, shop):
    for _ in range(3):
        shop.place("c-1", "JPY", 4_000_000_000_000_000_000)
    await shop.project()

    totals = (await api.get("/v1/customers/c-1")).json()["totals"]
    days = (await api.get("/v1/reports/revenue")).json()["days"]

    assert totals[0]["gross_minor"] == days[0]["gross_minor"] == 24_000_000_000_000_002_970


async def test_revenue_is_per_day_and_currency_with_both_ends(api, shop):
    for currency in ("EUR", "USD"):
        for _ in range(2):
            shop.place(currency=currency)
        shop.now_us += DAY_US
    shop.place()
    await shop.project()

    async def days(**parameters) -> list[tuple]:
        body = (await api.get("/v1/reports/revenue", **parameters)).json()
        return [
            (row["day"], row["currency"], row["orders"], row["gross_minor"]) for row in body["days"]
        ]

    first, second, third = (
        ("2026-09-21", "EUR", 2, 5_980),
        ("2026-09-22", "USD", 2, 5_980),
        ("2026-09-23", "EUR", 1, 2_990),
    )
    assert await days() == [first, second, third]
    assert await days(currency="EUR") == [first, third]
    assert await days(**{"from": "2026-09-22", "to": "2026-09-22"}) == [second]
    assert await days(**{"from": "2026-09-22"}) == [second, third]
    assert await days(to="2026-09-21") == [first]
    assert await days(**{"from": "9999-12-31", "to": "9999-12-31"}) == []
    body = (await api.get("/v1/reports/revenue", to="2026-09-21")).json()
    assert (body["from"], body["to"], body["currency"]) == (None, "2026-09-21", None)


async def test_a_report_that_nobody_can_read_is_refused(api, shop):
    shop.place()
    await shop.project()
    await shop.execute(
        "INSERT INTO read_models.revenue_g1 "
        "SELECT date '1970-01-01' + n, 'EUR', 1, 1, 1, 1 FROM generate_series(1, $1::int) n",
        reports.REVENUE_ROWS_MAX,
    )

    problem = await api.problem("/v1/reports/revenue")
    answer = await api.get("/v1/reports/revenue", to="2000-01-01")

    assert [entry["field"] for entry in problem["errors"]] == ["from"]
    assert len(answer.json()["days"]) > 10_000


async def test_a_timeline_has_every_event_with_its_provenance(api, shop, connection):
    order_id = shop.place("c-1")
    shop.do(order_id, commands.Accept(), commands.AddNote("n-1", 'say "hello"\n☕'))
    await shop.project()

    answer = await api.get(f"/v1/orders/{order_id}/timeline")
    body = answer.json()
    partition = await connection.fetchval("SELECT partition FROM read_models.timeline LIMIT 1")

    assert body["order_id"] == order_id
    assert body["next_cursor"] is None
    assert [(e["version"], e["type"]) for e in body["events"]] == [
        (1, "OrderPlaced"),
        (2, "OrderAccepted"),
        (3, "NoteAdded"),
    ]
    note = body["events"][2]
    assert note | {"event_id": ""} == {
        "event_id": "",
        "type": "NoteAdded",
        "order_id": order_id,
        "version": 3,
        "occurred_at": "2026-09-21T14:13:20.003000Z",
        "recorded_at": "2026-09-21T14:13:20.003000Z",
        "actor": {"kind": "user", "id": "u-1"},
        "correlation_id": "corr",
        "causation_id": "cause",
        "reason": "",
        "command_id": "key-3",
        "partition": partition,
        "offset": 2,
        "body": {"note_id": "n-1", "text": 'say "hello"\n☕'},
    }


async def test_a_long_timeline_comes_in_pages(api, shop):
    order_id = shop.place()
    shop.do(order_id, *(commands.AddNote(f"n-{n}", "x") for n in range(24)))
    await shop.project()
    versions, cursor = [], {}

    while True:
        page = await api.get(f"/v1/orders/{order_id}/timeline", limit=10, **cursor)
        versions.append([event["version"] for event in page.json()["events"]])
        if page.json()["next_cursor"] is None:
            break
        cursor = {"cursor": page.json()["next_cursor"]}

    assert versions == [list(range(1, 11)), list(range(11, 21)), list(range(21, 26))]


async def test_projections_tell_generations_checkpoints_and_lag(api, shop):
    for _ in range(20):
        shop.place()
    await shop.project()
    await shop.execute(
        "UPDATE orderlog.checkpoints SET end_offset = next_offset + 5, "
        "last_recorded_at = now() - interval '1 minute' "
        "WHERE projection = 'revenue' AND partition = 0"
    )

    answer = await api.get("/v1/projections")
    entries = {entry["projection"]: entry for entry in answer.json()["projections"]}

    assert sorted(entries) == sorted(PROJECTIONS)
    orders = entries["orders"]
    assert (orders["generation"], orders["state"]) == (1, "live")
    assert orders["function_version"] == PROJECTIONS["orders"].function_version
    assert (orders["error"], orders["parked_orders"]) == (None, 0)
    assert Position.decode(orders["checkpoint"]) == Position.decode(
        answer.headers["orders-position"]
    )
    assert [entry["partition"] for entry in orders["partitions"]] == [0, 1, 2, 3]
    assert sum(entry["next_offset"] for entry in orders["partitions"]) == 20
    late = entries["revenue"]
    assert late["lag_records"] == 5
    assert 60 <= late["lag_seconds"] < 120
    # The others are measured against the same end of the log.
    assert orders["lag_records"] == 5


async def test_a_projection_that_stands_still_shows_why(api, shop):
    await shop.execute(
        "UPDATE orderlog.checkpoints SET error = 'event 7 is broken' "
        "WHERE projection = 'orders' AND partition = 2"
    )

    answer = await api.get("/v1/projections")
    entries = {entry["projection"]: entry for entry in answer.json()["projections"]}

    assert entries["orders"]["error"] == "partition 2: event 7 is broken"
    assert entries["timeline"]["error"] is None
    assert answer.headers["orders-freshness"] == "parked"


@pytest.mark.parametrize(
    ("sql", "name", "said"),
    [
        ("SET error = 'bad' WHERE projection = 'orders' AND partition = 1", "orders", "bad"),
        (
            "SET updated_at = now() - interval '1 hour' WHERE projection = 'revenue'",
            "revenue",
            "stale",
        ),
    ],
)
async def test_readiness_names_the_projection(api, shop, sql, name, said):
    before = await api.get("/readyz")

    await shop.execute(f"UPDATE orderlog.checkpoints {sql}")
    after = await api.get("/readyz")

    assert before.status_code == 200
    assert set(before.json()["dependencies"].values()) == {"ok"}
    assert after.status_code == 503
    wrong = {key: value for key, value in after.json()["dependencies"].items() if value != "ok"}
    assert list(wrong) == [name]
    assert said in wrong[name]


def counted() -> float:
    """How many questions for one order were answered by this process, over all tests."""
    labels = {"route": "/v1/orders/{order_id}", "status": "200"}
    return REGISTRY.get_sample_value("orderlog_query_request_seconds_count", labels) or 0.0


async def test_requests_are_measured_per_route(api, shop):
    order_id = shop.place()
    await shop.project()
    await asyncio.gather(
        api.get(f"/v1/orders/{order_id}"),
        api.get("/v1/orders"),
        api.get("/v1/customers/c-1/orders"),
        api.get(f"/v1/no-such-{order_id}"),
    )

    before = counted()
    for ask in (api.client.get, api.client.head):
        await ask(f"/v1/orders/{order_id}")
    text = (await api.get("/metrics")).text

    assert counted() == before + 2
    for route in ("/v1/orders/{order_id}", "/v1/orders", "/v1/customers/{customer_id:path}/orders"):
        assert f'orderlog_query_request_seconds_count{{route="{route}",status="200"}}' in text
    assert 'orderlog_query_request_seconds_count{route="none",status="404"}' in text
    assert order_id not in text
