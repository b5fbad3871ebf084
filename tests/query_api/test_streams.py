"""Streams: nothing is missed or repeated, whatever breaks in between."""

import asyncio
import uuid

import pytest

from domain import commands
from query_api import sse
from runtime.position import Position, log_id

LAST = "Last-Event-ID"

LEAVING = 60


async def test_an_order_s_stream_begins_with_its_first_event_and_goes_on(api, shop, events):
    order_id = shop.place()
    await shop.project()
    timeline = (await api.get(f"/v1/orders/{order_id}/timeline")).json()["events"]

    async with events(f"/v1/orders/{order_id}/stream") as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["orders-position"]
        first = await stream.next()
        shop.place()
        shop.do(order_id, commands.Accept())
        await shop.project()
        second = await stream.next()

    assert first == {"id": "1", "data": timeline[0]}
    assert (second["id"], second["data"]["type"]) == ("2", "OrderAccepted")


async def test_an_order_s_stream_resumes_behind_the_last_event(api, shop, events):
    order_id = shop.place()
    shop.do(order_id, *(commands.AddNote(f"n-{n}", "x") for n in range(450)))
    await shop.project()

    async with events(f"/v1/orders/{order_id}/stream", {LAST: "3"}) as stream:
        ids = [(await stream.next())["id"] for _ in range(448)]

    assert ids == [str(version) for version in range(4, 452)]


@pytest.mark.parametrize("last", ["0", ""])
async def test_a_stream_of_nothing_seen_begins_at_the_beginning(shop, events, last):
    order_id = shop.place()
    await shop.project()

    async with events(f"/v1/orders/{order_id}/stream", {LAST: last}) as stream:
        assert (await stream.next())["id"] == "1"


async def test_the_stream_of_all_begins_now(shop, events):
    shop.place()
    await shop.project()

    async with events("/v1/stream") as stream:
        begin = await stream.next()
        order_id = shop.place()
        await shop.project()
        found = await stream.next()

    assert begin["event"] == "begin"
    assert found["data"]["order_id"] == order_id


async def test_the_stream_of_all_can_be_read_from_the_start(api, shop, events):
    orders = [shop.place() for _ in range(40)]
    for order_id in orders:
        shop.do(order_id, commands.Accept(), *(commands.AddNote(f"{n}", "x") for n in range(9)))
    await shop.project()

    async with events("/v1/stream?from=start") as stream:
        assert (await stream.next())["event"] == "begin"
        found = [await stream.next() for _ in range(440)]

    versions: dict[str, list[int]] = {}
    for event in found:
        versions.setdefault(event["data"]["order_id"], []).append(event["data"]["version"])
    assert versions == {order_id: list(range(1, 12)) for order_id in orders}
    last = Position.decode(found[-1]["id"])
    assert last.contains(Position.decode(shop.token()))


async def test_the_stream_of_all_resumes_at_any_event(shop, events):
    """Broken off after each event in turn, it is still every event once."""
    for _ in range(12):
        shop.place()
    await shop.project()
    async with events("/v1/stream?from=start") as stream:
        last = (await stream.next())["id"]
    found = []

    for n in range(24):
        async with events("/v1/stream", {LAST: last}) as stream:
            assert (await stream.next())["event"] == "begin"
            if n == 11:
                for _ in range(12):
                    shop.place()
                await shop.project()
            event = await stream.next()
            found.append(event["data"]["event_id"])
            last = event["id"]

    assert len(set(found)) == 24


async def test_a_stream_that_saw_nothing_resumes_where_it_began(shop, events):
    shop.place()
    await shop.project()
    async with events("/v1/stream") as stream:
        begin = (await stream.next())["id"]
    order_id = shop.place()
    await shop.project()

    async with events("/v1/stream", {LAST: begin}) as stream:
        await stream.next()
        assert (await stream.next())["data"]["order_id"] == order_id


async def test_a_quiet_stream_is_kept_open(api, shop, monkeypatch):
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    async with api.client.stream("GET", "/v1/stream") as response, asyncio.timeout(10):
        comments = 0
        async for line in response.aiter_lines():
            comments += line.startswith(":")
            if comments == 3:
                break

    assert comments == 3


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "9" * 30, "²"])
async def test_a_last_event_of_an_order_is_a_version(api, shop, last):
    order_id = shop.place()
    await shop.project()

    problem = await api.problem(f"/v1/orders/{order_id}/stream", {LAST: last.encode("latin-1")})

    assert [entry["field"] for entry in problem["errors"]] == [LAST]


async def test_a_last_event_of_all_is_a_position_of_this_log(api):
    wrong = await api.problem("/v1/stream", {LAST: "7"})
    foreign = await api.problem(
        "/v1/stream", {LAST: Position(log_id("other", "log"), {0: 1}).encode()}
    )

    assert [entry["field"] for entry in wrong["errors"]] == [LAST]
    assert foreign["code"] == "other-log"


async def test_a_stream_of_no_order_is_not_found(api):
    problem = await api.problem(f"/v1/orders/{uuid.uuid4()}/stream")

    assert problem["code"] == "order-not-found"


async def test_a_stream_waits_for_the_order(api, shop, events):
    order_id = shop.place()
    opened = asyncio.create_task(_first(events, order_id, shop.token()))
    await shop.project()

    assert (await opened)["id"] == "1"


async def _first(events, order_id: str, token: str) -> dict:
    headers = {"Orders-Min-Position": token}
    async with events(f"/v1/orders/{order_id}/stream?wait_ms=10000", headers) as stream:
        return await stream.next()


async def test_streams_are_bounded_and_places_are_given_back(serve, shop):
    async with serve(query_streams_max=2) as api, api.client.stream("GET", "/v1/stream"):
        async with api.client.stream("GET", "/v1/stream"):
            problem = await api.problem("/v1/stream")
        async with asyncio.timeout(10):
            while (await _status(api)) != 200:
                await asyncio.sleep(0.01)

    assert (problem["status"], problem["code"]) == (503, "too-many-streams")


async def test_whoever_leaves_at_any_moment_gives_the_place_back(serve, shop):
    """Also at the moment of a look at the checkpoints: found by a full run, once in hundreds."""
    async with serve(query_streams_max=2) as api, api.client.stream("GET", "/v1/stream"):
        for number in range(LEAVING):
            async with api.client.stream("GET", "/v1/stream"):
                for _ in range(number % 6):
                    await asyncio.sleep(0)
            async with asyncio.timeout(10):
                while (await _status(api)) != 200:
                    await asyncio.sleep(0.01)


async def _status(api) -> int:
    async with api.client.stream("GET", "/v1/stream") as response:
        return response.status_code


async def test_streams_end_with_the_process(serve, shop):
    async with serve() as api, api.client.stream("GET", "/v1/stream") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        api.close()
        async with asyncio.timeout(10):
            rest = [line async for line in lines]

    assert "event: begin" in rest


async def test_a_stream_goes_on_when_its_connections_are_ended(shop, events, owner):
    order_id = shop.place()
    await shop.project()
    async with events(f"/v1/orders/{order_id}/stream") as stream:
        await stream.next()
        await owner.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'orderlog-query' AND datname = current_database()"
        )
        shop.do(order_id, commands.Accept())
        await shop.project()

        assert (await stream.next())["id"] == "2"
