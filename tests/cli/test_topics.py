"""`orderlog topics` and `orderlog inspect` on a real Kafka: what was made, what differs."""

import json
import time
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"


@pytest.fixture
def admin(kafka_bootstrap) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_bootstrap})


@pytest.fixture
def change(admin, log_settings):
    """Change a setting of this test's topic."""

    def to(name: str, value: str) -> None:
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(
            ResourceType.TOPIC, log_settings.kafka_topic, incremental_configs=[entry]
        )
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(10)
        plain = ConfigResource(ResourceType.TOPIC, log_settings.kafka_topic)

        def is_known() -> bool:
            (described,) = admin.describe_configs([plain]).values()
            return described.result(10)[name].value == value

        until(is_known)

    return to


def until(is_known: Callable[[], bool]) -> None:
    """Wait for the broker, which learns a moment after the answer what its controller has done."""
    deadline = time.monotonic() + 20
    while not is_known():
        assert time.monotonic() < deadline
        time.sleep(0.01)


DIFFERENCES = [
    ("cleanup.policy", "delete", "compact"),
    ("cleanup.policy", "compact,delete", "compact"),
    ("unclean.leader.election.enable", "true", "false"),
    ("message.timestamp.type", "CreateTime", "LogAppendTime"),
]


@pytest.mark.parametrize("difference", DIFFERENCES)
@pytest.mark.parametrize("verb", ["ensure", "check"])
def test_a_setting_that_breaks_a_promise_is_named(orderlog, on_topic, change, verb, difference):
    name, value, needed = difference
    change(name, value)

    done = orderlog("topics", verb, **on_topic)

    assert done.returncode == 4
    assert f"{name} is {value}, needed is {needed}" in done.stdout + done.stderr


def test_too_few_copies_name_our_setting(orderlog, on_topic):
    done = orderlog("topics", "check", min_insync_replicas="2", **on_topic)

    assert done.returncode == 4
    assert "min.insync.replicas is 1, needed is 2 (ORDERLOG_MIN_INSYNC_REPLICAS)" in done.stdout


def test_a_tuned_setting_is_no_difference(orderlog, on_topic, change):
    change("segment.ms", "3600000")

    assert orderlog("topics", "check", **on_topic).returncode == 0


def test_ensuring_does_not_change_what_is_there(orderlog, on_topic, change):
    change("cleanup.policy", "delete")
    orderlog("topics", "ensure", **on_topic)

    facts = json.loads(orderlog("topics", "check", "-o", "json", **on_topic).stdout)

    assert [text.split(":")[0] for text in facts["differences"]] == [
        "cleanup.policy is delete, needed is compact"
    ]


def test_an_existing_topic_keeps_its_partitions(orderlog, on_topic):
    """The setting counts when the topic is made, and never again."""
    done = orderlog("topics", "ensure", **{**on_topic, "partitions": "9"})

    assert done.returncode == 0, done.stderr
    assert "is there, with 4 partitions" in done.stderr


def test_more_copies_than_brokers_are_refused_with_the_brokers_words(orderlog, on_topic):
    new = {**on_topic, "kafka_topic": on_topic["kafka_topic"] + ".new", "replication_factor": "3"}

    done = orderlog("topics", "ensure", **new)

    assert done.returncode == 1
    assert "replication factor" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", [("topics", "check"), ("inspect", ORDER)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_missing_topic_is_incompatible_and_nothing_is_printed(orderlog, on_topic, verb, form):
    done = orderlog(*verb, "-o", form, **{**on_topic, "kafka_topic": "orders.nowhere"})

    assert done.returncode == 4
    assert "there is no topic orders.nowhere" in done.stderr
    assert "orderlog topics ensure" in done.stderr
    assert done.stdout == ""


def test_an_order_id_may_be_written_in_any_usual_way(orderlog, on_topic):
    for text in (ORDER.upper(), ORDER.replace("-", ""), "{" + ORDER + "}"):
        assert f"no event of order {ORDER}" in orderlog("inspect", text, **on_topic).stderr


def test_a_topic_that_somebody_else_made_is_told_apart(orderlog, on_topic, admin):
    name = on_topic["kafka_topic"] + ".foreign"
    admin.create_topics([NewTopic(name, num_partitions=2)])[name].result(10)
    until(lambda: len(admin.list_topics(name).topics[name].partitions) == 2)

    done = orderlog("topics", "check", "-o", "json", **{**on_topic, "kafka_topic": name})

    assert done.returncode == 4
    facts = json.loads(done.stdout)
    assert facts["partitions"] == 2
    *wrong, accesses = facts["differences"]
    assert {text.split(" is ")[0] for text in wrong} == {"cleanup.policy", "message.timestamp.type"}
    assert accesses.startswith(f"there is no topic {name}.audit-access at ")
