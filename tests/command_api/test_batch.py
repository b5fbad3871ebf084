"""Many commands in one request: each has its own answer, in the order they were sent."""

import json
import uuid

import pytest

BATCH = "/v1/commands"


def placing_as(order_id: str, placing: dict) -> dict:
    return {"command": "place-order", "order_id": order_id, "data": placing}


def noting(order_id: str, note_id: str) -> dict:
    data = {"note_id": note_id, "text": "x"}
    return {"command": "add-note", "order_id": order_id, "data": data}


async def results(api, items, **headers) -> list[dict]:
    answer = await api.post(BATCH, items, **headers)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["results"]
    return answer.json()["results"]


async def test_every_command_has_its_own_status_in_order(api, placing, order_id):
    found = await results(
        api,
        [
            placing_as(order_id, placing),
            {"command": "accept", "order_id": str(uuid.UUID(int=1))},
            {"command": "reject", "order_id": order_id, "data": {"reason": ""}},
            {"command": "dance", "order_id": order_id},
            {"command": "accept", "order_id": order_id},
            {"command": "reject", "order_id": order_id, "data": {"reason": "no"}},
            {"command": "accept"},
            "accept",
        ],
    )

    assert [(result["status"], result.get("code")) for result in found] == [
        (201, None),
        (404, "order-not-found"),
        (422, "invalid-command"),
        (422, "invalid-command"),
        (200, None),
        (409, "rejected"),
        (422, "invalid-command"),
        (422, "invalid-command"),
    ]
    assert found[5]["rule"] == "already-accepted"
    fields = [[entry["field"] for entry in result.get("errors", [])] for result in found]
    assert fields == [[], [], ["data.reason"], ["command"], [], [], ["order_id"], ["(body)"]]
    assert [event.type for event in api.events()] == ["OrderPlaced", "OrderAccepted"]


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/ndjson; charset=utf-8"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"], ids=["none", "LF", "CRLF"])
async def test_a_batch_can_be_one_command_a_line(api, placing, order_id, kind, end):
    items = [placing_as(order_id, placing), noting(order_id, "a"), noting(order_id, "b")]
    body = b"\r\n".join(json.dumps(item).encode() for item in items) + end

    found = await results(api, body, content_type=kind)

    assert [result["status"] for result in found] == [201, 200, 200]
    assert [result["version"] for result in found] == [1, 2, 3]


async def test_commands_on_one_order_keep_their_order(api, placing):
    order_ids = [str(uuid.uuid4()) for _ in range(5)]
    items = [placing_as(each, placing) for each in order_ids]
    items += [noting(each, f"n-{number:02}") for number in range(20) for each in order_ids]

    found = await results(api, items)

    assert {result["status"] for result in found} == {200, 201}
    for order_id in order_ids:
        notes = [event.event.note_id for event in api.events(order_id)[1:]]
        assert notes == [f"n-{number:02}" for number in range(20)]


async def test_a_default_key_is_the_header_and_the_place(api, placing, order_id):
    await results(
        api,
        [
            placing_as(order_id, placing),
            {**noting(order_id, "a"), "idempotency_key": "own"},
            noting(order_id, "b"),
        ],
        idempotency_key="batch-7",
    )

    assert [event.command_id for event in api.events()] == ["batch-7/0", "own", "batch-7/2"]


async def test_a_batch_that_is_sent_again_is_answered_alike(api, placing, order_id):
    items = [placing_as(order_id, placing), noting(order_id, "a"), {"command": "place-order"}]
    items += [{"command": "PlaceOrder", "data": placing}]
    first = await results(api, items, idempotency_key="k-1")
    before = api.events()

    again = await results(api, items, idempotency_key="k-1")

    assert again == [
        result if "code" in result else {**result, "replayed": True} for result in first
    ]
    assert [result["status"] for result in first] == [201, 200, 422, 201]
    assert api.events() == before


async def test_a_batch_that_was_cut_off_is_finished_by_sending_it_again(api, placing, order_id):
    items = [placing_as(order_id, placing), noting(order_id, "a"), noting(order_id, "b")]
    await results(api, items[:2], idempotency_key="k-1")

    again = await results(api, items, idempotency_key="k-1")

    assert [result["replayed"] for result in again] == [True, True, False]
    assert [event.version for event in api.events()] == [1, 2, 3]


async def test_a_command_alone_and_in_a_batch_is_the_same_request(api, placing):
    alone = await api.post("/v1/orders", placing, idempotency_key="k-1")

    [again] = await results(
        api, [{"command": "place-order", "idempotency_key": "k-1", "data": placing}]
    )

    assert again == {"status": 201, **alone.json(), "replayed": True}


async def test_two_commands_with_one_key_are_one(api, placed):
    item = {**noting(placed, "a"), "idempotency_key": "k-1"}
    other = {**noting(placed, "b"), "idempotency_key": "k-1"}

    found = await results(api, [item, item, other])

    assert [result.get("replayed") for result in found] == [False, True, None]
    assert found[2]["code"] == "idempotency-key-reused"
    assert len(api.events(placed)) == 2


