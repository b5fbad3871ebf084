"""Erasure on a whole stack: nothing in any store shows the person, and everything still adds up."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx2
import pytest
from confluent_kafka import Consumer, TopicPartition

from personal_data.sealing import Unopenable, opened, order_of
from runtime.embedded.postgres import data_folder

MARK = uuid.uuid4().hex
SKU = f"sku-{MARK}"
NAME, STREET, MAIL, TEXT = (f"{what}-{MARK}" for what in ("name", "street", "mail", "text"))
SECRETS = (NAME, STREET, MAIL, TEXT)
CONTACT = {"name": NAME, "email": f"{MAIL}@example.org", "phone": ""}
ADDRESS = {"name": NAME, "lines": [STREET], "postal_code": "1", "city": "Berlin", "country": "DE"}
GONE, KEPT = f"gone-{MARK}", f"kept-{MARK}"
LINE = {"sku": SKU, "quantity": 1, "unit_price_minor": 1299}
SEALED = re.compile(rb"sealed1:[A-Za-z0-9_-]{88,}")


class World:
    """Sends commands to the stack and asks it, always behind what was sent."""

    def __init__(self, stack) -> None:
        self.stack = stack
        self.commands = httpx2.Client(base_url=stack.command_url, timeout=30)
        self.queries = httpx2.Client(base_url=stack.query_url, timeout=30)
        self._position = ""

    def send(self, path: str, body: dict) -> str:
        answer = self.commands.post(path, json=body)
        assert answer.status_code in {200, 201}, answer.text
        self._position = answer.json()["position"]
        return answer.json()["order_id"]

    def ask(self, path: str, **query: str) -> str:
        headers = {"Orders-Min-Position": self._position}
        answer = self.queries.get(path, params={"wait_ms": "10000", **query}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    def placed(self, customer_id: str) -> str:
        order = {"customer_id": customer_id, "currency": "EUR", "lines": [LINE]}
        order_id = self.send("/v1/orders", {**order, "contact": CONTACT, "ship_to": ADDRESS})
        self.send(f"/v1/orders/{order_id}/add-note", {"note_id": "n-1", "text": TEXT})
        return order_id

    def drafted(self, customer_id: str) -> str:
        order_id = self.send("/v1/drafts", {"customer_id": customer_id, "currency": "EUR"})
        path = f"/v1/orders/{order_id}"
        self.send(f"{path}/set-addresses", {"bill_to": ADDRESS, "contact": CONTACT})
        self.send(f"{path}/add-line", LINE)
        self.send(f"{path}/place", {})
        return order_id

    def everything_about(self, order_id: str, customer_id: str) -> str:
        path = f"/v1/orders/{order_id}"
        version = json.loads(self.ask(path))["version"]
        return "\n".join(
            (
                self.ask(path),
                self.ask(f"{path}/timeline"),
                *(self.ask(path, as_of_version=str(n)) for n in range(1, version + 1)),
                self.ask("/v1/orders", customer_id=customer_id),
                self.ask(f"/v1/customers/{customer_id}/orders"),
            )
        )


def records(bootstrap: str) -> Iterator[bytes]:
    """Yield what is in every topic of the broker, its own ones included, as it is stored."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "scan",
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
        }
    )
    for name, topic in consumer.list_topics(timeout=30).topics.items():
        for number in topic.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=30)
            if low == high:
                continue
            consumer.assign([TopicPartition(name, number, low)])
            while consumer.position([TopicPartition(name, number)])[0].offset < high:
                message = consumer.poll(1.0)
                if message is not None and message.error() is None:
                    said = [message.key(), message.value()]
                    said += [value for _, value in message.headers() or ()]
                    yield b"\0".join(part for part in said if part)
    consumer.close()


async def rows(database_url: str) -> bytes:
    """Return every row of every table of ours, as text."""
    connection = await asyncpg.connect(database_url)
    tables = await connection.fetch(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname IN ('read_models', 'orderlog', 'orderlog_keys')"
    )
    found = [
        row[0]
        for (table,) in tables
        for row in await connection.fetch(f"SELECT t::text FROM {table} AS t")
    ]
    await connection.close()
    return "\n".join(found).encode()


