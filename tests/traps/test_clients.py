"""What the clients would do to us: T20 asserts and threads, T22 clocks, T26 names that are shared.

And T9, by counting: how long a pause is, no test on a shared machine can say.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from eventlog.codec import decode, is_event
from eventlog.kafka import transactional_id
from runtime.settings import LogSettings
from tests.submissions import submission as submit

from .compacted import stored
from .given import PLACING, READY_S, note, opened, order_in, produce_at

ROOT = Path(__file__).resolve().parents[2]
YEAR_US = 365 * 24 * 3600 * 1_000_000
NOW_US = 1_795_424_400_000_000
COMPLAINTS = ("non-thread-safe", "never retrieved", "never awaited", "was destroyed but it is")


FENCED = """
import asyncio
from eventlog.kafka import KafkaLog
from eventlog.log import Fenced, Record
from runtime.settings import LogSettings

async def main():
    async with KafkaLog(LogSettings()) as log:
        first = await log.open_appender(0)
        await first.append([Record(b"k", b"v")])
        second = await log.open_appender(0)
        try:
            await first.append([Record(b"k", b"v")])
        except Fenced:
            print("fenced", await second.append([Record(b"k", b"v")]))
        await first.close()
        await second.close()

asyncio.run(main())
"""


def test_python_without_asserts_fences_as_well(log_settings):
    """aiokafka's own producer guards its transactions with `assert`; ours does not use it."""
    done = subprocess.run(
        [sys.executable, "-O", "-c", FENCED],
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
        env={
            **os.environ,
            "ORDERLOG_KAFKA_BOOTSTRAP": log_settings.kafka_bootstrap,
            "ORDERLOG_KAFKA_TOPIC": log_settings.kafka_topic,
        },
    )

    assert (done.returncode, done.stdout) == (0, "fenced 2\n"), done.stderr


def test_in_debug_mode_asyncio_has_nothing_to_say(kafka_bootstrap, postgres_url):
    """Futures that other threads resolve, and errors that nobody looks at, are told only there."""
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-X",
                "dev",
                "-m",
                "pytest",
                "-q",
                "-s",
                "-p",
                "no:cacheprovider",
                "--backend=external",
            ),
            *("-o", "log_cli=true", "--log-cli-level=WARNING"),
            *("tests/eventlog/test_contract.py", "tests/eventlog/test_kafka.py"),
            *("tests/eventlog/test_writer.py", "-k", "contract or test_kafka or survives or times"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONASYNCIODEBUG": "1",
            "ORDERLOG_TEST_KAFKA_BOOTSTRAP": kafka_bootstrap,
            "ORDERLOG_TEST_DATABASE_URL": postgres_url,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert int(re.search(r"(\d+) passed", output)[1]) > 20
    assert [word for word in COMPLAINTS if word in output.lower()] == [], output


@pytest.mark.parametrize("years", [-50, -1, 1, 200])
async def test_when_it_happened_may_be_any_time(log_settings, kafka_log, years):
    """It is said in the event; the broker's own clock is on the record."""
    happened_us, order_id = NOW_US + years * YEAR_US, order_in(0)
    async with opened(kafka_log, log_settings) as partitions:
        await partitions.wait_ready(READY_S)
        before_ms = time.time_ns() // 1_000_000
        await partitions.submit(submit(PLACING, order_id, occurred_at_us=happened_us))

    (record,) = [record for record in stored(log_settings, 0) if is_event(record.key)]
    assert decode(record).occurred_at_us == happened_us
    assert abs(record.timestamp_ms - before_ms) < READY_S * 1000


async def test_a_node_whose_clock_is_wrong_is_served_and_time_does_not_run_back(
    log_settings, kafka_log
):
    order_id, clocks_us = order_in(0), (NOW_US + YEAR_US, NOW_US - YEAR_US, NOW_US)
    for number, clock_us in enumerate(clocks_us):
        async with opened(kafka_log, log_settings, clock_us=lambda now=clock_us: now) as partitions:
            await partitions.wait_ready(READY_S)
            await partitions.submit(submit(note() if number else PLACING, order_id))

    events = [decode(record) for record in stored(log_settings, 0) if is_event(record.key)]
    assert [event.recorded_at_us for event in events] == [NOW_US + YEAR_US] * len(clocks_us)


def test_the_brokers_clock_is_the_topics(log_settings, change_topic):
    """With the producer's, a clock that is two hours ahead has every append refused."""
    ahead_ms = time.time_ns() // 1_000_000 + 2 * 3600 * 1000

    assert produce_at(log_settings, ahead_ms) is None

    consumer = Consumer({"bootstrap.servers": log_settings.kafka_bootstrap, "group.id": "t"})
    consumer.assign([TopicPartition(log_settings.kafka_topic, 0, 0)])
    kind, at_ms = consumer.poll(READY_S).timestamp()
    consumer.close()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert at_ms < ahead_ms - 3600 * 1000
    change_topic(log_settings, message_timestamp_type="CreateTime")
    assert produce_at(log_settings, ahead_ms) == KafkaError.INVALID_TIMESTAMP


WORDS = st.text("ab1_-", min_size=1, max_size=3)
TOPICS = st.text("ab1._-", min_size=1, max_size=5)
PLACES = st.tuples(WORDS, TOPICS, st.integers(0, 12))


@given(PLACES, PLACES)
def test_no_two_partitions_anywhere_share_a_transactional_id(one, other):
    """Two environments, two topics, two partitions: whoever shares an id fences the other."""
    ids = [
        transactional_id(LogSettings(environment=environment, kafka_topic=topic), partition)
        for environment, topic, partition in (one, other)
    ]

    assert (ids[0] == ids[1]) == (one == other)
