"""`?dry_run=true`: what would happen, with the data of what would be appended, and nothing more."""

import pytest

from command_api.bodies import COMMANDS

DRY = {"dry_run": "true"}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_dry_run_tells_the_events_and_appends_none(api, lives, path_of, name):
    order_id, _ = await api.live(lives[name])
    path, data = path_of(COMMANDS[name], order_id), lives[name].data
    before = api.events()

    dry = (await api.post(path, data, DRY, idempotency_key="once")).json()

    assert api.events() == before
    real = (await api.post(path, data, idempotency_key="once")).json()
    assert real["replayed"] is False
    assert [event["type"] for event in dry["events"]] == list(lives[name].events)
    assert [event["version"] for event in dry["events"]] == [
        event["version"] for event in real["events"]
    ]
    assert all("data" in event for event in dry["events"])
    assert not any("data" in event for event in real["events"])


async def test_a_proposal_tells_its_price_before_it_is_made(api, lives):
    life = lives["propose-amendment"]
    order_id, _ = await api.live(life)

    dry = (await api.post(f"/v1/orders/{order_id}/propose-amendment", life.data, DRY)).json()

    assert dry["events"][0]["data"]["difference_minor"] == 500 - 1299


async def test_a_refusal_is_told_too(api, placed):
    problem = await api.problem(f"/v1/orders/{placed}/complete", {}, DRY)

    assert (problem["code"], problem["rule"]) == ("rejected", "order-not-accepted")
