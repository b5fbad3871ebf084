"""Verbs on a real Kafka and a real Postgres."""

import asyncio
import json

import pytest

from eventlog import codec
from eventlog.log import Record
from eventlog.partitioner import partition_of

DEADLINE_S = 20
ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"


def test_ensuring_a_topic_makes_it_once(orderlog, on_topic):
    new = {**on_topic, "kafka_topic": on_topic["kafka_topic"] + ".new"}

    first, second = orderlog("topics", "ensure", **new), orderlog("topics", "ensure", **new)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "was created, with 4 partitions" in first.stderr
    assert "is there, with 4 partitions" in second.stderr


@pytest.fixture
async def placed(kafka_log):
    """One order with a note that tries to drive the terminal."""
    envelope = dict.fromkeys(codec.Envelope.__slots__, "")
    envelope |= {
        "order_id": ORDER,
        "version": 1,
        "occurred_at_us": 1_790_000_000_000_000,
        "recorded_at_us": 1_790_000_000_000_000,
        "fingerprint": bytes(32),
        "prev_hash": bytes(32),
        "command_index": 0,
        "command_size": 1,
        "actor": codec.Actor("user", "u-1"),
    }
    note = codec.bodies.events.NoteAdded("n-1", "\x1b[31mred\nsecond line")
    value = codec.encode(codec.Envelope(**envelope), note)
    partition = partition_of(ORDER, 4)
    appender = await kafka_log.open_appender(partition)
    await appender.append([Record(codec.event_key(ORDER, 1), value)])
    await appender.close()
    async with asyncio.timeout(DEADLINE_S):
        while not await kafka_log.end(partition):  # The commit's marker may still be on its way.
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("placed")
def test_inspect_prints_an_order_from_the_log(orderlog, on_topic):
    done = orderlog("inspect", ORDER.upper(), **on_topic)

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "NoteAdded" in line
    assert "\x1b" not in line
    facts = json.loads(orderlog("inspect", ORDER, "-o", "json", **on_topic).stdout)
    assert facts[0]["data"] == {"note_id": "n-1", "text": "\x1b[31mred\nsecond line"}


def test_an_order_that_is_not_there(orderlog, on_topic):
    done = orderlog("inspect", ORDER, **on_topic)

    assert done.returncode == 1
    assert f"no event of order {ORDER}" in done.stderr


def test_lag_before_anything_is_projected_is_unhealthy(orderlog, on_topic, database_url):
    done = orderlog("lag", database_url=database_url, **on_topic)

    assert done.returncode == 3, done.stderr
    assert "orderlog project" in done.stderr


def test_nothing_is_live_so_that_nothing_can_be_left(orderlog, on_topic, database_url):
    done = orderlog("rollback", "--projection", "orders", database_url=database_url, **on_topic)

    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
