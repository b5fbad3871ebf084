"""The access log: written before anything is given out, and a chain however many write."""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable
from itertools import count

import orjson
import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from audit.access.log import (
    BEGUN,
    CUT,
    FINISHED,
    AccessLog,
    AccessNotRecorded,
    Question,
    actor_of,
    recorded,
)
from audit.access.topic import access_log, differences, trail_of
from audit.access.trail import checked, trail
from domain.values import Actor
from eventlog.fitness import access_topic
from eventlog.log import LogUnavailable, Record, StoredRecord
from eventlog.memory import Fault, MemoryLog
from runtime.settings import LogSettings

JANE = Question(Actor("user", "jane"), "cli", {"order_id": None, "format": "jsonl"})
WRITERS = 6


def never(text: str) -> None:
    raise AssertionError(text)


def of(log: MemoryLog) -> AccessLog:
    moments = count(1_700_000_000_000_000, 1_000_000)
    return AccessLog(log, clock_us=lambda: next(moments))


def stored(log: MemoryLog) -> list[dict]:
    return [orjson.loads(record.value) for record in log.records(0)]


async def test_an_access_has_a_record_when_it_begins_and_one_when_it_ends():
    log = MemoryLog(partitions=1)
    during = []

    async with recorded(of(log), JANE, lambda: 7, never):
        during = stored(log)

    assert [record["state"] for record in during] == [BEGUN]
    begun, ended = stored(log)
    assert begun["actor"] == {"kind": "user", "id": "jane"}
    assert (begun["how"], begun["what"]) == ("cli", dict(JANE.what))
    assert (ended["state"], ended["events"]) == (FINISHED, 7)
    assert ended["access_id"] == begun["access_id"]


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
async def test_what_breaks_off_is_recorded_as_cut(error):
    log = MemoryLog(partitions=1)

    with pytest.raises(error):
        async with recorded(of(log), JANE, lambda: 3, never):
            raise error

    assert [(record["state"], record.get("events")) for record in stored(log)] == [
        (BEGUN, None),
        (CUT, 3),
    ]


async def test_each_record_names_the_hash_of_the_one_before():
    log = MemoryLog(partitions=1)
    for _ in range(20):
        async with recorded(of(log), JANE, lambda: 1, never):
            pass

    before = bytes(32)
    for record in log.records(0):
        assert orjson.loads(record.value)["prev_hash"] == before.hex()
        before = hashlib.sha256(record.value).digest()
    found = await trail(log)
    assert (found.records, found.head, found.findings) == (40, before.hex(), ())


async def test_the_last_record_is_found_behind_many_aborted_ones():
    log = MemoryLog(partitions=1)
    async with recorded(of(log), JANE, lambda: 1, never):
        pass
    log._entries[0] += [None] * 1_000

    async with recorded(of(log), JANE, lambda: 1, never):
        pass

    assert (await trail(log)).findings == ()


@pytest.mark.parametrize("seed", range(20))
async def test_no_record_is_lost_or_written_twice_whatever_becomes_of_an_append(seed):
    chance = random.Random(seed)
    faults = [Fault.NONE, Fault.LOST, Fault.ANSWER_LOST, Fault.LATE]
    log = MemoryLog(partitions=1, faults=lambda _: chance.choice(faults))

    async def access(accesses: AccessLog) -> None:
        async with recorded(accesses, JANE, lambda: 1, never):
            await asyncio.sleep(0)

    await asyncio.gather(*(access(of(log)) for _ in range(3)))

    keys = [record.key for record in log.records(0)]
    assert len(keys) == len(set(keys)) == 6
    assert (await trail(log)).findings == ()


async def test_nothing_begins_when_it_cannot_be_recorded():
    log = MemoryLog(partitions=1)

    def check() -> None:
        raise LogUnavailable("Kafka is away")

    with pytest.raises(AccessNotRecorded, match=r"recorded first.*Kafka is away"):
        async with recorded(AccessLog(log, check), JANE, lambda: 0, never):
            raise AssertionError

    assert stored(log) == []


