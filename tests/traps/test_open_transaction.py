"""T10: a stranger was killed amid a transaction; nothing after it can be read until it is over."""

import asyncio
import signal
import sys
from collections.abc import Callable

import pytest
import structlog

from domain.commands import Accept
from eventlog.codec import decode, is_event
from eventlog.kafka import KafkaLog
from eventlog.submission import PartitionUnavailable
from eventlog.topics import Topics
from tests.submissions import submission as submit

from .given import PLACING, READY_S, note, opened, order_in

TIMEOUT_MS = 4_000
MARKER = 1
STRANGER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

async def main(bootstrap, topic, timeout_ms):
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=topic, transaction_timeout_ms=int(timeout_ms)
    )
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"never committed", b"stranger", partition=0)
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def killed_stranger(log_settings) -> Callable:
    """Answer `await killed_stranger()`: its transaction is open, in partition 0, and it is gone."""

    async def kill() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STRANGER),
            *(log_settings.kafka_bootstrap, log_settings.kafka_topic, str(TIMEOUT_MS)),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(READY_S):
                assert await process.stdout.readline() == b"open\n"
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()

    return kill


@pytest.fixture
def patient(log_settings):
    """Whoever takes over waits for longer than the stranger's transaction may last."""
    return log_settings.model_copy(update={"acquire_deadline_ms": READY_S * 1000})


def alarms(said: list) -> list[dict]:
    return [line for line in said if line["event"] == "foreign_transaction_open"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(READY_S):
        while not condition():
            await asyncio.sleep(0.01)


async def readable(settings) -> list:
    async with KafkaLog(settings) as log:
        end = await log.end(0)
        batches = [batch async for batch in log.read(0, 0, end)]
    return [record for batch in batches for record in batch.records]


async def test_nobody_takes_over_before_it_is_over(patient, killed_stranger):
    await killed_stranger()
    with structlog.testing.capture_logs() as said:
        async with KafkaLog(patient) as log, opened(log, patient) as partitions:
            await until(lambda: bool(alarms(said)))
            with pytest.raises(PartitionUnavailable, match="partition 0 is acquiring"):
                await partitions.submit(submit(PLACING, order_in(0)))
            await until(lambda: partitions.health()[1] == "serving")
            assert (await partitions.submit(submit(PLACING, order_in(1)))).version == 1

            await partitions.wait_ready(READY_S)
            assert (await partitions.submit(submit(PLACING, order_in(0)))).version == 1

    (first, *_) = alarms(said)
    assert (first["partition"], first["stable"], first["high"]) == (0, 0, 1)
    assert first["log_level"] == "warning"


@pytest.mark.parametrize("command", ["an acceptance", "a refusal"])
async def test_an_owner_that_serves_notices_it_with_its_next_command(
    patient, killed_stranger, command
):
    """It cannot confirm what it has written before readers can have it; and it does not guess."""
    order_id = order_in(0)
    with structlog.testing.capture_logs() as said:
        async with KafkaLog(patient) as log, opened(log, patient) as partitions:
            await partitions.wait_ready(READY_S)
            placed = await partitions.submit(submit(PLACING, order_id))
            before = placed.next_offset + MARKER
            async with asyncio.timeout(READY_S):  # The marker comes after the answer.
                while await log.end(0) < before:
                    await asyncio.sleep(0.01)
            await killed_stranger()

            asked = submit(note() if command == "an acceptance" else Accept(), order_id, "k")
            waiting = asyncio.create_task(partitions.submit(asked))
            await until(lambda: bool(alarms(said)))
            assert await log.end(0) == before, "nothing after it can be read"
            with pytest.raises(PartitionUnavailable, match="partition 0 is in doubt"):
                await partitions.submit(submit(note(), order_id))

            outcome = await asyncio.wait_for(waiting, READY_S)
            assert (outcome.version, outcome.replayed) == (2, False)
            again = await partitions.submit(asked)
            assert (again.version, again.replayed) == (2, True)

    assert [line["event"] for line in said].count("partition_in_doubt") == 1
    found = await readable(patient)
    assert b"stranger" not in [record.key for record in found]
    events = [decode(record) for record in found if is_event(record.key)]
    assert [event.version for event in events] == [1, 2]
    assert Topics(patient).end(0) > found[-1].offset
