"""F12: the broker forgets a transactional id that nobody has used for long (7 days by default)."""

import asyncio

import pytest

from domain.commands import AddNote
from eventlog.kafka import KafkaLog
from eventlog.topics import Topics
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.settings import LogSettings

READY_S = 60
FORGETFUL = """
transactional.id.expiration.ms=1000
transaction.remove.expired.transaction.cleanup.interval.ms=200
"""


@pytest.fixture
def settings(tmp_path):
    port = free_port()
    broker = kafka(tmp_path, port)
    with (tmp_path / "server.properties").open("a") as properties:
        properties.write(FORGETFUL)
    broker.start()
    settings = LogSettings(kafka_bootstrap=f"127.0.0.1:{port}", partitions=4)
    Topics(settings).ensure()
    yield settings
    broker.stop()


async def test_f12_a_forgotten_transactional_id_is_a_doubt_and_no_more(
    settings, opened, submit_of, placing
):
    async with KafkaLog(settings) as log, opened(log) as partitions:
        outcome = await partitions.submit(submit_of(placing))
        writer = partitions.writers[outcome.partition]
        version = outcome.version
        async with asyncio.timeout(READY_S):
            while not writer.counts.doubts:
                await asyncio.sleep(2)  # Longer than the broker remembers.
                noted = await partitions.submit(submit_of(AddNote(f"n-{version}", "x")))
                version += 1
                assert (noted.version, noted.replayed) == (version, False)