async def test_an_end_that_cannot_be_recorded_leaves_the_access_open():
    log = MemoryLog(partitions=1)
    said: list[str] = []
    accesses = of(log)

    async with recorded(accesses, JANE, lambda: 1, said.append):
        log.faults = lambda _: Fault.LOST

    assert "is not recorded" in said[0]
    assert [entry["state"] for entry in (await trail(log)).entries] == [BEGUN]


@pytest.fixture
async def three() -> list[StoredRecord]:
    log = MemoryLog(partitions=1)
    for _ in range(3):
        async with recorded(of(log), JANE, lambda: 1, never):
            pass
    return log.records(0)


def _changed(records: list[StoredRecord]) -> list[StoredRecord]:
    value = records[2].value.replace(b"jane", b"john")
    return [
        *records[:2],
        StoredRecord(0, records[2].offset, 0, records[2].key, value),
        *records[3:],
    ]


@pytest.mark.parametrize(
    "attack",
    [
        _changed,
        lambda records: records[1:],
        lambda records: [*records[:2], *records[3:]],
        lambda records: [records[1], records[0], *records[2:]],
        lambda records: [*records[:3], records[2], *records[3:]],
        lambda records: [*records, StoredRecord(0, 99, 0, b"x", b"not JSON")],
        lambda records: [*records, StoredRecord(0, 99, 0, b"x", b'{"state":7}')],
        lambda records: [*records, StoredRecord(0, 99, 0, b"x", None)],
    ],
)
async def test_a_changed_access_log_is_found_out(three, attack: Callable):
    assert checked(three).findings == ()
    assert checked(attack(three)).findings != ()


@pytest.mark.parametrize(
    ("text", "actor"),
    [
        ("user:jane", Actor("user", "jane")),
        ("jane", Actor("user", "jane")),
        ("service:a:b", Actor("service", "a:b")),
        (":x", Actor("user", ":x")),
    ],
)
def test_actors_are_read_as_the_command_api_reads_them(text, actor):
    assert actor_of(text) == actor


@pytest.mark.parametrize("text", ["", "a b", "é", "x" * 201, "a\n"])
def test_what_is_no_actor_is_refused(text):
    with pytest.raises(ValueError, match="kind:id"):
        actor_of(text)


async def test_several_processes_keep_one_chain_in_kafka(log_settings: LogSettings):
    """Also when they are of different environments: the topic alone says who fences whom."""

    async def access(number: int) -> None:
        settings = log_settings.model_copy(update={"environment": f"environment-{number}"})
        async with recorded(access_log(settings), JANE, lambda: number, never):
            pass

    await asyncio.gather(*(access(number) for number in range(WRITERS)))

    found = await trail_of(log_settings)
    assert (found.records, found.findings) == (WRITERS * 2, ())
    assert sorted(entry["events"] for entry in found.entries) == list(range(WRITERS))
    assert {entry["state"] for entry in found.entries} == {FINISHED}


def test_the_topic_is_made_as_it_must_be(log_settings: LogSettings):
    assert differences(log_settings) == []


async def test_without_the_topic_nothing_is_given_out(log_settings: LogSettings):
    elsewhere = log_settings.model_copy(update={"kafka_topic": "nowhere.events"})

    with pytest.raises(AccessNotRecorded, match=r"nowhere\.audit-access.*topics ensure"):
        await access_log(elsewhere).begin(JANE)


@pytest.fixture
def forgetful(log_settings: LogSettings) -> None:
    """Let the topic of accesses keep its records for a second."""
    admin = AdminClient({"bootstrap.servers": log_settings.kafka_bootstrap})
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    name = access_topic(log_settings.kafka_topic)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)
    deadline = time.monotonic() + 20
    while not differences(log_settings):  # The broker hears a moment later what it has confirmed.
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_topic_that_forgets_is_not_written_to(log_settings: LogSettings, forgetful):
    with pytest.raises(AccessNotRecorded, match=r"retention\.ms is 1000, needed is -1"):
        await access_log(log_settings).begin(JANE)


async def test_a_foreign_record_does_not_stop_anybody():
    log = MemoryLog(partitions=1)
    log.commit(0, [Record(b"x", b"not ours")])

    async with recorded(of(log), JANE, lambda: 1, never):
        pass

    found = await trail(log)
    assert found.findings == ("offset 0: it is no record of an access",)
    assert len(found.entries) == 1
