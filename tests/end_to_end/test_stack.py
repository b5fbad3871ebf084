"""The whole system as a user runs it: orders in, answers out, processes killed, history proved."""

import contextlib
import json
import os
import signal
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

ORDER = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}


def place(client: httpx2.Client, url: str, key: str, **changes) -> httpx2.Response:
    return client.post(
        f"{url}/v1/orders", json={**ORDER, **changes}, headers={"Idempotency-Key": key}
    )


def served(client: httpx2.Client, url: str, order_id: str, position: str) -> httpx2.Response:
    return client.get(
        f"{url}/v1/orders/{order_id}?wait_ms=10000", headers={"Orders-Min-Position": position}
    )


def events_of_export(folder: Path) -> list[dict]:
    lines = []
    for path in sorted(folder.glob("events-*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return lines


def test_an_answer_is_readable_at_its_position(stack, client):
    placed = place(client, stack.command_url, "tour-1")

    assert placed.status_code == 201, placed.text
    body = placed.json()
    read = served(client, stack.query_url, body["order_id"], body["position"])
    assert read.status_code == 200, read.text
    assert read.json()["total_minor"] == 2598
    assert read.json()["version"] == 1


def test_the_same_key_twenty_times_at_once_appends_once(stack, client):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: place(client, stack.command_url, "same-key"), range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["events"][0]["event_id"] for answer in answers}) == 1
    assert Counter(answer.json()["replayed"] for answer in answers) == {True: 19, False: 1}


def test_bad_input_names_the_field_and_appends_nothing(stack, client):
    order_id = str(uuid.uuid4())
    bad = {
        **ORDER,
        "order_id": order_id,
        "lines": [{"sku": "A", "quantity": "7", "unit_price_minor": 1}],
    }

    refused = client.post(f"{stack.command_url}/v1/orders", json=bad)

    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert refused.json()["code"] == "invalid-command"
    assert "quantity" in refused.json()["errors"][0]["field"]
    assert stack.cli("inspect", order_id, check=False).returncode == 1


def test_a_killed_command_process_loses_and_doubles_nothing(stack, client, tmp_path):
    """`kill -9` in the middle of a load: every 2xx is in the log, once, without gaps."""
    acknowledged: dict[str, dict] = {}
    keys = [f"crash-{number}" for number in range(1200)]
    enough = threading.Event()

    def send(key: str) -> None:
        for _ in range(400):
            with contextlib.suppress(httpx2.HTTPError):
                answer = place(client, stack.command_url, key)
                if answer.status_code == 201:
                    acknowledged[key] = answer.json()
                    if len(acknowledged) > 200:
                        enough.set()
                    return
                assert answer.status_code in {429, 503}, answer.text
            threading.Event().wait(0.1)

    before = stack.pid("command")
    with ThreadPoolExecutor(32) as pool:
        running = [pool.submit(send, key) for key in keys]
        assert enough.wait(60)
        os.kill(before, signal.SIGKILL)
        for future in running:
            future.result(timeout=120)

    assert len(acknowledged) == len(keys)
    assert stack.pid("command") != before
    stack.cli("audit", "export", "--format", "jsonl", "--out", str(tmp_path / "export"))
    stack.cli("audit", "verify", str(tmp_path / "export"))
    stored = Counter(
        (event["order_id"], event["version"]) for event in events_of_export(tmp_path / "export")
    )
    for answer in acknowledged.values():
        assert stored[answer["order_id"], 1] == 1
    assert set(stored.values()) == {1}


def test_a_killed_projector_leaves_rows_equal_to_the_log(stack, client, eventually):
    orders = [
        {"command": "place-order", "data": ORDER, "idempotency_key": f"p-{n}"} for n in range(900)
    ]
    before = stack.pid("projectors")
    client.post(f"{stack.command_url}/v1/commands", json=orders[:400]).raise_for_status()
    os.kill(before, signal.SIGKILL)
    last = client.post(f"{stack.command_url}/v1/commands", json=orders[400:])

    last.raise_for_status()
    results = last.json()["results"]
    assert {result["status"] for result in results} == {201}
    read = None

    def is_served() -> bool:
        nonlocal read
        read = served(client, stack.query_url, results[-1]["order_id"], results[-1]["position"])
        return read.status_code == 200

    eventually(is_served, "the restarted projector catches up")
    assert stack.pid("projectors") != before
    stack.cli("verify", "--all")


def test_a_rebuild_equals_the_live_model_and_can_be_rolled_back(stack, client):
    stack.cli("rebuild")

    generations = client.get(f"{stack.query_url}/v1/projections").json()["projections"]
    assert {entry["generation"] for entry in generations if entry["state"] == "live"} == {2}
    stack.cli("verify", "--all")
    stack.cli("rollback", "--projection", "orders")
    placed = place(client, stack.command_url, "after-rollback").json()
    read = served(client, stack.query_url, placed["order_id"], placed["position"])
    assert read.status_code == 200, read.text


def test_a_tampered_export_is_caught(stack, tmp_path):
    stack.cli("audit", "export", "--format", "jsonl", "--out", str(tmp_path / "export"))
    path = next((tmp_path / "export").glob("events-*.jsonl"))
    path.write_text(path.read_text().replace("1299", "1298", 1))

    caught = stack.cli("audit", "verify", str(tmp_path / "export"), check=False)

    assert caught.returncode == 5
    assert path.name in caught.stdout + caught.stderr


def test_lag_reaches_zero(stack, eventually):
    eventually(
        lambda: stack.cli("lag", "--max-seconds", "5", check=False).returncode == 0,
        "every projection has caught up",
    )
