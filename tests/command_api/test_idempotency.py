"""One key, one request, one answer."""

import asyncio
import json

import pytest

from command_api.bodies import COMMANDS
from command_api.submissions import fingerprint

ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"


async def test_without_a_key_two_requests_are_two_orders(api, placing):
    first = await api.post("/v1/orders", placing)
    second = await api.post("/v1/orders", placing)

    assert first.json()["order_id"] != second.json()["order_id"]
    assert len(api.events()) == 2
    assert all(event.command_id for event in api.events())


async def test_an_order_without_an_id_gets_it_from_its_key(api, placing):
    first = await api.post("/v1/orders", placing, idempotency_key="k-1")
    again = await api.post("/v1/orders", placing, idempotency_key="k-1")

    assert again.json()["order_id"] == first.json()["order_id"]
    assert len(api.events()) == 1


async def test_the_same_key_of_two_tenants_is_two_orders(serve, placing):
    order_ids = set()
    for tenant in ("one", "two"):
        async with serve(tenant=tenant) as api:
            answer = await api.post("/v1/orders", placing, idempotency_key="k-1")
            order_ids.add(answer.json()["order_id"])

    assert len(order_ids) == 2


@pytest.mark.parametrize(
    "change",
    [{"currency": "USD"}, {"customer_id": "c-2"}, {"placed_at": "2026-01-01T00:00:00Z"}],
    ids=lambda change: next(iter(change)),
)
async def test_a_key_is_not_taken_for_another_order(api, placing, change):
    await api.post("/v1/orders", placing, idempotency_key="k-1")

    problem = await api.problem("/v1/orders", {**placing, **change}, idempotency_key="k-1")

    assert (problem["status"], problem["code"]) == (422, "idempotency-key-reused")
    assert len(api.events()) == 1


async def test_a_key_is_not_taken_for_another_command(api, placed, note):
    await api.post(f"/v1/orders/{placed}/add-note", note, idempotency_key="k-1")

    problem = await api.problem(f"/v1/orders/{placed}/accept", idempotency_key="k-1")

    assert problem["code"] == "idempotency-key-reused"
    assert len(api.events(placed)) == 2


async def test_a_key_belongs_to_one_order(api, placed, placing):
    other = (await api.post("/v1/orders", placing)).json()["order_id"]

    for order_id in (placed, other):
        answer = await api.post(f"/v1/orders/{order_id}/accept", idempotency_key="k-1")
        assert answer.json()["replayed"] is False

    assert [len(api.events(order_id)) for order_id in (placed, other)] == [2, 2]


@pytest.mark.parametrize(
    "spelled",
    [
        b'{ "text" : "caf\\u00e9",\n"note_id":"n-1" }',
        '{"note_id": "n-1", "text": "café"}'.encode(),
    ],
    ids=["escaped", "in UTF-8"],
)
async def test_another_spelling_is_the_same_request(api, placed, spelled):
    path = f"/v1/orders/{placed}/add-note"
    await api.post(path, {"note_id": "n-1", "text": "café"}, idempotency_key="k-1")

    answer = await api.post(path, spelled, idempotency_key="k-1")

    assert answer.json()["replayed"] is True


async def test_a_default_that_is_written_out_is_the_same_request(api, placing):
    await api.post("/v1/orders", placing, idempotency_key="k-1")

    answer = await api.post("/v1/orders", {**placing, "shipping": None}, idempotency_key="k-1")

    assert answer.json()["replayed"] is True


