"""Personal data on its way into the log: sealed before it is decided, and erased with its key."""

import pytest

from eventlog.memory import MemoryLog
from personal_data.keys import KeysUnavailable, MemoryKeys, NoKeys

ADA = {"name": "Ada Lovelace", "email": "ada@example.org", "phone": "+49 30 1"}
BOB = {**ADA, "name": "Bob"}
HOME = {"name": "Ada Lovelace", "lines": ["Analytical Way 1"], "city": "Berlin", "country": "DE"}
NOTE = {"note_id": "n-1", "text": "Ring twice, I am deaf."}
PARTITIONS = 4
SECRETS = ("Lovelace", "ada@example.org", "Analytical Way", "I am deaf", "+49 30 1")
PERSONAL = {"contact": ADA, "ship_to": HOME, "bill_to": HOME}


class Flaky(MemoryKeys):
    """A key store that is away while `is_away`."""

    is_away = False

    async def made(self, order_ids):
        self._look()
        return await super().made(order_ids)

    async def destroy(self, order_ids):
        self._look()
        await super().destroy(order_ids)

    def _look(self):
        if self.is_away:
            raise KeysUnavailable("the key store does not answer; ask again")


@pytest.fixture
async def placed(api, placing):
    """Answer the id of an order with everything personal in it."""
    answer = await api.post("/v1/orders", {**placing, **PERSONAL})
    order_id = answer.json()["order_id"]
    await api.post(f"/v1/orders/{order_id}/add-note", NOTE)
    return order_id


def stored(log: MemoryLog) -> bytes:
    return b"".join(
        record.key + (record.value or b"")
        for partition in range(PARTITIONS)
        for record in log.records(partition)
    )


async def test_nothing_personal_is_in_the_log(api, placed):
    bytes_of_log = stored(api.log)

    assert placed.encode() in bytes_of_log
    for secret in SECRETS:
        assert secret.encode() not in bytes_of_log


async def test_an_order_without_personal_data_needs_no_key(serve, placing):
    async with serve(keys=NoKeys()) as api:
        answer = await api.post("/v1/orders", placing)
        order_id = answer.json()["order_id"]
        cancelled = await api.post(f"/v1/orders/{order_id}/cancel", {"reason": "no"})

    assert (answer.status_code, cancelled.status_code) == (201, 200)


@pytest.mark.parametrize(
    ("command", "data"),
    [("add-note", NOTE), ("correct-contact", {"contact": BOB}), ("erase-customer-data", {})],
)
async def test_without_keys_what_needs_them_is_put_off_and_all_else_goes_on(
    serve, placing, command, data
):
    keys = Flaky()
    async with serve(keys=keys) as api:
        order_id = (await api.post("/v1/orders", {**placing, **PERSONAL})).json()["order_id"]
        keys.is_away = True
        key = "the-key"
        problem = await api.problem(f"/v1/orders/{order_id}/{command}", data, idempotency_key=key)
        accepted = await api.post(f"/v1/orders/{order_id}/accept", {})
        keys.is_away = False
        again = await api.post(f"/v1/orders/{order_id}/{command}", data, idempotency_key=key)
        events = [event.type for event in api.events(order_id)]

    assert problem["code"] == "key-store-unavailable"
    assert "same Idempotency-Key" in problem["detail"]
    assert (accepted.status_code, again.status_code) == (200, 200)
    assert len(events) == 3  # Whatever was decided before is not decided twice.


async def test_no_store_names_the_setting(serve, placing):
    async with serve(keys=NoKeys()) as api:
        problem = await api.problem("/v1/orders", {**placing, "contact": ADA})
        found = api.events()

    assert "ORDERLOG_KEYS_DATABASE_URL" in problem["detail"]
    assert found == []


async def test_the_same_again_is_a_repeat_and_another_request_is_none(api, placing):
    first = await api.post("/v1/orders", {**placing, **PERSONAL}, idempotency_key="k")
    again = await api.post("/v1/orders", {**placing, **PERSONAL}, idempotency_key="k")
    other = await api.problem("/v1/orders", {**placing, "contact": BOB}, idempotency_key="k")
    without = await api.problem("/v1/orders", placing, idempotency_key="k")

    assert again.json() == {**first.json(), "replayed": True}
    assert {other["code"], without["code"]} == {"idempotency-key-reused"}


async def test_rules_tell_the_same_from_something_else_though_it_is_sealed(api, placed):
    path = f"/v1/orders/{placed}"
    same = await api.post(f"{path}/correct-contact", {"contact": ADA})
    other = await api.post(f"{path}/correct-contact", {"contact": BOB})
    note = await api.post(f"{path}/add-note", NOTE)
    changed = await api.problem(f"{path}/add-note", {**NOTE, "text": "Never mind."})

    assert (same.json()["events"], note.json()["events"]) == ([], [])
    assert [event["type"] for event in other.json()["events"]] == ["ContactCorrected"]
    assert changed["rule"] == "note-id-reused"


