"""What the owner of a partition knows of it: the fold of its log, up to an offset."""

from typing import Any, Generic, TypeVar

from domain.decider import Decider
from eventlog.codec import decode, is_event, ownership_epoch, ownership_record
from eventlog.log import EventLog, IntegrityError, Record
from eventlog.stream import Stream

State = TypeVar("State")


class PartitionState(Generic[State]):
    """The streams of one partition by order id, and who owned it when.

    `next_offset` is where the next transaction of the one and only owner will begin.
    """

    def __init__(self, partition: int, decider: Decider[State, Any, Any]) -> None:
        self.initial: Stream[State] = Stream(decider.initial)
        self.streams: dict[str, Stream[State]] = {}
        self.next_offset = 0
        self.epoch = 0
        self._partition = partition
        self._evolve = decider.evolve
        self._own_mark: Record | None = None

    def mark(self, node: str, now_us: int) -> Record:
        """Return the record that makes the owner's takeover known, with the next epoch."""
        self.epoch += 1
        self._own_mark = ownership_record(
            self._partition, epoch=self.epoch, node=node, acquired_at_us=now_us
        )
        return self._own_mark

    def knows(self, order_id: str, command_id: str) -> bool:
        """Tell whether the command's events are in the log."""
        return command_id in self.streams.get(order_id, self.initial).commands

    async def catch_up(self, log: EventLog, end: int) -> bool:
        """Fold what is new up to `end`; tell whether another owner served in the meantime.

        Raises:
            IntegrityError: the log contradicts itself. Halt: a person must look.
            Undecodable: this release cannot read a record. Halt.
            LogUnavailable: no progress in time.
        """
        if end < self.next_offset:
            raise IntegrityError(
                f"the log ends at offset {end} of partition {self._partition}, and was read up to "
                f"{self.next_offset} before: it was truncated or made again"
            )
        touched: set[str] = set()
        was_replaced = False
        async for batch in log.read(self._partition, self.next_offset, end):
            for record in batch.records:
                if is_event(record.key):
                    recorded = decode(record)
                    stream = self.streams.get(recorded.order_id, self.initial)
                    self.streams[recorded.order_id] = stream.follow(recorded, self._evolve)
                    touched.add(recorded.order_id)
                else:
                    self.epoch = max(self.epoch, ownership_epoch(record))
                    own = self._own_mark
                    was_replaced = was_replaced or own is None or record.value != own.value
            self.next_offset = batch.next_offset
        torn = [order_id for order_id in touched if not self.streams[order_id].is_whole]
        if torn:
            raise IntegrityError(f"order {torn[0]}: the last command's events are not all there")
        return was_replaced
