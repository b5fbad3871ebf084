"""Every command: what is answered, what is in the log, and that a repeat changes nothing."""

import uuid

import pytest

from command_api.bodies import COMMANDS
from runtime.position import Position, log_id

OTHERS = [name for name, body in COMMANDS.items() if not body.creates]

AT_US = {
    "2026-11-25T10:00:00Z": 1_795_600_800_000_000,
    "2026-12-01T00:00:00Z": 1_796_083_200_000_000,
}


def in_words(name: str) -> str:
    """Return `RecordCapture` for `record-capture`."""
    return "".join(part.capitalize() for part in name.split("-"))


async def test_every_command_has_a_life_to_be_tested_in(lives):
    assert set(lives) == set(COMMANDS)


async def test_a_placed_order_is_created(api, placing):
    answer = await api.post("/v1/orders", placing)

    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/orders/{body['order_id']}"
    assert uuid.UUID(body["order_id"])
    assert [event.type for event in api.events(body["order_id"])] == ["OrderPlaced"]


@pytest.mark.parametrize("name", OTHERS)
async def test_a_command_makes_its_events(api, lives, name):
    life = lives[name]
    order_id, version = await api.live(life)

    answer = await api.post(f"/v1/orders/{order_id}/{name}", life.data)

    body = answer.json()
    stored = api.events(order_id)[version:]
    assert answer.status_code == 200
    assert list(body) == ["order_id", "version", "replayed", "events", "position"]
    assert (body["order_id"], body["replayed"]) == (order_id, False)
    assert body["version"] == version + len(life.events)
    assert [event.type for event in stored] == life.events
    assert body["events"] == [
        {"event_id": event.event_id, "type": event.type, "version": event.version}
        for event in stored
    ]


@pytest.mark.parametrize("name", OTHERS)
async def test_every_field_of_a_command_is_in_its_event(api, lives, name):
    life = lives[name]
    order_id, version = await api.live(life)

    await api.post(f"/v1/orders/{order_id}/{name}", life.data)

    event = api.events(order_id)[version]
    stored = await api.in_the_clear(event)
    stored |= {"expires_at": stored.get("expires_at_us"), "delivered_at": event.occurred_at_us}
    assert set(life.data) == set(COMMANDS[name].model_fields)
    for field, value in life.data.items():
        if field == "changes":
            lines = [(line["line_id"], line["sku"], line["quantity"]) for line in stored["lines"]]
            assert lines == [("1", "A-1", 1), ("2", "B-1", 1)]
            continue
        assert stored[field] == AT_US.get(value if field.endswith("_at") else None, value), field


@pytest.mark.parametrize("name", OTHERS)
async def test_the_headers_say_what_the_body_says(api, lives, name):
    order_id, _ = await api.live(lives[name])

    answer = await api.post(f"/v1/orders/{order_id}/{name}", lives[name].data)

    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == f'"{body["version"]}"'
    assert answer.headers["orders-position"] == body["position"]
    assert answer.headers["idempotency-replayed"] == "false"
    assert "location" not in answer.headers


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_position_contains_what_was_appended_and_nothing_later(
    api, lives, name, placing, path_of
):
    order_id, _ = await api.live(lives[name])
    path = path_of(COMMANDS[name], order_id)

    body = (await api.post(path, lives[name].data)).json()

    last = api.events(body["order_id"])[-1]
    position = Position.decode(body["position"])
    assert position.log_id == log_id("memory", "memory")
    assert position.offsets == {last.partition: last.offset + 1}


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_same_request_again_is_answered_alike_and_appends_nothing(
    api, lives, name, path_of
):
    life = lives[name]
    order_id, _ = await api.live(life)
    path = path_of(COMMANDS[name], order_id)
    first = await api.post(path, life.data, idempotency_key="once")
    before = api.events()

    again = await api.post(path, life.data, idempotency_key="once")

    assert again.status_code == first.status_code
    assert again.json() == {**first.json(), "replayed": True}
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers.get("location") == first.headers.get("location")
    assert api.events() == before