@pytest.mark.parametrize(
    ("name", "data", "order_id", "digest"),
    [
        (
            "place-order",
            {
                "customer_id": "c-1",
                "currency": "EUR",
                "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
            },
            None,
            "e104a99479a4b5f34b553db45f169c3aa5c3b1f3053ef7920d8860dd10530dcc",
        ),
        (
            "add-note",
            {"note_id": "n-1", "text": "Please ring twice."},
            ORDER,
            "92654c8f8724118365f8b074b99a76588f371fbdff1200ddcd7783034e9fbc25",
        ),
        (
            "accept",
            {},
            ORDER,
            "309cc0a2e922170c09a3c825f86245ebe25529d7246d5abc1b672353ddd9ae63",
        ),
    ],
    ids=["place-order", "add-note", "accept"],
)
def test_a_fingerprint_is_the_same_in_every_release(name, data, order_id, digest):
    """It is stored with every event: were it another one, repeats would be refused as reuses."""
    body = COMMANDS[name].model_validate_json(json.dumps(data))

    assert fingerprint(body, order_id).hex() == digest


async def test_twenty_at_once_with_one_key_append_once(api, placing):
    answers = await asyncio.gather(
        *(api.post("/v1/orders", placing, idempotency_key="k-1") for _ in range(20))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["events"][0]["event_id"] for answer in answers}) == 1
    assert sorted(answer.json()["replayed"] for answer in answers) == [False] + [True] * 19
    assert len(api.events()) == 1


async def test_twenty_notes_at_once_on_one_order_follow_each_other(api, placed):
    answers = await asyncio.gather(
        *(
            api.post(f"/v1/orders/{placed}/add-note", {"note_id": f"n-{number}", "text": "x"})
            for number in range(20)
        )
    )

    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 22))


async def test_a_repeat_gets_its_own_version_after_others(api, placed, note):
    path = f"/v1/orders/{placed}/add-note"
    first = await api.post(path, note, idempotency_key="k-1")
    await api.post(f"/v1/orders/{placed}/accept")

    again = await api.post(path, note, idempotency_key="k-1")

    assert again.json()["version"] == first.json()["version"] == 2
    assert again.json()["events"] == first.json()["events"]


async def test_a_repeat_is_answered_whatever_the_rules_say_by_now(api, placed):
    path = f"/v1/orders/{placed}/cancel-lines"
    body = {"lines": [{"line_id": "1", "quantity": 2}]}
    await api.post(path, body, idempotency_key="k-1")

    again = await api.post(path, body, idempotency_key="k-1")
    problem = await api.problem(path, body, idempotency_key="k-2")

    assert again.json()["replayed"] is True
    assert problem["rule"] == "order-cancelled"


async def test_a_refused_command_leaves_its_key_free(api, placed):
    path = f"/v1/orders/{placed}/create-shipment"
    body = {"shipment_id": "s-1", "lines": [{"line_id": "1", "quantity": 1}]}
    assert (await api.post(path, body, idempotency_key="k-1")).status_code == 409
    await api.post(f"/v1/orders/{placed}/accept")

    answer = await api.post(path, body, idempotency_key="k-1")

    assert (answer.status_code, answer.json()["replayed"]) == (200, False)


async def test_a_key_outlives_the_process(serve, placing):
    async with serve() as earlier:
        first = await earlier.post("/v1/orders", placing, idempotency_key="k-1")
    async with serve(earlier.log) as later:
        again = await later.post("/v1/orders", placing, idempotency_key="k-1")

    assert again.json() == {**first.json(), "replayed": True}


@pytest.mark.parametrize(
    "key", ["", "a b", "k\tb", "ä", "x" * 256], ids=["empty", "space", "tab", "umlaut", "256 long"]
)
async def test_a_malformed_key_is_named(api, placing, key):
    answer = await api.client.post(
        "/v1/orders", json=placing, headers={"Idempotency-Key": key.encode()}
    )

    assert answer.status_code == 422
    assert [entry["field"] for entry in answer.json()["errors"]] == ["Idempotency-Key"]
    assert api.events() == []


@pytest.mark.parametrize("key", ["!", "~" * 255, '{"a":1}'], ids=["one", "255", "punctuation"])
async def test_any_visible_ascii_is_a_key(api, placing, key):
    answer = await api.post("/v1/orders", placing, idempotency_key=key)

    assert answer.status_code == 201
    assert api.events()[0].command_id == key
