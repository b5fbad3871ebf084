"""Command nodes share the partitions, and any of them takes any command."""

import asyncio
import signal
import uuid

import httpx2
import pytest

ORDER = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}
LOAD = 150


async def place(cluster, node, key, **changes):
    headers = {"Idempotency-Key": key}
    return await cluster.client.post(
        f"{node.url}/v1/orders", json={**ORDER, **changes}, headers=headers
    )


async def test_any_node_takes_any_command_with_the_same_answer(cluster):
    nodes = [await cluster.start() for _ in range(3)]
    await cluster.until_shared()

    placed = {
        key: [await place(cluster, node, key) for node in nodes]
        for key in (f"k-{n}" for n in range(12))
    }

    for answers in placed.values():
        first, *others = answers
        assert [answer.status_code for answer in answers] == [201] * 3
        assert first.json()["replayed"] is False
        for other in others:
            assert {**other.json(), "replayed": False} == first.json()
            assert other.headers["idempotency-replayed"] == "true"
            for name in ("etag", "orders-position", "location"):
                assert other.headers[name] == first.headers[name]
    assert len(await cluster.stored()) == 12


async def test_refusals_come_back_as_the_owner_said_them(cluster):
    nodes = [await cluster.start() for _ in range(2)]
    await cluster.until_shared()
    for number in range(4):
        order_id = (await place(cluster, nodes[0], f"k-{number}")).json()["order_id"]
        accept = f"/v1/orders/{order_id}/accept"
        for path, headers, status in (
            ("/complete", {}, 409),
            ("/accept", {"If-Match": '"7"'}, 412),
            ("/hold", {}, 422),
        ):
            asked = [
                await cluster.client.post(
                    f"{node.url}/v1/orders/{order_id}{path}", json={}, headers=headers
                )
                for node in nodes
            ]
            assert [answer.status_code for answer in asked] == [status] * 2
            assert asked[0].json() == asked[1].json()
        tried = [
            await cluster.client.post(f"{node.url}{accept}?dry_run=true", json={}) for node in nodes
        ]
        assert {answer.json()["events"][0]["type"] for answer in tried} == {"OrderAccepted"}
        unknown = [
            await cluster.client.post(f"{node.url}/v1/orders/{uuid.uuid4()}/accept", json={})
            for node in nodes
        ]
        assert [answer.status_code for answer in unknown] == [404] * 2
    assert {len(events) for events in (await cluster.stored()).values()} == {1}


async def test_a_batch_goes_to_all_owners_and_keeps_its_sequence(cluster):
    nodes = [await cluster.start() for _ in range(3)]
    await cluster.until_shared()
    ids = [str(uuid.uuid4()) for _ in range(20)]
    items = [{"command": "place-order", "order_id": one, "data": ORDER} for one in ids]
    items += [{"command": "accept", "order_id": one, "expected_version": 1} for one in ids]
    items += [{"command": "accept", "order_id": one, "expected_version": 1} for one in ids]

    answer = await cluster.client.post(f"{nodes[0].url}/v1/commands", json=items)

    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201] * 20 + [200] * 20 + [412] * 20
    assert [result.get("order_id") for result in results[:40]] == ids + ids
    assert {result["current_version"] for result in results[40:]} == {2}


async def send_steadily(cluster, targets, answers, until):
    """Place orders one after the other at nodes that stay, and take what is answered."""
    number = 0
    while not until.is_set() or number < LOAD:
        node = targets[number % len(targets)]
        answers.append(await place(cluster, node, f"steady-{number}"))
        number += 1


@pytest.mark.parametrize("what", ["joins", "leaves"])
async def test_nobody_notices_that_a_node_joins_or_leaves(cluster, what):
    """Not one request fails while partitions move in good order."""
    staying = [await cluster.start() for _ in range(2)]
    if what == "leaves":
        leaving = await cluster.start()
    await cluster.until_shared()
    answers, until = [], asyncio.Event()
    load = asyncio.create_task(send_steadily(cluster, staying, answers, until))

    if what == "joins":
        await cluster.start()
    else:
        assert await cluster.end(leaving) == 0
    await cluster.until_shared()
    until.set()
    await load

    assert {answer.status_code for answer in answers} == {201}
    stored = await cluster.stored()
    assert len(stored) == len(answers)
    assert {len(events) for events in stored.values()} == {1}


async def test_a_node_that_comes_back_at_once_has_its_share_again(cluster):
    """It was given nothing when it left, and the group remembers that for a while (KIP-345)."""
    _, restarted = [await cluster.start() for _ in range(2)]
    await cluster.until_shared()

    assert await cluster.end(restarted) == 0
    await cluster.start(int(restarted.url.rpartition(":")[2]))

    await cluster.until_shared()


async def test_a_killed_node_loses_and_doubles_nothing(cluster):
    """`kill -9` under load: its partitions find new owners, and the same keys their answers."""
    victim, *others = [await cluster.start() for _ in range(3)]
    await cluster.until_shared()
    acknowledged: dict[str, dict] = {}

    async def send(key: str) -> None:
        async with asyncio.timeout(60):
            while key not in acknowledged:
                try:
                    answer = await place(cluster, others[len(acknowledged) % 2], key)
                except httpx2.TransportError:
                    continue
                if answer.status_code == 201:
                    acknowledged[key] = answer.json()
                else:
                    assert answer.status_code in {429, 503}, answer.text
                    await asyncio.sleep(0.1)

    load = [asyncio.create_task(send(f"k-{n}")) for n in range(60)]
    while len(acknowledged) < 20:
        await asyncio.sleep(0.01)
    await cluster.end(victim, signal.SIGKILL)
    load += [asyncio.create_task(send(f"later-{n}")) for n in range(60)]
    await asyncio.gather(*load)
    await cluster.until_shared()

    stored = await cluster.stored()
    assert set(stored) == {answer["order_id"] for answer in acknowledged.values()}
    assert {len(events) for events in stored.values()} == {1}
    for answer in acknowledged.values():
        assert stored[answer["order_id"]][0].event_id == answer["events"][0]["event_id"]


async def test_a_node_that_the_group_refuses_ends_and_says_why(cluster):
    """The broker takes no session timeout below six seconds."""
    node = await cluster.start(ORDERLOG_GROUP_SESSION_TIMEOUT_MS="1000")
    cluster.nodes.remove(node)

    async with asyncio.timeout(60):
        assert await node.process.wait() == 1
    assert "InvalidSessionTimeout" in node.output.read_text()
