"""If-Match: only at this version. dry_run: only say what would happen."""

import pytest


async def test_at_the_expected_version_the_command_is_taken(api, placed, note):
    answer = await api.post(f"/v1/orders/{placed}/add-note", note, if_match='"1"')

    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')


async def test_an_etag_can_be_sent_back_as_it_came(api, placed, note):
    accepted = await api.post(f"/v1/orders/{placed}/accept")

    answer = await api.post(
        f"/v1/orders/{placed}/add-note", note, if_match=accepted.headers["etag"]
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("expected", [0, 1, 2])
async def test_at_another_version_what_was_missed_is_told(api, placed, note, expected):
    await api.post(f"/v1/orders/{placed}/accept")
    await api.post(f"/v1/orders/{placed}/add-note", note)
    before = api.events(placed)

    problem = await api.problem(f"/v1/orders/{placed}/cancel", {}, if_match=f'"{expected}"')

    assert (problem["status"], problem["code"]) == (412, "version-mismatch")
    assert problem["current_version"] == 3
    assert problem["events"] == [
        {"event_id": event.event_id, "type": event.type, "version": event.version}
        for event in before[expected:]
    ]
    assert api.events(placed) == before


@pytest.mark.parametrize("expected", [2, 9_999_999_999])
async def test_a_version_that_is_not_there_yet_is_another_version(api, placed, expected):
    problem = await api.problem(f"/v1/orders/{placed}/accept", if_match=f'"{expected}"')

    assert problem["code"] == "version-mismatch"
    assert (problem["current_version"], problem["events"]) == (1, [])


async def test_an_order_that_was_never_placed_is_at_version_zero(api, order_id):
    problem = await api.problem(f"/v1/orders/{order_id}/accept", if_match='"1"')

    assert (problem["code"], problem["current_version"]) == ("version-mismatch", 0)
    assert (await api.problem(f"/v1/orders/{order_id}/accept", if_match='"0"'))["status"] == 404


async def test_a_repeat_is_answered_at_any_version(api, placed):
    path = f"/v1/orders/{placed}/accept"
    first = await api.post(path, if_match='"1"', idempotency_key="k-1")

    again = await api.post(path, if_match='"1"', idempotency_key="k-1")

    assert again.json() == {**first.json(), "replayed": True}


@pytest.mark.parametrize(
    "if_match",
    ["1", '"a"', '"-1"', '""', "", "*", 'W/"1"', '"1", "2"', '"1.0"', '"' + "9" * 11 + '"', '"1'],
    ids=lambda text: text[:8] or "empty",
)
async def test_a_malformed_if_match_is_named(api, placed, if_match):
    problem = await api.problem(f"/v1/orders/{placed}/accept", if_match=if_match)

    assert (problem["status"], problem["code"]) == (422, "invalid-command")
    assert [entry["field"] for entry in problem["errors"]] == ["If-Match"]
    assert len(api.events(placed)) == 1


@pytest.mark.parametrize("text", ["true", "1"])
async def test_a_dry_run_answers_and_appends_nothing(api, placed, text):
    before = api.events()

    answer = await api.post(f"/v1/orders/{placed}/accept", query={"dry_run": text})

    assert answer.status_code == 200
    assert answer.json()["version"] == 2
    assert [event["type"] for event in answer.json()["events"]] == ["OrderAccepted"]
    assert api.events() == before


async def test_a_dry_run_of_a_new_order_leaves_no_order(api, placing, order_id):
    body = {**placing, "order_id": order_id}

    dry = await api.post("/v1/orders", body, {"dry_run": "true"}, idempotency_key="k-1")
    real = await api.post("/v1/orders", body, idempotency_key="k-1")

    assert dry.status_code == 201
    assert dry.json()["order_id"] == real.json()["order_id"] == order_id
    assert real.json()["replayed"] is False
    assert len(api.events()) == 1


async def test_a_dry_run_is_refused_like_the_command(api, placed):
    await api.post(f"/v1/orders/{placed}/accept")

    problem = await api.problem(
        f"/v1/orders/{placed}/reject", {"reason": "no"}, {"dry_run": "true"}
    )

    assert problem["rule"] == "already-accepted"


async def test_a_dry_run_knows_a_repeat(api, placed):
    path = f"/v1/orders/{placed}/accept"
    await api.post(path, idempotency_key="k-1")

    answer = await api.post(path, query={"dry_run": "true"}, idempotency_key="k-1")

    assert answer.json()["replayed"] is True


@pytest.mark.parametrize("text", ["false", "0"])
async def test_a_dry_run_that_is_none_appends(api, placed, text):
    await api.post(f"/v1/orders/{placed}/accept", query={"dry_run": text})

    assert len(api.events(placed)) == 2


@pytest.mark.parametrize("text", ["yes", "TRUE", "", "2", "true "])
async def test_a_dry_run_that_is_neither_true_nor_false_is_named(api, placed, text):
    problem = await api.problem(f"/v1/orders/{placed}/accept", query={"dry_run": text})

    assert problem["errors"] == [{"field": "dry_run", "message": "must be true or false"}]
    assert len(api.events(placed)) == 1
