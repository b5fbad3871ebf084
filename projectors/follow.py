"""Reads on from checkpoints; every record is decoded once."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from eventlog.log import Batch, LogUnavailable
from eventlog.reader import LogReader
from projectors.folding import Decoded, decode
from runtime.settings import LogSettings, ProjectorSettings

_RECORDS_MAX = 5_000
_POLL_S = 0.05


def read_between(
    reader: LogReader, starts: Mapping[int, int], ends: Mapping[int, int], timeout_s: float
) -> Iterator[Decoded]:
    """Yield what is in `start <= offset < end` of several partitions, as it comes. Blocks.

    Raises:
        LogUnavailable: nothing came within `timeout_s`.
        IntegrityError: the log does not hold a start any more.
    """
    at = {partition: starts[partition] for partition in ends if starts[partition] < ends[partition]}
    if not at:
        return
    reader.assign(at)
    deadline = time.monotonic() + timeout_s
    while at:
        # The first record is handed on at once; what is there already comes along with it.
        batches = reader.poll(1, _POLL_S)
        if batches:
            deadline = time.monotonic() + timeout_s
            batches += reader.poll(_RECORDS_MAX, 0)
        elif time.monotonic() > deadline:
            raise LogUnavailable(f"no records came within {timeout_s:g} s; waiting at {at}")
        for batch in batches:
            if batch.partition not in at:
                continue
            end = ends[batch.partition]
            within = tuple(record for record in batch.records if record.offset < end)
            yield decode(Batch(batch.partition, within, min(batch.next_offset, end)))
            at[batch.partition] = batch.next_offset
            if batch.next_offset >= end:
                del at[batch.partition]


class Follower:
    """Follows partitions. After any error it begins again where the last answer ended."""

    def __init__(
        self, settings: LogSettings, projector: ProjectorSettings, starts: Mapping[int, int]
    ) -> None:
        self._settings = settings
        self._events_max = projector.batch_events_max
        self._wait_s = projector.batch_wait_ms / 1000
        self._positions = dict(starts)
        self._reader: LogReader | None = None
        self._thread = ThreadPoolExecutor(1, "follow")

    async def next(self) -> list[Decoded]:
        """Return what has come, after at most `batch_wait_ms`; empty when nothing has.

        Raises:
            LogUnavailable: no broker answers; call again after a pause.
            IntegrityError: the log does not hold the checkpoint any more.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._next)

    async def close(self) -> None:
        """Wait for the read that is under way, and leave the brokers."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._leave)
        self._thread.shutdown()

    def _next(self) -> list[Decoded]:
        try:
            reader = self._reader or self._join()
            batches = reader.poll(1, self._wait_s)  # As in `read_between`.
            if batches:
                batches += reader.poll(self._events_max - 1, 0)
        except Exception:
            # Records that came with the error are lost with it, so the reader is ahead of us.
            self._leave()
            raise
        found = []
        for batch in batches:
            if batch.partition in self._positions:
                self._positions[batch.partition] = batch.next_offset
                found.append(decode(batch))
        return found

    def _join(self) -> LogReader:
        reader = LogReader(self._settings)
        reader.assign(self._positions)
        self._reader = reader
        return reader

    def _leave(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
