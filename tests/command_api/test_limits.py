"""Limits: sizes, kinds, time and number; each has its own answer, and nothing is appended."""

import asyncio
import json

import pytest

KIB = 1024


async def chunks(*parts: bytes):
    for part in parts:
        yield part


def padded(data: dict, size: int) -> bytes:
    """Return JSON of exactly `size` bytes."""
    body = json.dumps(data).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize(("path", "kib"), [("/v1/orders", 256), ("/v1/commands", 4096)])
async def test_a_body_over_the_limit_is_refused_by_its_length(api, placing, path, kib):
    problem = await api.problem(path, padded(placing, kib * KIB + 1))

    assert (problem["status"], problem["code"]) == (413, "body-too-large")
    assert api.events() == []


async def test_the_announced_length_is_enough(api):
    """Nothing of the body is read, so its sender need not even begin."""

    async def never():
        raise AssertionError("the body was read")
        yield b""

    problem = await api.problem("/v1/orders", never(), content_length=str(256 * KIB + 1))

    assert problem["code"] == "body-too-large"


@pytest.mark.parametrize(("path", "kib"), [("/v1/orders", 256), ("/v1/commands", 4096)])
async def test_a_body_over_the_limit_is_refused_while_it_comes(api, placing, path, kib):
    body = chunks(padded(placing, kib * KIB), b" ")

    problem = await api.problem(path, body)

    assert problem["code"] == "body-too-large"
    assert api.events() == []


async def test_a_body_of_exactly_the_limit_is_read(api, placing):
    assert (await api.post("/v1/orders", padded(placing, 256 * KIB))).status_code == 201
    in_parts = chunks(b"", padded(placing, 256 * KIB)[:7], padded(placing, 256 * KIB)[7:])
    assert (await api.post("/v1/orders", in_parts)).status_code == 201


async def test_the_limits_are_settings(serve, placing):
    item = {"command": "place-order", "data": placing}
    async with serve(body_bytes_max=1024, batch_bytes_max=2048, batch_commands_max=2) as api:
        order = await api.problem("/v1/orders", padded(placing, 1025))
        batch = await api.problem("/v1/commands", json.dumps([item]).encode() + b" " * 2048)
        number = await api.problem("/v1/commands", [item] * 3)

        assert order["detail"] == "A body may have 1,024 bytes here."
        assert batch["detail"] == "A body may have 2,048 bytes here."
        assert number["errors"] == [{"field": "(body)", "message": "must have at most 2 commands"}]
        assert api.events() == []


async def test_depth_and_digits_are_settings(serve, placing):
    async with serve(json_depth_max=8, json_digits_max=20) as api:
        deep = await api.problem("/v1/orders", {**placing, "x": [[[[[[[[1]]]]]]]]})
        long = await api.problem("/v1/orders", {**placing, "x": [1, 10**20]})
        batch = await api.problem("/v1/commands", [[[[[[[[[]]]]]]]]])
        allowed = await api.problem("/v1/orders", {**placing, "x": [[[[[[[]]]]]]], "y": 10**19})

        assert deep["detail"] == batch["detail"] == "nested deeper than 8"
        assert long["detail"] == "a number has more than 20 digits"
        assert allowed["code"] == "invalid-command"
        assert api.events() == []


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonx",
        "text/json",
        "",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
    ],
)
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/commands"])
async def test_what_is_not_json_by_its_type_is_refused(api, placing, path, kind):
    problem = await api.problem(path, placing, content_type=kind)

    assert (problem["status"], problem["code"]) == (415, "unsupported-media-type")
    assert api.events() == []


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        'application/json; Charset="UTF-8"',
        "application/json; charset=utf-8; profile=x",
        "application/json; profile=x",
    ],
)
async def test_json_is_json_however_it_is_spelled(api, placing, kind):
    assert (await api.post("/v1/orders", placing, content_type=kind)).status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
async def test_a_compressed_body_is_refused(api, placing, encoding):
    problem = await api.problem("/v1/orders", placing, content_encoding=encoding)

    assert problem["code"] == "unsupported-media-type"


@pytest.mark.parametrize("encoding", ["identity", "Identity"])
async def test_identity_is_no_compression(api, placing, encoding):
    answer = await api.post("/v1/orders", placing, content_encoding=encoding)

    assert answer.status_code == 201


async def test_a_body_that_does_not_come_is_given_up(serve):
    async def begun():
        yield b"{"
        await asyncio.Event().wait()

    async with serve(body_timeout_ms=100) as api:
        problem = await api.problem("/v1/orders", begun())

        assert (problem["status"], problem["code"]) == (408, "body-timeout")
        assert problem["detail"] == "Send the body within 0.1 s."


async def test_one_request_too_many_is_put_off(serve, placing, held_log, wait_until):
    async with serve(held_log, in_flight_max=1) as api:
        held_log.is_free.clear()
        first = asyncio.create_task(api.post("/v1/orders", placing))
        await wait_until(lambda: held_log.waiting)

        answer = await api.post("/v1/orders", placing, idempotency_key="second")
        held_log.is_free.set()

        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert (await first).status_code == 201
        assert len(api.events()) == 1
        again = await api.post("/v1/orders", placing, idempotency_key="second")
        assert (again.status_code, again.json()["replayed"]) == (201, False)


async def test_a_full_queue_is_told_for_each_command(
    serve, placing, held_log, wait_until, order_id
):
    """One command is being committed and one waits behind it: the third is one too many."""
    items = [
        {"command": "add-note", "order_id": order_id, "data": {"note_id": f"{n}", "text": "x"}}
        for n in range(3)
    ]
    log_settings = {"queue_commands_max": 1, "group_commands_max": 1}
    async with serve(held_log, log_settings=log_settings) as api:
        await api.post("/v1/orders", {**placing, "order_id": order_id})
        held_log.is_free.clear()
        tasks = []
        for number, item in enumerate(items[:2]):
            tasks.append(asyncio.create_task(api.post("/v1/commands", [item])))
            await wait_until(lambda: held_log.waiting)
            await wait_until(lambda n=number: queued(api) == n)
        third = await api.post("/v1/commands", items[2:])
        alone = await api.problem(f"/v1/orders/{order_id}/add-note", items[2]["data"])
        held_log.is_free.set()
        await asyncio.gather(*tasks)

        [result] = third.json()["results"]
        assert (result["status"], result["code"], result["retry_after"]) == (429, "overloaded", 1)
        assert (alone["status"], alone["code"]) == (429, "overloaded")
        assert [event.version for event in api.events(order_id)] == [1, 2, 3]


def queued(api) -> int:
    return sum(len(writer._queue) for writer in api.partitions.writers.values())


async def test_a_command_larger_than_a_transaction_is_refused(serve, placing, note):
    async with serve(log_settings={"group_bytes_max": 1_000}) as api:
        placed = (await api.post("/v1/orders", placing)).json()["order_id"]
        problem = await api.problem(f"/v1/orders/{placed}/add-note", {**note, "text": "x" * 1_000})

        assert (problem["status"], problem["code"]) == (413, "command-too-large")
        assert len(api.events(placed)) == 1