def files(what: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield f"{what} {path}", path.read_bytes()


@pytest.fixture(scope="module")
def world(stack) -> World:
    return World(stack)


@pytest.fixture(scope="module")
def erased(world, tmp_path_factory):
    """Orders of two customers, copies of everything, and then one customer is erased."""
    folder = tmp_path_factory.mktemp("exports")
    cli = world.stack.cli
    orders = {GONE: [world.placed(GONE), world.drafted(GONE)], KEPT: [world.placed(KEPT)]}
    shown = {one: world.everything_about(one, who) for who in orders for one in orders[who]}
    cli("rebuild", "--workers", "1")  # The generation before stays, for a rollback.
    cli("audit", "export", "--out", str(folder / "before"))
    cli("audit", "keygen", "--out", str(folder / "key"))
    world.stack.environment["ORDERLOG_AUDIT_KEY_FILE"] = str(folder / "key")
    asked = ("--reason", "request 7", "--as", "user:jane", "--yes")
    done = cli("erase", "customer", GONE, *asked)
    (folder / "certificate").write_text(done.stdout)
    cli("audit", "export", "--out", str(folder / "after"))
    return orders, shown, json.loads(done.stdout), folder


def test_before_it_the_person_was_to_be_seen(erased):
    _, shown, _, _ = erased

    for text in shown.values():
        for secret in (NAME, STREET, MAIL):
            assert secret in text


def test_nobody_is_shown_the_person_any_more(world, erased):
    orders, _, result, _ = erased

    for order_id in orders[GONE]:
        text = world.everything_about(order_id, GONE)
        assert SKU in text
        assert not [secret for secret in SECRETS if secret in text]
        assert b"sealed1:" not in text.encode()
    for order_id in orders[KEPT]:
        assert {s for s in SECRETS if s in world.everything_about(order_id, KEPT)} == set(SECRETS)
    assert {one["order_id"] for one in result["orders"]} == set(orders[GONE])
    assert result["plain_events"] == 0


def test_the_certificate_names_each_fact_in_the_log(world, erased):
    folder, result = erased[3], erased[2]
    check = ("erase", "check", str(folder / "certificate"))
    lines = [
        json.loads(line)
        for file in sorted((folder / "after").glob("events-*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    facts = {line["event_id"]: line for line in lines if line["type"] == "CustomerDataErased"}

    for one in result["orders"]:
        fact = facts[one["event_id"]]
        assert {name: fact[name] for name in one} == one
        assert fact["actor"] == {"kind": "user", "id": "jane"}
    assert "signed by" in world.stack.cli(*check).stdout
    (folder / "changed").write_text((folder / "certificate").read_text().replace(GONE, KEPT))
    changed = world.stack.cli("erase", "check", str(folder / "changed"), check=False)
    assert (changed.returncode, "NOT VALID" in changed.stderr) == (5, True)


async def test_no_store_holds_the_person_nor_what_opens_the_seals(world, erased):
    orders, _, _, folder = erased
    environment = world.stack.environment
    stored = [("a topic", record) for record in records(environment["ORDERLOG_KAFKA_BOOTSTRAP"])]
    stored.append(("a table", await rows(environment["ORDERLOG_DATABASE_URL"])))
    stored += files("a file", world.stack.data_dir)
    stored += files("the database", data_folder(world.stack.data_dir / "postgres"))
    stored += files("an export", folder)

    for secret in SECRETS:
        assert [where for where, bytes_ in stored if secret.encode() in bytes_] == []
    # The scanner sees what is there to be seen: goods are, in each kind of store.
    seeing = {where for where, bytes_ in stored if SKU.encode() in bytes_}
    assert {"a topic", "a table"} < seeing
    assert {where.partition(" /")[0] for where in seeing} >= {"the database", "an export"}

    connection = await asyncpg.connect(environment["ORDERLOG_DATABASE_URL"])
    keys = await connection.fetch("SELECT order_id::text, key FROM orderlog_keys.order_keys")
    await connection.close()
    assert {row["order_id"] for row in keys if row["key"]} == set(orders[KEPT])
    seals = {seal.decode() for _, bytes_ in stored for seal in SEALED.findall(bytes_)}
    of_the_erased = {seal for seal in seals if order_of(seal) in orders[GONE]}
    assert len(of_the_erased) >= 5
    for seal in of_the_erased:
        for row in keys:
            if row["key"]:
                with pytest.raises(Unopenable):
                    opened(row["key"], seal)


def test_everything_still_adds_up(world, erased):
    cli, folder = world.stack.cli, erased[3]

    cli("verify", "--all")
    cli("rebuild", "--workers", "1")
    cli("verify", "--all")
    for when in ("before", "after"):
        assert "valid" in cli("audit", "verify", str(folder / when)).stdout


def test_the_status_says_what_is_left(world, erased):
    cli = world.stack.cli
    whole, left = cli("erase", "status", GONE), cli("erase", "status", KEPT, check=False)
    again = cli("erase", "customer", GONE, "--yes")

    assert whole.returncode == 0
    assert left.returncode == 3
    assert f"orderlog erase customer {KEPT}" in left.stderr
    assert json.loads(again.stdout)["orders"] == erased[2]["orders"]
    nobody = cli("erase", "customer", f"nobody-{MARK}", "--yes", check=False)
    assert (nobody.returncode, "has no orders" in nobody.stderr) == (1, True)
    unasked = cli("erase", "customer", KEPT, check=False)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)


def test_whoever_comes_back_is_known_again(world, erased):
    order_id = world.placed(GONE)

    assert MAIL in world.ask(f"/v1/orders/{order_id}")
    assert world.stack.cli("erase", "status", GONE, check=False).returncode == 3
    world.stack.cli("erase", "customer", GONE, "--yes")
    assert MAIL not in world.everything_about(order_id, GONE)
    assert order_id not in {one["order_id"] for one in erased[2]["orders"]}
