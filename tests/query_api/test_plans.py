"""How Postgres finds the rows: by an index, with 100,000 orders, for every filter and sort."""

from datetime import UTC, datetime
from itertools import product

import pytest

from query_api import selections

ORDERS = 100_000
LIMIT = 51
DAY = datetime(2026, 3, 1, tzinfo=UTC)
SORTS = ("placed_at", "-placed_at", "total_minor", "-total_minor", "updated_at", "-updated_at")
FILTERS = {
    "customer_id": "c-17",
    "lifecycle": "ACCEPTED",
    "payment_status": "PARTIALLY_CAPTURED",
    "fulfilment_status": "PARTIAL",
    "currency": "EUR",
    "placed_from": DAY,
    "placed_to": DAY,
    "min_total_minor": 500,
    "max_total_minor": 500,
}
EVERY_COLUMN = {
    "order_id": "gen_random_uuid()",
    "customer_id": "'c-' || n % 5000",
    "currency": "(ARRAY['EUR','USD','JPY'])[1 + n % 3]",
    "lifecycle": "(ARRAY['PLACED','ACCEPTED','COMPLETED','CANCELLED'])[1 + n % 4]",
    "payment_status": "(ARRAY['NONE','AUTHORISED','PARTIALLY_CAPTURED','CAPTURED'])[1 + n % 4]",
    "fulfilment_status": "(ARRAY['NONE','PARTIAL','DELIVERED','DELIVERED'])[1 + n % 4]",
    "return_status": "CASE WHEN n % 500 = 0 THEN 'REQUESTED' ELSE 'NONE' END",
    "has_work": "n % 20 = 0",
    "has_open_return": "n % 500 = 0",
    "total_minor": "n % 1000",
    "placed_at": "timestamptz '2026-01-01Z' + n * interval '1 minute'",
    "updated_at": "timestamptz '2026-02-01Z' + n * interval '1 minute'",
}
EMPTY = {"boolean": "false", "text": "''", "timestamp with time zone": "now()"}


@pytest.fixture
async def plan(shop, connection, owner):
    """Answer `plan(statement, *arguments)`: how Postgres would do it, as text."""
    columns = await owner.fetch(
        "SELECT column_name AS name, data_type AS kind FROM information_schema.columns "
        "WHERE table_schema = 'read_models' AND table_name = 'orders_g1' ORDER BY ordinal_position"
    )
    values = [EVERY_COLUMN.get(c["name"], EMPTY.get(c["kind"], "0")) for c in columns]
    await connection.execute(
        f"INSERT INTO read_models.orders_g1 SELECT {', '.join(values)} "
        f"FROM generate_series(1, {ORDERS}) n"
    )
    await owner.execute("ANALYZE read_models.orders_g1")

    async def explain(statement, *arguments) -> str:
        rows = await connection.fetch(f"EXPLAIN {statement.sql}", *arguments)
        return "\n".join(row[0] for row in rows)

    return explain


async def test_no_list_and_no_queue_reads_all_orders(plan):
    lists = {
        f"{filters} by {sort}": (selections.orders(filters, sort, is_continued=False), filters)
        for filters, sort in product([(), *((name,) for name in FILTERS)], SORTS)
    }
    queues = {
        work.name: (selections.queue(work, is_continued=False), ())
        for work in (selections.FULFILMENT, selections.RETURNS)
    }
    plans = {
        name: await plan(statement, *(FILTERS[filtered] for filtered in filters), LIMIT)
        for name, (statement, filters) in (lists | queues).items()
    }

    assert len(plans) == 62
    assert {name: text for name, text in plans.items() if "Seq Scan on orders_g1" in text} == {}


async def test_a_plan_that_reads_all_orders_would_be_seen(plan, connection):
    text = "\n".join(
        row[0]
        for row in await connection.fetch(
            "EXPLAIN SELECT count(*) FROM read_models.orders WHERE version = 7"
        )
    )

    assert "Seq Scan on orders_g1" in text
