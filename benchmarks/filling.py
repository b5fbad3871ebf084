"""Fills a topic through the log's own appenders: real histories, in few and large transactions."""

import asyncio
import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import uvloop

from benchmarks.histories import Histories
from eventlog.kafka import KafkaLog
from eventlog.log import Record
from eventlog.transactions.appender import KafkaAppender
from runtime.settings import LogSettings

_TRANSACTION_BYTES = 800_000
_RECORD_OVERHEAD_BYTES = 200
_PATIENCE = {"commit_deadline_ms": 60_000, "request_timeout_ms": 30_000}
"""A commit on a busy machine may be slow, and nobody waits for an answer here."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in the topic: so many events, of so many orders."""

    events: int
    orders: int

    def __add__(self, other: "Filled") -> "Filled":
        return Filled(self.events + other.events, self.orders + other.orders)


def fill(settings: LogSettings, events: int) -> Filled:
    """Append at least `events` events; one process per core, each with partitions of its own."""
    partitions = range(settings.partitions)
    processes = min(os.cpu_count() or 1, settings.partitions)
    shares = [list(partitions[number::processes]) for number in range(processes)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        parts = [pool.submit(_fill, settings, events // processes + 1, own) for own in shares]
        return sum((part.result() for part in parts), Filled(0, 0))


def _fill(settings: LogSettings, events: int, own: list[int]) -> Filled:
    return uvloop.run(_append(settings.model_copy(update=_PATIENCE), events, own))


async def _append(settings: LogSettings, events: int, own: list[int]) -> Filled:
    histories = Histories(settings.partitions, own)
    waiting: dict[int, list[Record]] = {partition: [] for partition in own}
    sizes = dict.fromkeys(own, 0)
    done = 0
    async with KafkaLog(settings) as log:
        appenders = {partition: await log.open_appender(partition) for partition in own}
        for partition, records in histories.groups():
            waiting[partition].extend(records)
            done += len(records)
            sizes[partition] += sum(
                len(record.value) + _RECORD_OVERHEAD_BYTES for record in records
            )
            if sizes[partition] > _TRANSACTION_BYTES:
                await appenders[partition].append(waiting[partition])
                waiting[partition], sizes[partition] = [], 0
            if done >= events:
                break
        await _finish(appenders, waiting)
    return Filled(done, histories.orders)


async def _finish(
    appenders: Mapping[int, KafkaAppender], waiting: Mapping[int, list[Record]]
) -> None:
    """Append what is left, and let go."""
    await asyncio.gather(
        *(appenders[partition].append(records) for partition, records in waiting.items() if records)
    )
    await asyncio.gather(*(appender.close() for appender in appenders.values()))
