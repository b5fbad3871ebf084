"""T12: however a partition ends, a reader comes to its end exactly, and does not wait there."""

import time

import pytest

from eventlog import codec
from eventlog.kafka import KafkaLog
from eventlog.log import Record
from eventlog.reader import LogReader
from eventlog.topics import Topics
from projectors.follow import read_between

from .compacted import HOLLOW, TRAPPED, stored
from .given import READY_S, produce

PATIENCE_S = 60
MARK = codec.ownership_record(0, epoch=1, node="n", acquired_at_us=1)
OPEN = Record(b"open", b"v")


async def a_commit_marker(settings, log):
    appender = await log.open_appender(0)
    first = await appender.append([MARK, MARK])
    await appender.close()
    return 0, first + 2 + 1, 2


async def an_aborted_transaction(settings, log):
    appender = await log.open_appender(0)
    first = await appender.append([MARK])
    for _ in range(3):
        await appender._producer.send(settings.kafka_topic, 0, [OPEN])
    await (await log.open_appender(0)).close()
    await appender.close()
    return 0, first + 1 + 1 + 3 + 1, 1


async def nothing_but_an_aborted_transaction(settings, log):
    appender = await log.open_appender(0)
    await appender._producer.send(settings.kafka_topic, 0, [OPEN])
    await (await log.open_appender(0)).close()
    await appender.close()
    return 0, 2, 0


async def nothing(settings, log):
    return 3, 0, 0


async def a_record_outside_any_transaction(settings, log):
    produce(settings, (2, MARK.key, MARK.value))
    return 2, 1, 1


ENDINGS = [
    a_commit_marker,
    an_aborted_transaction,
    nothing_but_an_aborted_transaction,
    nothing,
    a_record_outside_any_transaction,
]


@pytest.fixture
def patient(log_settings):
    """Whoever waits for what never comes would wait for longer than the test may take."""
    return log_settings.model_copy(update={"request_timeout_ms": PATIENCE_S * 1000})


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
async def test_a_reader_ends_where_the_log_ends(patient, ending):
    async with KafkaLog(patient) as log:
        partition, end, records = await ending(patient, log)
        started = time.monotonic()
        while await log.end(partition) < end:
            assert time.monotonic() - started < READY_S
        assert await log.end(partition) == end

        started = time.monotonic()
        read = [batch async for batch in log.read(partition, 0, end)]

    with LogReader(patient) as reader:
        between = list(read_between(reader, {partition: 0}, {partition: end}, PATIENCE_S))
    assert time.monotonic() - started < PATIENCE_S / 2
    assert sum(len(batch.records) for batch in read) == records
    for found in (read, between):
        assert [one.next_offset for one in found[-1:]] == ([end] if end else [])


def test_a_range_that_the_cleaner_has_emptied_is_read_to_its_end(broken_topic):
    """Ownership marks replace each other: only the last ones are there."""
    first = stored(broken_topic.settings, HOLLOW)[0].offset
    assert first > 3

    with LogReader(broken_topic.settings) as reader:
        for end in (1, first // 2, first):
            batches = list(reader.read_range(HOLLOW, 0, end))
            assert [record for batch in batches for record in batch.records] == []
            assert batches[-1].next_offset == end
        *_, last = reader.read_range(HOLLOW, first - 1, first + 1)
        assert last.next_offset == first + 1
        assert codec.ownership_epoch(last.records[0]) > 0


def test_the_end_is_beyond_the_last_record(emptied_topic):
    """So a reader that waits for `last offset + 1 == end` waits for ever."""
    settings = emptied_topic.settings
    end = Topics(settings).end(TRAPPED)

    assert stored(settings, TRAPPED)[-1].offset + 1 < end
