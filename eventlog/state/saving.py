"""When an owner saves what it knows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from eventlog.state.streams import Streams

_log = structlog.get_logger("orderlog.snapshots")

_FAILURES_MAX = 3
_PARTS = 100
_PART_BYTES_MIN = 64 * 1024
_PART_BYTES_MAX = 512 * 1024
"""About so much is saved at once, at least and at most: commands wait meanwhile."""
_PER_APPENDED = 2
"""So many bytes may be saved for one that was appended."""
_APPENDED_BYTES_MAX = 1024 * 1024
"""After so much it is not the time that counts: the next owner would have to read it all."""


class Saving:
    """Sets `wake` every `interval_s` while it is on, and earlier when much was appended.

    0: never. Ends after failures in a row.
    """

    def __init__(self, partition: int, interval_s: float, wake: asyncio.Event) -> None:
        self._partition = partition
        self._interval_s = interval_s
        self._wake = wake
        self._failures = 0
        self._is_due = False
        self._appended_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def appended(self, size_bytes: int) -> None:
        """Count what is new in the log."""
        self._appended_bytes += size_bytes
        if self._appended_bytes > _APPENDED_BYTES_MAX and self._timer is not None:
            self._become_due()

    def part_bytes(self) -> int:
        """Return how much to save now: enough to keep up with what was appended since last time."""
        wanted = _PER_APPENDED * self._appended_bytes
        self._appended_bytes = 0
        return min(max(wanted, _PART_BYTES_MIN), _PART_BYTES_MAX)

    def start(self) -> None:
        """Count from now."""
        self._wait(self._interval_s)

    def go_on(self) -> None:
        """Count to the next part of what is to be saved: a command waits for one part at most."""
        self._wait(self._interval_s / _PARTS)

    def _wait(self, seconds: float) -> None:
        self.stop()
        if seconds and self._failures < _FAILURES_MAX:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._become_due)

    def stop(self) -> None:
        """Forget that anything is to be saved."""
        self._is_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _become_due(self) -> None:
        self._is_due = True
        self._wake.set()

    def is_due(self) -> bool:
        """Tell whether it is time, and count anew if it is."""
        was_due = self._is_due
        if was_due:
            self.start()
        return was_due

    @contextmanager
    def attempt(self, streams: Streams[Any]) -> Iterator[None]:
        """Give back what could not be saved, and stop saving when that happens too often."""
        try:
            yield
        except BaseException as error:
            streams.give_back()
            self._failures += 1
            if self._failures == _FAILURES_MAX:
                _log.warning(
                    "snapshots_stopped",
                    partition=self._partition,
                    why=repr(error),
                    remedy="orderlog topics ensure",
                )
            raise
        self._failures = 0
