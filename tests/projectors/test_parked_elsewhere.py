"""Parked orders as others meet them: readers of the query API, rebuild, verify."""

import asyncio
import json
from contextlib import suppress

import pytest

from projectors.read_models import PROJECTIONS
from query_api.app import create_app
from runtime.serving import server
from runtime.settings import QuerySettings

from .unreadable import ORDER, PARTITION, UNKNOWN, of_the_next_release


@pytest.fixture
async def answer(database_settings):
    """Answer `await answer(path)`: headers in lower case, and the body, of the query API."""
    app = create_app(QuerySettings(), database_settings)
    serving = server(app, "127.0.0.1", 0)
    task = asyncio.create_task(serving.serve())
    async with asyncio.timeout(20):
        while not serving.started:
            await asyncio.sleep(0.01)
    port = serving.servers[0].sockets[0].getsockname()[1]

    async def ask(path: str, *headers: str) -> tuple[str, dict]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = (f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", "")
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(20):
            said = await reader.read()
        writer.close()
        head, _, body = said.partition(b"\r\n\r\n")
        return head.decode().lower(), json.loads(body or "{}")

    ask.port = port
    yield ask
    app.state.close()
    serving.should_exit = True
    async with asyncio.timeout(20):
        await task


@pytest.fixture
async def parked_order(stage) -> str:
    """An order that is served, with a later event that this release cannot read."""
    await stage.facts.happen(30)
    while True:
        records = await stage.facts.next_in(PARTITION)
        if not records[0].key.endswith(b"/0000000001"):
            break
        await stage.facts.append(PARTITION, records)
    await stage.facts.append(PARTITION, [of_the_next_release(one) for one in records])
    await stage.facts.happen(30)
    await stage.project()
    ((_, order_id), *_) = await stage.parked()
    return order_id


async def test_read_models_count_them(stage, answer):
    await stage.put(UNKNOWN)
    await stage.project()

    head, said = await answer("/v1/projections")

    assert "orders-freshness: parked" in head
    for entry in said["projections"]:
        assert (entry["parked_orders"], entry["error"]) == (1, None)
        assert {p["partition"]: p["parked_orders"] for p in entry["partitions"]} == {
            partition: int(partition == PARTITION) for partition in range(4)
        }


async def test_a_parked_order_is_served_as_stale_until_it_is_taken_up(
    stage, answer, parked_order, newer_release
):
    path = f"/v1/orders/{parked_order}"

    head, before = await answer(path)
    known = next(line[6:] for line in head.split("\r\n") if line.startswith("etag: "))
    unmodified, _ = await answer(path, f"If-None-Match: {known}")
    _, timeline = await answer(f"{path}/timeline")
    of_all, every = await answer("/v1/orders?limit=100")
    with newer_release():
        assert (await stage.cli("parked", "retry", "--all")).exit_code == 0
    fresh, after = await answer(path)

    assert "orders-freshness: parked" in head
    assert unmodified.startswith("http/1.1 200")
    assert before["stale_since"] is not None
    assert timeline["stale_since"] == before["stale_since"]
    assert len(timeline["events"]) == before["version"] < after["version"]
    assert "orders-freshness: parked" in of_all
    stale = {one["order_id"] for one in every["orders"] if one["stale_since"]}
    assert stale == {parked_order}
    assert "orders-freshness: fresh" in fresh
    assert after["stale_since"] is None


async def test_the_stream_of_all_has_no_gap_where_events_were_parked(
    stage, answer, parked_order, newer_release, database_settings, eventually
):
    """What is behind a parked event of its partition comes after it, when it is taken up."""
    facts = [one for batch in stage.facts.decoded() for one in batch.records]
    parked_at = (await stage.parked())["timeline", parked_order][0]
    everything = {(one.partition, one.offset) for one in facts}
    seen: list[tuple[int, int]] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", answer.port)
    writer.write(b"GET /v1/stream?from=start HTTP/1.1\r\nHost: x\r\n\r\n")

    async def has_seen(wanted: set[tuple[int, int]]) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while line := await reader.readline():
                    if line.startswith(b'data: {"event_id"'):
                        event = json.loads(line[6:])
                        seen.append((event["partition"], event["offset"]))
        return set(seen) == wanted

    before = {place for place in everything if place < (PARTITION, parked_at)}
    before |= {place for place in everything if place[0] > PARTITION}
    await eventually(lambda: has_seen(before), "all but what waits")
    with newer_release():
        assert (await stage.cli("parked", "retry", "--all")).exit_code == 0
    places = {
        (row["partition"], row["log_offset"])
        for row in await stage.connection.fetch("SELECT * FROM read_models.timeline")
    }
    await eventually(lambda: has_seen(places), "the rest")
    writer.close()

    assert len(seen) == len(set(seen))
    assert places > before
    in_partition = [offset for partition, offset in seen if partition == PARTITION]
    assert in_partition == sorted(in_partition)


async def test_another_order_of_the_same_partition_is_fresh(stage, answer, parked_order):
    other = next(
        one.order_id
        for batch in stage.facts.decoded()
        for one in batch.records
        if one.partition == PARTITION and one.order_id != parked_order and one.version == 1
    )

    head, order = await answer(f"/v1/orders/{other}")

    assert "orders-freshness: fresh" in head
    assert order["stale_since"] is None


async def test_a_rebuild_parks_the_same_and_switches(stage, served):
    await stage.put(UNKNOWN)
    await stage.project()
    before, waiting = await served(), await stage.parked()

    done = await stage.cli("rebuild", "--workers", "1")
    sampled = await stage.cli("verify", "--sample", "1000")
    compared = await stage.cli("verify", "--all", "--workers", "1")

    assert (done.exit_code, sampled.exit_code, compared.exit_code) == (0, 0, 0), done.output
    assert (await served(), await stage.parked()) == (before, waiting)
    await stage.facts.happen(40)
    await stage.project()
    assert await stage.is_exact()


async def test_a_rebuild_from_nothing_parks_it_and_goes_live(stage):
    await stage.put(UNKNOWN)

    done = await stage.cli("rebuild", "--workers", "1")

    assert done.exit_code == 0, done.output
    assert {order_id for _, order_id in await stage.parked()} == {ORDER}
    await stage.facts.happen(10)
    await stage.project()
    assert await stage.is_exact()


async def test_a_rebuild_by_a_release_that_knows_it_applies_what_was_parked(
    stage, parked_order, newer_release
):
    with newer_release():
        done = await stage.cli("rebuild", "--workers", "1")
        assert done.exit_code == 0, done.output
        assert done.stdout.count("1 orders that were parked are applied") == len(PROJECTIONS)
        assert await stage.parked() == {}
        await stage.project()
        assert await stage.is_exact()


@pytest.mark.parametrize("verb", ["rebuild", "verify --all", "verify --sample 1000"])
async def test_what_a_newer_release_has_applied_is_refused_by_an_older_one(
    stage, served, newer_release, verb
):
    """The live rows contain an event that this release cannot read: it touches nothing."""
    offset = await stage.put(of_the_next_release)
    with newer_release():
        await stage.project()
        before = await served()

    refused = await stage.cli(*verb.split())

    assert refused.exit_code == 4, refused.output
    assert f"partition {PARTITION} offset {offset}" in refused.stderr
    assert "deploy a newer release" in refused.stderr
    assert await served() == before
