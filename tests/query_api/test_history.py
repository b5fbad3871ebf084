"""An order as it was, at every version and at every time."""

import json
from pathlib import Path

import orjson
import pytest

from domain import commands
from domain.values import LineQuantity
from projectors.read_models.history import event_of

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*/*.json"))
LIFE = (
    commands.Accept(),
    commands.RequestAuthorisation("p-1", 2_990, "card"),
    commands.RecordAuthorisation("p-1", "psp-1", 2_990, expires_at_us=1_800_000_000_000_000),
    commands.RecordCapture("p-1", "k-1", "psp-2", 2_990),
    commands.CreateShipment("s-1", (LineQuantity("1", 2),)),
    commands.DispatchShipment("s-1", "T-1"),
    commands.RecordDelivery("s-1"),
    commands.CancelLines((LineQuantity("2", 1),), "sold out"),
    commands.AddNote("n-1", "Ring twice."),
)


@pytest.fixture
async def life(api, shop) -> tuple[str, list[dict]]:
    """An order, and the documents that were served at each of its versions."""
    order_id = shop.place()
    served = []
    for command in (None, *LIFE):
        if command is not None:
            shop.do(order_id, command)
        await shop.project()
        served.append((await api.get(f"/v1/orders/{order_id}")).json())
    return order_id, served


async def test_every_version_is_answered_as_it_was_served_then(api, life):
    order_id, served = life

    for version, document in enumerate(served, 1):
        answer = await api.get(f"/v1/orders/{order_id}", as_of_version=version)
        assert answer.json() == document
        assert answer.headers["etag"] == f'"{version}"'
        assert answer.headers["orders-position"]
    assert len(served) == 10


async def test_every_time_is_answered_as_it_was_served_then(api, life):
    order_id, served = life

    for document in served:
        answer = await api.get(f"/v1/orders/{order_id}", as_of=document["updated_at"])
        assert answer.json() == document


async def test_what_was_recorded_late_had_occurred_before(api, shop, connection):
    """The log's time says what was known, the occurrence's time says what was so."""
    order_id = shop.place()
    shop.do(order_id, commands.Accept())
    await shop.project()
    await connection.execute(
        "UPDATE read_models.timeline SET recorded_at = recorded_at + interval '1 day' "
        "WHERE version = 2"
    )
    placed_at = (await api.get(f"/v1/orders/{order_id}")).json()["updated_at"]

    known = await api.get(f"/v1/orders/{order_id}", as_of=placed_at)
    so = await api.get(f"/v1/orders/{order_id}", as_of=placed_at, as_of_by="occurred")

    assert known.json()["lifecycle"] == "PLACED"
    assert so.json()["lifecycle"] == "ACCEPTED"


async def test_a_version_or_a_time_that_is_not_there_is_not_found(api, life):
    order_id, _ = life

    beyond = await api.problem(f"/v1/orders/{order_id}", as_of_version=11)
    before = await api.problem(f"/v1/orders/{order_id}", as_of="1999-12-31T23:59:59Z")

    assert beyond["code"] == before["code"] == "order-not-found"
    assert "its last is 10" in beyond["detail"]
    assert "had not begun" in before["detail"]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"as_of_version": 0}, "as_of_version"),
        ({"as_of_version": "one"}, "as_of_version"),
        ({"as_of": "yesterday"}, "as_of"),
        ({"as_of_version": 1, "as_of": "2026-11-23T09:00:00Z"}, "as_of"),
        ({"as_of_version": 1, "as_of_by": "guess"}, "as_of_by"),
    ],
)
async def test_wrong_parameters_are_named(api, shop, parameters, field):
    problem = await api.problem(f"/v1/orders/{shop.place()}", **parameters)

    assert problem["code"] == "invalid-query"
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_event_comes_back_from_its_json(path):
    stored = json.loads(path.read_text())["event"]

    event = event_of(stored["type"], stored["data"])

    assert type(event).__name__ == stored["type"]
    again = event_of(stored["type"], orjson.loads(orjson.dumps(event)))
    assert again == event