@pytest.mark.parametrize("spell", [str, in_words], ids=["kebab-case", "PascalCase"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_can_be_sent_in_a_batch(api, lives, name, spell):
    life = lives[name]
    order_id, _ = await api.live(life)
    item = {"command": spell(name), "data": life.data}
    if name in OTHERS:
        item["order_id"] = order_id

    answer = await api.post("/v1/commands", [item])

    [result] = answer.json()["results"]
    assert answer.status_code == 200
    assert list(result) == ["status", "order_id", "version", "replayed", "events", "position"]
    assert result["status"] == (200 if name in OTHERS else 201)
    assert [event["type"] for event in result["events"]] == life.events
    assert result["events"][-1]["event_id"] == api.events(result["order_id"])[-1].event_id


@pytest.mark.parametrize("name", ["accept", "add-note", "request-authorisation", "cancel"])
async def test_what_is_already_so_is_answered_without_events(api, lives, name):
    order_id, _ = await api.live(lives[name])
    path = f"/v1/orders/{order_id}/{name}"
    first = (await api.post(path, lives[name].data)).json()

    again = await api.post(path, lives[name].data)

    assert again.status_code == 200
    assert again.json()["events"] == []
    assert again.json()["replayed"] is False
    assert again.json()["version"] == first["version"]
    assert again.json()["position"] == first["position"]


async def test_a_refusal_names_its_rule_and_appends_nothing(api, placed):
    before = api.events()

    problem = await api.problem(
        f"/v1/orders/{placed}/create-shipment",
        {"shipment_id": "s-1", "lines": [{"line_id": "1", "quantity": 1}]},
    )

    assert (problem["code"], problem["rule"]) == ("rejected", "order-not-accepted")
    assert problem["detail"] == "Accept the order before you ship from it."
    assert api.events() == before


@pytest.mark.parametrize("name", ["accept", "cancel"])
async def test_a_command_without_required_fields_needs_no_body(api, placed, name):
    answer = await api.client.post(f"/v1/orders/{placed}/{name}")

    assert answer.status_code == 200


@pytest.mark.parametrize("name", OTHERS)
async def test_an_order_that_was_never_placed_is_not_found(api, lives, order_id, name):
    problem = await api.problem(f"/v1/orders/{order_id}/{name}", lives[name].data)

    assert (problem["status"], problem["code"]) == (404, "order-not-found")
    assert api.events() == []


async def test_an_order_id_means_the_same_in_capitals(api, placed):
    answer = await api.post(f"/v1/orders/{placed.upper()}/accept")

    assert answer.json()["order_id"] == placed
    assert len(api.events(placed)) == 2


async def test_an_order_has_the_id_that_the_client_chose(api, placing, order_id):
    answer = await api.post("/v1/orders", {**placing, "order_id": order_id.upper()})

    assert answer.json()["order_id"] == order_id


async def test_an_order_id_is_taken_once(api, placing, order_id):
    await api.post("/v1/orders", {**placing, "order_id": order_id})

    problem = await api.problem("/v1/orders", {**placing, "order_id": order_id})

    assert (problem["status"], problem["code"]) == (409, "order-exists")
    assert len(api.events()) == 1


async def test_times_in_a_body_are_when_it_happened(api, lives, placing):
    placed = await api.post("/v1/orders", {**placing, "placed_at": "2025-01-02T03:04:05.000006Z"})
    order_id, _ = await api.live(lives["record-delivery"])
    await api.post(f"/v1/orders/{order_id}/record-delivery", lives["record-delivery"].data)

    [event] = api.events(placed.json()["order_id"])
    delivered = api.events(order_id)[-1]
    assert event.occurred_at_us == 1_735_787_045_000_006
    assert event.recorded_at_us > event.occurred_at_us
    assert delivered.occurred_at_us == 1_795_600_800_000_000


async def test_the_fullest_order_is_kept_as_it_was_sent(api, placing):
    address = {
        "name": "Ada Öztürk",
        "lines": ["Hauptstraße 1", "2. OG"],
        "postal_code": "10115",
        "city": "Berlin",
        "region": "BE",
        "country": "DE",
    }
    tax = {"code": "VAT", "rate": "0.19", "amount_minor": 415, "included": True}
    line = {**placing["lines"][0], "line_id": "cup", "name": "Cup ☕ 杯", "taxes": [tax]}
    answer = await api.post(
        "/v1/orders",
        {
            **placing,
            "contact": {"name": "Ada", "email": "ada@example.org", "phone": "+49 30 1"},
            "ship_to": address,
            "bill_to": {**address, "country": "AT"},
            "lines": [line],
            "shipping": {"method": "standard", "price_minor": 490},
            "discounts": [{"discount_id": "SPRING", "amount_minor": 200, "line_id": None}],
        },
    )

    [event] = api.events(answer.json()["order_id"])
    placed = event.event
    clear = await api.in_the_clear(event)
    contact, home, office = clear["contact"], clear["ship_to"], clear["bill_to"]
    assert (home["name"], home["lines"]) == ("Ada Öztürk", address["lines"])
    assert (home["country"], office["country"]) == ("DE", "AT")
    assert (contact["email"], contact["phone"]) == ("ada@example.org", "+49 30 1")
    assert (placed.lines[0].line_id, placed.lines[0].name) == ("cup", "Cup ☕ 杯")
    assert (placed.lines[0].taxes[0].rate, placed.lines[0].taxes[0].included) == ("0.19", True)
    assert (placed.shipping.price_minor, placed.discounts[0].discount_id) == (490, "SPRING")
    assert placed.total_minor == 2 * 1299 - 200 + 490
