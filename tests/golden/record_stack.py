"""Record a whole stack of this release: `python -m tests.golden.record_stack`, before it is tagged.

Every command is sent to a real stack; kept are the topic as it is stored, the database, and what
the query API answers. Later releases must serve it (tests/upgrades). Nothing is written twice.
"""

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx2
from confluent_kafka import Consumer, KafkaError, TopicPartition

from runtime.embedded.packages import postgres_home
from tests.command_api.lives import LIVES, PLACING

HERE = Path(__file__).parent
TOPIC = "orders.events"
BASE = (sys.executable, "-m", "cli.main")
PORTS = [f"--{name}-port=0" for name in ("command", "query", "kafka", "postgres")]
PERSON = {"name": "Zoë", "email": "z@example.org", "phone": "+49 30 1"}
PLACE = {
    "name": "Zoë",
    "lines": ["Weg 1"],
    "postal_code": "10115",
    "city": "Berlin",
    "region": "BE",
    "country": "DE",
}
BEGINNINGS = {
    "place-order": "/v1/orders",
    "create-draft": "/v1/drafts",
    "import-order": "/v1/imports",
}


@contextmanager
def stack(folder: str) -> Iterator[dict[str, str]]:
    """Yield the addresses of a stack that runs meanwhile."""
    where = ("--data-dir", folder)
    subprocess.run([*BASE, "dev", "--detach", *where, *PORTS], check=True)
    try:
        said = subprocess.run(
            [*BASE, "status", *where, "-o", "env"], check=True, capture_output=True, text=True
        ).stdout
        yield {
            name: value.strip("'\"")
            for name, _, value in (line.partition("=") for line in said.splitlines())
        }
    finally:
        subprocess.run([*BASE, "down", *where], check=True)


def live(client: httpx2.Client, url: str) -> list[dict]:
    """Send every command in an order of its own; return what was sent and answered."""
    sent = []

    def send(path: str, body: dict) -> dict:
        key = f"recorded-{len(sent)}"
        answer = client.post(url + path, json=body, headers={"Idempotency-Key": key})
        answer.raise_for_status()
        sent.append({"path": path, "body": body, "key": key, "answer": answer.json()})
        return answer.json()

    for name, life in LIVES.items():
        if name in BEGINNINGS:
            person = {"contact": PERSON, "ship_to": PLACE} if name == "place-order" else {}
            send(BEGINNINGS[name], {**life.data, **person})
            continue
        begun = (
            ("/v1/drafts", LIVES["create-draft"].data) if life.is_draft else ("/v1/orders", PLACING)
        )
        order_id = send(*begun)["order_id"]
        for command, data in (*life.before, (name, life.data)):
            send(f"/v1/orders/{order_id}/{command}", data)
    return sent


def answers(client: httpx2.Client, url: str, sent: list[dict]) -> dict[str, dict]:
    """Return what the query API says of all orders, once everything is in it: path -> body."""
    positions = {one["answer"]["order_id"]: one["answer"]["position"] for one in sent}
    paths = [f"/v1/orders/{order_id}{more}" for order_id in positions for more in ("", "/timeline")]
    found = {}
    for path in (*paths, "/v1/customers/c-1"):
        order_id = path.split("/")[3]
        minimum = positions.get(order_id, sent[-1]["answer"]["position"])
        answer = client.get(
            url + path, params={"wait_ms": 10_000}, headers={"Orders-Min-Position": minimum}
        )
        answer.raise_for_status()
        found[path] = answer.json()
    return found


def records(bootstrap: str) -> Iterator[dict]:
    """Yield the topic's committed records, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "recorder", "enable.partition.eof": True}
    )
    try:
        for partition in sorted(consumer.list_topics(TOPIC, 10).topics[TOPIC].partitions):
            consumer.assign([TopicPartition(TOPIC, partition, 0)])
            while (message := consumer.poll(10)) is not None and message.error() is None:
                yield {
                    "partition": partition,
                    "offset": message.offset(),
                    "key": message.key().decode(),
                    "value": (message.value() or b"").hex(),
                }
            if message is None or message.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(f"partition {partition} could not be read to its end: {message}")
    finally:
        consumer.close()


def database(url: str) -> str:
    """Return the database as statements, for an owner of any name who is no superuser.

    Such a one gives tables away only to who may make some there, and grants come last in a dump.
    """
    dumped = subprocess.run(
        [postgres_home() / "bin" / "pg_dump", "--inserts", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line for line in dumped.splitlines() if line and not line.startswith(("--", "\\"))]
    text = "\n".join(lines).replace("OWNER TO orderlog_owner;", "OWNER TO CURRENT_USER;")
    return re.sub(
        r"^ALTER SCHEMA (\w+) OWNER .*$",
        r"\g<0>\nGRANT USAGE, CREATE ON SCHEMA \1 TO orderlog_projector;",
        text,
        flags=re.MULTILINE,
    )


def main() -> None:
    """Write the four files, unless the release has them."""
    folder = HERE / version("orderlog") / "stack"
    if folder.exists():
        sys.exit(f"{folder} exists: what a release stored is never written again")
    with (
        tempfile.TemporaryDirectory() as data,
        stack(data) as at,
        httpx2.Client(timeout=30) as client,
    ):
        sent = live(client, at["ORDERLOG_COMMAND_URL"])
        files = {
            "answers.json": json.dumps(answers(client, at["ORDERLOG_QUERY_URL"], sent)),
            "sent.json": json.dumps(sent),
            "log.jsonl": "\n".join(map(json.dumps, records(at["ORDERLOG_KAFKA_BOOTSTRAP"]))),
            "database.sql": database(at["ORDERLOG_DATABASE_URL"]),
        }
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
