"""For those who operate it: alive, ready, metrics, versions."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eventlog.log import Record
from eventlog.memory import Fault, MemoryLog


async def samples(api) -> dict:
    """Return every sample: name and labels to value."""
    text = (await api.client.get("/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def value(api, name: str, labels: dict | None = None) -> float:
    return (await samples(api)).get((name, frozenset((labels or {}).items())), 0.0)


async def test_a_process_that_runs_is_alive_and_ready(api):
    alive = await api.client.get("/livez")
    ready = await api.client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"service": "command", "status": "alive"})
    assert ready.status_code == 200
    assert ready.json() == {
        "service": "command",
        "status": "ready",
        "dependencies": {f"partition {number}": "ok" for number in range(4)},
    }
    assert {alive.headers["cache-control"], ready.headers["cache-control"]} == {"no-store"}


async def test_a_partition_in_doubt_is_named_until_it_serves_again(serve, placing, wait_until):
    log = MemoryLog(partitions=1)
    async with serve(log) as api:
        log.faults = lambda _: Fault.LOST
        waits = asyncio.create_task(api.post("/v1/orders", placing))
        await wait_until(lambda: api.partitions.health()[0] == "in doubt")
        doubtful = await api.client.get("/readyz")
        alive = await api.client.get("/livez")
        log.faults = lambda _: Fault.NONE
        await waits
        again = await api.client.get("/readyz")

    assert doubtful.status_code == 503
    assert doubtful.json()["dependencies"] == {"partition 0": "in doubt"}
    assert alive.status_code == 200
    assert again.status_code == 200


async def test_a_halted_partition_says_what_a_person_must_look_at(serve):
    log = MemoryLog()
    log.commit(2, [Record(b"x/0000000001", b"\xff\xff")])
    async with serve(log, is_ready=False) as api:
        answer = await api.client.get("/readyz")

        wrong = {n: s for n, s in answer.json()["dependencies"].items() if s != "ok"}
        assert answer.status_code == 503
        assert list(wrong) == ["partition 2"]
        assert wrong["partition 2"].startswith("halted: cannot read the record at partition 2")
        assert await value(api, "orderlog_partition_serving", {"partition": "2"}) == 0
        assert await value(api, "orderlog_partition_serving", {"partition": "1"}) == 1


async def test_commands_are_counted_by_what_came_of_them(api, placing, order_id):
    body = {**placing, "order_id": order_id}
    counted = [
        ("place-order", "accepted"),
        ("place-order", "replayed"),
        ("place-order", "order-exists"),
        ("place-order", "idempotency-key-reused"),
        ("reject", "rejected"),
    ]
    labels = [{"command": command, "result": result} for command, result in counted]
    before = [await value(api, "orderlog_commands_total", each) for each in labels]

    await api.post("/v1/orders", body, idempotency_key="k-1")
    await api.post("/v1/orders", body, idempotency_key="k-1")
    await api.post("/v1/orders", body, idempotency_key="k-2")
    await api.post("/v1/orders", {**body, "currency": "USD"}, idempotency_key="k-1")
    items = [
        {"command": "accept", "order_id": order_id},
        {"command": "reject", "order_id": order_id, "data": {"reason": "no"}},
    ]
    await api.post("/v1/commands", items)

    after = [await value(api, "orderlog_commands_total", each) for each in labels]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1] * 5


async def test_what_never_reached_an_owner_is_not_counted_as_a_command(api):
    def all_commands(found: dict) -> float:
        return sum(v for (name, _), v in found.items() if name == "orderlog_commands_total")

    before = all_commands(await samples(api))
    await api.post("/v1/orders", b"{")
    await api.post("/v1/orders", {})

    assert all_commands(await samples(api)) == before


async def test_the_time_of_accepted_commands_is_measured(api, placing):
    before = await value(api, "orderlog_command_seconds_count")
    await api.post("/v1/orders", placing)
    await api.problem(f"/v1/orders/{'0' * 8}-0000-0000-0000-{'0' * 12}/accept")

    assert await value(api, "orderlog_command_seconds_count") - before == 1


async def test_partitions_tell_how_their_writers_do(serve, placing):
    log = MemoryLog(partitions=1)
    async with serve(log) as api:
        for fault in (Fault.NONE, Fault.LOST):
            faults = iter([fault])
            log.faults = lambda _, faults=faults: next(faults, Fault.NONE)
            await api.post("/v1/orders", placing)
        counts = {
            name: await value(api, f"orderlog_partition_{name}_total", {"partition": "0"})
            for name in ("transactions", "commands", "doubts", "acquisitions")
        }

    assert counts == {"transactions": 4, "commands": 2, "doubts": 1, "acquisitions": 2}


async def test_the_metrics_of_a_closed_process_are_gone(serve):
    async with serve(MemoryLog(partitions=7)):
        pass
    async with serve(MemoryLog(partitions=1)) as api:
        partitions = [
            dict(labels)["partition"]
            for name, labels in await samples(api)
            if name == "orderlog_partition_serving"
        ]

    assert partitions == ["0"]


async def test_the_versions_of_what_runs_are_told(api):
    body = (await api.client.get("/-/versions")).json()

    assert body["service"] == "command"
    assert {"orderlog", "python", "aiokafka", "fastapi"} <= set(body)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_reference_is_a_page(api, path):
    answer = await api.client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
