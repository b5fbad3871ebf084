"""The appender with a producer of ours, for what no broker does at will."""

import asyncio
from types import SimpleNamespace

import pytest

from eventlog.kafka import KafkaAppender
from eventlog.log import Doubtful, Record
from runtime.settings import LogSettings

BACKOFF_MS = 100


class Producer:
    """Commits after exactly as long as aiokafka waits before it sends a commit again."""

    def create_batch(self):
        return SimpleNamespace(append=lambda **_: True, close=lambda: None)

    async def begin_transaction(self) -> None: ...

    async def send_batch(self, _batch, _topic, *, partition):
        placed = asyncio.get_running_loop().create_future()
        placed.set_result(SimpleNamespace(offset=partition))
        return placed

    async def commit_transaction(self) -> None:
        await asyncio.sleep(BACKOFF_MS / 1000)


@pytest.mark.parametrize("started_ms", range(600, 1_600, 13))
def test_a_commit_that_took_as_long_as_a_retry_is_a_doubt_at_any_time_of_day(simulate, started_ms):
    """Clocks count in fractions that no float can hold: 0.8 - 0.7 is less than 0.1."""

    async def main() -> None:
        await asyncio.sleep(started_ms / 1000)
        clock_s = asyncio.get_running_loop().time
        appender = KafkaAppender(Producer(), LogSettings(retry_backoff_ms=BACKOFF_MS), 0, clock_s)
        with pytest.raises(Doubtful, match="as long as a retry"):
            await appender.append([Record(b"k", b"v")])

    simulate(main)