async def test_each_command_has_its_own_expected_version(api, placed):
    found = await results(
        api,
        [
            {**noting(placed, "a"), "expected_version": 1},
            {**noting(placed, "b"), "expected_version": 1},
            {**noting(placed, "c"), "expected_version": 2},
        ],
    )

    assert [result["status"] for result in found] == [200, 412, 200]
    assert found[1]["current_version"] == 2
    assert found[1]["events"] == found[0]["events"]


async def test_if_match_is_refused_for_it_would_be_ignored(api, placed):
    problem = await api.problem(BATCH, [noting(placed, "a")], if_match='"7"')

    assert (problem["status"], problem["code"]) == (422, "invalid-command")
    assert [entry["field"] for entry in problem["errors"]] == ["If-Match"]
    assert len(api.events(placed)) == 1


async def test_a_dry_run_of_a_batch_appends_nothing(api, placed, placing, order_id):
    """Each command is tried on what is in the log: the order before it is not."""
    items = [placing_as(order_id, placing), noting(order_id, "a"), noting(placed, "a")]

    answer = await api.post(BATCH, items, {"dry_run": "true"})

    assert [result["status"] for result in answer.json()["results"]] == [201, 404, 200]
    assert len(api.events()) == 1


async def test_the_order_id_of_a_new_order_may_stand_in_both_places(api, placing, order_id):
    item = placing_as(order_id.upper(), {**placing, "order_id": order_id})
    other = placing_as(str(uuid.UUID(int=1)), {**placing, "order_id": order_id})

    found = await results(api, [item, other])

    assert found[0]["order_id"] == order_id
    assert found[1]["errors"] == [
        {"field": "data.order_id", "message": "must be the same as order_id"}
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"command": 1}, "command"),
        ({"command": ""}, "command"),
        ({"command": "x" * 101}, "command"),
        ({"order_id": "1"}, "order_id"),
        ({"order_id": 1}, "order_id"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "a b"}, "idempotency_key"),
        ({"idempotency_key": "x" * 256}, "idempotency_key"),
        ({"expected_version": -1}, "expected_version"),
        ({"expected_version": "1"}, "expected_version"),
        ({"expected_version": True}, "expected_version"),
        ({"expected_version": 1.0}, "expected_version"),
        ({"expected_version": 10**30}, "expected_version"),
        ({"data": None}, "data"),
        ({"data": []}, "data"),
        ({"data": {"note_id": "a"}}, "data.text"),
        ({"data": {"note_id": "a", "text": 1e999}}, "data.text"),
        ({"data": {"note_id": "a", "text": 10**400}}, "data.text"),
        ({"body": {}}, "(unknown field)"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_wrong_command_is_named_and_the_others_are_taken(api, placed, change, field):
    body = json.dumps([{**noting(placed, "a"), **change}, noting(placed, "b")])

    found = await results(api, body.replace("Infinity", "1e999").encode())

    assert [result["status"] for result in found] == [422, 200]
    assert [entry["field"] for entry in found[0]["errors"]] == [field]
    assert len(api.events(placed)) == 2


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b'"x"', b"1", b'{"command": "accept"}'], ids=bytes.decode
)
async def test_a_batch_is_an_array_of_at_least_one(api, body):
    problem = await api.problem(BATCH, body)

    assert (problem["status"], problem["code"]) == (422, "invalid-command")
    assert problem["errors"] == [
        {"field": "(body)", "message": "must be an array of at least one command"}
    ]


@pytest.mark.parametrize("body", [b"", b"\n\n", b" "], ids=["empty", "lines", "space"])
async def test_lines_without_a_command_are_no_batch(api, body):
    problem = await api.problem(BATCH, body, content_type="application/x-ndjson")

    assert [entry["field"] for entry in problem["errors"]] == ["(body)"]


async def test_an_array_is_not_a_line(api, placed):
    body = json.dumps([noting(placed, "a")]).encode()

    [result] = await results(api, body, content_type="application/x-ndjson")

    assert result["errors"] == [{"field": "(body)", "message": "must be an object"}]


async def test_one_malformed_line_refuses_the_whole_batch(api, placed):
    body = json.dumps(noting(placed, "a")).encode() + b"\n{"

    problem = await api.problem(BATCH, body, content_type="application/x-ndjson")

    assert (problem["status"], problem["code"]) == (400, "malformed-json")
    assert len(api.events(placed)) == 1


async def test_a_thousand_commands_are_taken_and_one_more_is_not(api, placed):
    items = [noting(placed, f"n-{number}") for number in range(1_001)]

    problem = await api.problem(BATCH, items)
    found = await results(api, items[:1_000])

    assert problem["errors"] == [{"field": "(body)", "message": "must have at most 1000 commands"}]
    assert [result["version"] for result in found] == list(range(2, 1_002))


@pytest.mark.parametrize(("commands", "most"), [(10, 253), (11, 252), (101, 251)])
async def test_a_key_leaves_room_for_the_place(api, placed, commands, most):
    """Else the default keys would be longer than a key may be."""
    items = [noting(placed, f"n-{number}") for number in range(commands)]

    problem = await api.problem(BATCH, items, idempotency_key="x" * (most + 1))
    await results(api, items, idempotency_key="x" * most)

    assert [entry["field"] for entry in problem["errors"]] == ["Idempotency-Key"]
    assert max(len(event.command_id) for event in api.events()) == 255
    assert len(api.events(placed)) == 1 + commands
