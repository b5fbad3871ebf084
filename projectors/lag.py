"""How far the read models are behind the log, and what holds readers up: noted at every beat."""

import time
from collections.abc import Callable, Mapping

HELD_TIMEOUTS = 2
"""A transaction that is open for so many times its own timeout is nobody's any more."""


class Lags:
    """What one process has seen of partitions and positions; seconds are of a monotonic clock."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._held: dict[int, tuple[int, float]] = {}
        self._at_end_s: dict[tuple[str, int], float] = {}
        self._moved: dict[tuple[str, int], tuple[int, float]] = {}
        self._behind: dict[tuple[str, int], int] = {}

    def note(
        self,
        stable: Mapping[int, int],
        high: Mapping[int, int],
        positions: Mapping[str, Mapping[int, int]],
    ) -> None:
        """Take the last stable offsets, the high watermarks, and where each projection is."""
        now_s = self._clock_s()
        for partition, end in stable.items():
            if end >= high.get(partition, end):
                self._held.pop(partition, None)
            elif self._held.get(partition, (-1, 0.0))[0] != end:
                self._held[partition] = (end, now_s)
        for name, of_one in positions.items():
            for partition, position in of_one.items():
                key = (name, partition)
                self._behind[key] = max(0, stable.get(partition, position) - position)
                if not self._behind[key] or key not in self._at_end_s:
                    self._at_end_s[key] = now_s
                if self._moved.get(key, (-1, 0.0))[0] != position:
                    self._moved[key] = (position, now_s)

    def records(self) -> Mapping[tuple[str, int], int]:
        """Return per projection and partition how many offsets it is behind."""
        return self._behind

    def seconds(self) -> dict[tuple[str, int], float]:
        """Return how long ago it was at the end; 0.0 where it is now."""
        now_s = self._clock_s()
        return {
            key: now_s - self._at_end_s[key] if behind else 0.0
            for key, behind in self._behind.items()
        }

    def held_s(self) -> dict[int, float]:
        """Return for how long a transaction has kept a partition's readers where they are."""
        now_s = self._clock_s()
        return {partition: now_s - since_s for partition, (_, since_s) in self._held.items()}

    def troubles(self, limit_s: float, held_limit_s: float) -> dict[str, str]:
        """Say what is too late, by projection, and `transactions` for those that hang.

        `limit_s` 0: no lag is too large.
        """
        found: dict[str, str] = {}
        now_s = self._clock_s()
        for (name, partition), behind_s in self.seconds().items():
            if limit_s and behind_s > limit_s:
                still_s = now_s - self._moved[name, partition][1]
                stuck = f", and has stood still for {still_s:.0f} s" if still_s > limit_s else ""
                found[name] = (
                    f"{behind_s:.0f} s behind the log at partition {partition}{stuck} "
                    "(ORDERLOG_LAG_SECONDS_MAX)"
                )
        for partition, held_s in self.held_s().items():
            if held_s > held_limit_s:
                found["transactions"] = hanging(partition, self._held[partition][0], held_s)
        return found


def hanging(partition: int, offset: int, held_s: float) -> str:
    """Say that a transaction hangs, and what to do about it."""
    return (
        f"a hanging transaction holds partition {partition} at offset {offset} since {held_s:.0f} "
        "s: nothing behind it can be read. Find it with `kafka-transactions.sh find-hanging`, end "
        "it with `kafka-transactions.sh abort` (docs/projections.md)"
    )
