"""Whatever a client sends: a document that says what is wrong, never a 5xx."""

import asyncio
import base64
import json
import string
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query_api import cursors, problems

ORDER = "/v1/orders/0193a5c0-7d1e-7c3a-9d7e-2f6f0a1b2c3d"
LISTS = ("/v1/orders", "/v1/customers/c-1/orders", "/v1/queues/fulfilment", "/v1/queues/returns")
ROUTES = (
    ORDER,
    *LISTS,
    f"{ORDER}/timeline",
    "/v1/customers/c-1",
    "/v1/reports/revenue",
    f"{ORDER}/stream",
    "/v1/stream",
)


@pytest.mark.parametrize("path", ROUTES)
async def test_a_parameter_that_is_not_there_is_named(api, path):
    problem = await api.problem(path, colour="red", wait_ms="soon")

    assert (problem["status"], problem["code"]) == (422, "invalid-query")
    assert sorted(entry["field"] for entry in problem["errors"]) == ["colour", "wait_ms"]


@pytest.mark.parametrize("path", ROUTES)
async def test_a_parameter_is_given_once(api, path):
    problem = await api.problem(f"{path}?wait_ms=1&wait_ms=2")

    assert problem["errors"] == [{"field": "wait_ms", "message": "must be given once"}]


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        *((path, "limit", value) for path in LISTS for value in ("0", "201", "-1", "1.5", "٣", "")),
        *((path, "wait_ms", value) for path in ROUTES for value in ("-1", "10001", "9" * 400)),
        ("/v1/orders", "sort", "customer_id"),
        ("/v1/orders", "sort", "--placed_at"),
        ("/v1/orders", "lifecycle", "placed"),
        ("/v1/orders", "payment_status", "PAID"),
        ("/v1/orders", "fulfilment_status", "x"),
        ("/v1/orders", "currency", "eur"),
        ("/v1/orders", "currency", "EUR\n"),
        ("/v1/orders", "customer_id", ""),
        ("/v1/orders", "customer_id", "a\x00b"),
        ("/v1/orders", "customer_id", "x" * 201),
        ("/v1/orders", "min_total_minor", str(2**63)),
        ("/v1/orders", "max_total_minor", "-" + "9" * 30),
        ("/v1/orders", "max_total_minor", "1e3"),
        ("/v1/orders", "placed_from", "2026-11-23"),
        ("/v1/orders", "placed_from", "2026-11-23T09:00:00"),
        ("/v1/orders", "placed_from", "1790000000"),
        ("/v1/orders", "placed_to", "0001-01-01T00:00:00+14:00"),
        ("/v1/orders", "placed_to", "9999-12-31T23:59:59-14:00"),
        ("/v1/orders", "placed_to", "2026-02-30T00:00:00Z"),
        ("/v1/orders", "placed_to", "0000-01-01T00:00:00Z"),
        ("/v1/reports/revenue", "from", "20261123"),
        ("/v1/reports/revenue", "from", "2026-13-01"),
        ("/v1/reports/revenue", "to", "2026-11-23T00:00:00Z"),
        ("/v1/reports/revenue", "currency", "EURO"),
        (f"{ORDER}/timeline", "limit", "1001"),
        ("/v1/stream", "from", "yesterday"),
    ],
)
async def test_a_wrong_value_is_named(api, path, field, value):
    problem = await api.problem(path, **{field: value})

    assert (problem["status"], problem["code"]) == (422, "invalid-query")
    assert [entry["field"] for entry in problem["errors"]] == [field]
    assert problem["errors"][0]["message"]


async def test_all_that_is_wrong_is_named_at_once(api):
    problem = await api.problem("/v1/orders", limit=0, sort="x", nonsense=1, currency="e")

    fields = sorted(entry["field"] for entry in problem["errors"])
    assert fields == ["currency", "limit", "nonsense", "sort"]


@pytest.mark.parametrize("order_id", ["1", "x" * 5_000, "%00", "0193a5c0-7d1e", "%F0%9F%98%80"])
@pytest.mark.parametrize("rest", ["", "/timeline", "/stream"])
async def test_an_order_id_is_a_uuid(api, order_id, rest):
    problem = await api.problem(f"/v1/orders/{order_id}{rest}")

    assert problem["status"] == 422
    assert problem["errors"] == [{"field": "order_id", "message": "must be a UUID"}]


@pytest.mark.parametrize("customer_id", ["%00", "a%00b", "x" * 201])
@pytest.mark.parametrize("rest", ["", "/orders"])
async def test_a_customer_id_can_be_one(api, customer_id, rest):
    problem = await api.problem(f"/v1/customers/{customer_id}{rest}")

    assert problem["status"] == 422
    assert [entry["field"] for entry in problem["errors"]] == ["customer_id"]


