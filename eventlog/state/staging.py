"""A group's changes to several orders, until they are committed or dropped."""

from typing import Generic, TypeVar

from eventlog.state.stream import Stream
from eventlog.state.streams import Streams
from runtime.failpoints import reach

State = TypeVar("State")


class Staging(Generic[State]):
    """Streams as the commands of one group would leave them; the live streams stay untouched."""

    def __init__(self, live: Streams[State]) -> None:
        self._live = live
        self._staged: dict[str, Stream[State]] = {}

    def get(self, order_id: str) -> Stream[State]:
        """Return the order as the group's earlier commands would leave it."""
        staged = self._staged.get(order_id)
        return staged if staged is not None else self._live.get(order_id)

    def put(self, order_id: str, stream: Stream[State]) -> None:
        """Stage `stream`; its `next_offset` counts from the group's first record."""
        self._staged[order_id] = stream

    def publish(self, first_offset: int) -> None:
        """Make the staged streams live, now that their events are committed."""
        for order_id, stream in self._staged.items():
            placed = stream.placed(first_offset + stream.next_offset)
            self._live.put(order_id, placed, first_offset)
        reach("published")
