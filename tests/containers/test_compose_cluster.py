"""`docker compose --profile cluster up --wait`: one broker of three is killed under load."""

import json
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.containers.compose import docker
from tests.containers.traffic import placed, served

pytestmark = pytest.mark.timeout(1200)
TOPICS = ("orders.events", "orders.audit-access", "__transaction_state", "__consumer_offsets")
KEYS = [f"load-{number}" for number in range(600)]
ENOUGH = 150


def nodes(system) -> list[str]:
    return [
        system.given["ORDERLOG_COMMAND_URL"],
        f"http://127.0.0.1:{system.given['COMMAND_2_PORT']}",
    ]


def test_every_topic_is_on_three_brokers_and_needs_two(cluster):
    placed(nodes(cluster), "first")
    words = ("--bootstrap-server", "kafka-2:9092", "--describe")
    described = cluster("exec", "-T", "kafka-2", "/opt/kafka/bin/kafka-topics.sh", *words)

    for topic in TOPICS:
        line = next(one for one in described.splitlines() if re.match(rf"Topic: {topic}\s", one))
        assert re.search(r"ReplicationFactor: ?3\b", line), line
        assert "min.insync.replicas=2" in line, line


def test_both_nodes_own_partitions(cluster):
    for service in ("command", "command-2"):
        line = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/readyz').read().decode())"
        ready = cluster("exec", "-T", service, "python", "-c", line)
        assert "partition " in ready, ready


def test_a_killed_broker_costs_nothing(cluster):
    """Every 2xx is in the log afterwards, once."""
    acknowledged: dict[str, dict] = {}
    enough = threading.Event()

    def send(number: int) -> None:
        urls = nodes(cluster)
        answer = placed(urls if number % 2 else urls[::-1], KEYS[number])
        acknowledged[KEYS[number]] = answer
        if len(acknowledged) >= ENOUGH:
            enough.set()

    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(send, number) for number in range(len(KEYS))]
        assert enough.wait(120)
        docker("kill", cluster.container("kafka"))
        for future in running:
            future.result(timeout=300)
    state = cluster.inspected("kafka")["State"]["Status"]
    last = placed(nodes(cluster), "without-it")
    cluster("start", "kafka")
    cluster("up", "--detach", "--wait", "--no-recreate")

    assert state == "exited"
    assert len(acknowledged) == len(KEYS)
    assert served(cluster, last)["version"] == 1
    cluster.cli("audit", "export", "--out", "trail")
    assert cluster.cli("audit", "verify", "trail").startswith("valid: ")
    events = [json.loads(line) for line in cluster.sh("cat trail/events-*.jsonl").splitlines()]
    stored = Counter((event["order_id"], event["version"]) for event in events)
    assert set(stored.values()) == {1}
    assert {answer["order_id"] for answer in acknowledged.values()} <= {key for key, _ in stored}
    cluster.cli("verify", "--all")