async def test_a_draft_is_placed_with_what_was_sealed_before(api):
    order_id = (await api.post("/v1/drafts", {"customer_id": "c-1", "currency": "EUR"})).json()[
        "order_id"
    ]
    path = f"/v1/orders/{order_id}"
    await api.post(f"{path}/set-addresses", {"ship_to": HOME, "contact": ADA})
    same = await api.post(f"{path}/set-addresses", {"ship_to": HOME, "contact": ADA})
    await api.post(f"{path}/add-line", {"sku": "A-1", "quantity": 1, "unit_price_minor": 100})
    await api.post(f"{path}/place", {})

    placed = await api.in_the_clear(api.events(order_id)[-1])
    assert same.json()["events"] == []
    assert (placed["contact"], placed["ship_to"]["lines"]) == (ADA, HOME["lines"])


async def test_commands_of_a_batch_keep_their_sequence_whatever_needs_a_key(api, placing):
    order_id = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
    notes = [{"note_id": f"n-{n}", "text": f"note {n}"} for n in range(20)]
    commands = [
        {"command": "PlaceOrder", "order_id": order_id, "data": placing},
        *({"command": "AddNote", "order_id": order_id, "data": note} for note in notes),
        {"command": "Accept", "order_id": order_id, "data": {}},
        {"command": "CorrectContact", "order_id": order_id, "data": {"contact": ADA}},
        {"command": "NoSuchCommand", "data": {}},
    ]
    results = (await api.post("/v1/commands", commands)).json()["results"]

    assert [one["status"] for one in results] == [201, *([200] * 22), 422]
    assert [one["version"] for one in results[:-1]] == list(range(1, 24))


async def test_a_dry_run_shows_data_in_the_clear_and_makes_no_key(api, placing, placed):
    new = await api.post("/v1/orders", {**placing, "contact": ADA}, {"dry_run": "true"})
    path = f"/v1/orders/{placed}/correct-contact"
    there = await api.post(path, {"contact": BOB}, {"dry_run": "true"})
    same = await api.post(path, {"contact": ADA}, {"dry_run": "true"})

    assert new.json()["events"][0]["data"]["contact"] == ADA
    assert there.json()["events"][0]["data"]["contact"] == BOB
    assert same.json()["events"] == []
    assert await api.keys.found([new.json()["order_id"]]) == {}


async def test_erasing_destroys_the_key_and_nothing_personal_comes_back(api, placed):
    path = f"/v1/orders/{placed}"
    key = {"idempotency_key": "e"}
    erased = await api.post(f"{path}/erase-customer-data", {}, **key)

    assert await api.keys.found([placed]) == {}
    for command, data in (
        ("add-note", {**NOTE, "note_id": "n-2"}),
        ("correct-contact", {"contact": BOB}),
    ):
        refused = await api.problem(f"{path}/{command}", data)
        assert refused["rule"] == "customer-data-erased"
    again = await api.post(f"{path}/erase-customer-data", {}, **key)
    assert again.json() == {**erased.json(), "replayed": True}
    assert (await api.post(f"{path}/erase-customer-data", {})).json()["events"] == []


async def test_a_dry_run_erases_nothing(api, placed):
    await api.post(f"/v1/orders/{placed}/erase-customer-data", {}, {"dry_run": "true"})

    assert (await api.keys.found([placed])).keys() == {placed}


async def test_what_was_accepted_before_the_erasure_is_answered_again_after_it(api, placing):
    order = {**placing, **PERSONAL}
    first = (await api.post("/v1/orders", order, idempotency_key="k")).json()
    await api.post(f"/v1/orders/{first['order_id']}/erase-customer-data", {})

    again = await api.post("/v1/orders", order, idempotency_key="k")

    told = ("order_id", "version", "events")
    assert again.json()["replayed"]
    assert [again.json()[name] for name in told] == [first[name] for name in told]


async def test_an_erased_draft_forgets_its_addresses(api):
    order_id = (await api.post("/v1/drafts", {"customer_id": "c-1", "currency": "EUR"})).json()[
        "order_id"
    ]
    path = f"/v1/orders/{order_id}"
    await api.post(f"{path}/set-addresses", {"ship_to": HOME, "bill_to": HOME, "contact": ADA})
    await api.post(f"{path}/add-line", {"sku": "A-1", "quantity": 1, "unit_price_minor": 100})
    await api.post(f"{path}/erase-customer-data", {})
    await api.post(f"{path}/place", {})

    placed = api.events(order_id)[-1].event
    assert (placed.contact, placed.ship_to, placed.bill_to) == (None, None, None)