@pytest.mark.parametrize("rest", ["", "/orders"])
async def test_a_lone_surrogate_is_not_found(api, rest):
    problem = await api.problem(f"/v1/customers/%ED%A0%80{rest}")

    assert (problem["status"], problem["code"]) == (404, "customer-not-found")


async def test_days_in_the_wrong_order_are_refused(api):
    problem = await api.problem("/v1/reports/revenue", **{"from": "2026-11-24", "to": "2026-11-23"})

    assert problem["errors"] == [{"field": "to", "message": "must not be before `from`"}]


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("path", [*LISTS, f"{ORDER}/timeline"])
@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "\x00",
        "AAAA",
        forged(),
        forged(1, 2, 3),
        forged("a", "b", "c"),
        forged("scope", "2026-11-23T09:00:00+00:00", str(uuid.UUID(int=1))),
        forged("scope", 1, str(uuid.UUID(int=1))),
        forged("scope", 2**70, str(uuid.UUID(int=1))),
        forged("scope", True, str(uuid.UUID(int=1))),
        forged({"a": []}, None, None),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        "a" * 1_001,
    ],
)
async def test_a_cursor_that_is_none_is_refused(api, path, cursor):
    problem = await api.problem(path, cursor=cursor)

    assert problem["code"] == "invalid-query"
    assert [entry["field"] for entry in problem["errors"]] == ["cursor"]


async def test_a_cursor_is_good_for_its_own_question_only(api, shop):
    for _ in range(3):
        shop.place()
    await shop.project()
    first = await api.get("/v1/orders", limit=1, sort="total_minor", currency="EUR")
    cursor = first.json()["next_cursor"]

    for path, changes in [
        ("/v1/orders", {"sort": "total_minor"}),
        ("/v1/orders", {"sort": "-total_minor", "currency": "EUR"}),
        ("/v1/orders", {"sort": "placed_at", "currency": "EUR"}),
        ("/v1/orders", {"sort": "total_minor", "currency": "USD"}),
        ("/v1/orders", {"sort": "total_minor", "currency": "EUR", "customer_id": "c-1"}),
        ("/v1/customers/c-1/orders", {"sort": "total_minor", "currency": "EUR"}),
        ("/v1/queues/fulfilment", {}),
    ]:
        problem = await api.problem(path, cursor=cursor, **changes)
        assert [entry["field"] for entry in problem["errors"]] == ["cursor"], changes

    more = await api.get("/v1/orders", limit=2, sort="total_minor", currency="EUR", cursor=cursor)
    assert len(more.json()["orders"]) == 2


async def test_a_cursor_with_a_time_that_postgres_cannot_hold_is_refused(api):
    scope = cursors.scope_of("orders", "-placed_at", {})
    problem = await api.problem(
        "/v1/orders", cursor=forged(scope, "0001-01-01T00:00:00+14:00", str(uuid.UUID(int=1)))
    )

    assert problem["code"] == "invalid-query"


async def test_other_paths_and_methods_are_problems_too(api):
    assert (await api.problem("/v2/orders"))["code"] == "route-not-found"
    assert (await api.problem("/v1/orders/"))["code"] in {"route-not-found", "invalid-query"}
    for path in (ORDER, "/v1/orders"):
        answer = await api.client.post(path, json={})
        assert answer.status_code == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "method-not-allowed"


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/orders?customer_id=%ff%fe HTTP/1.1",
        b"GET /v1/orders?customer_id=\xff HTTP/1.1",
        b"GET /v1/orders?%ED%A0%80=1 HTTP/1.1",
        b"GET /v1/orders?&&=&;a HTTP/1.1",
        b"GET /v1/customers/\xff HTTP/1.1",
        b"GET /v1/customers/%ff/orders HTTP/1.1",
        b"GET /v1/orders/%2e%2e/%2e%2e HTTP/1.1",
        b"GET /v1/orders?cursor=%zz HTTP/1.1",
        b"GET http://[::1/v1/orders HTTP/1.1",
        b"GET /v1/orders\x00 HTTP/1.1",
    ],
)
async def test_bytes_that_no_client_sends_are_no_fault_of_ours(api, line):
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.readline()
    writer.close()

    assert answer.split()[1] in {b"200", b"400", b"404", b"422"}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(LISTS),
    parameters=st.dictionaries(
        st.sampled_from(["limit", "cursor", "sort", "customer_id", "placed_from", "wait_ms", "x"])
        | st.text(max_size=3),
        st.text(max_size=20) | st.text(string.digits + "-TZ:+.", max_size=25),
        max_size=3,
    ),
)
async def test_no_query_is_a_fault_of_ours(api, path, parameters):
    answer = await api.get(path, **parameters)

    assert answer.status_code in (200, 404, 422), answer.text


def test_every_code_is_documented():
    text = (Path(__file__).parents[2] / "docs/query-api.md").read_text()

    assert [code for code in problems.CODES if f"`{code}`" not in text] == []
