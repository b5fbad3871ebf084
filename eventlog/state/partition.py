"""What the owner of a partition knows of it: the fold of its log, up to an offset."""

from typing import Any, Generic, TypeVar

import structlog

from domain.decider import Decider
from eventlog.bodies import EVENT_TYPES
from eventlog.codec import decode, is_event, ownership_epoch, ownership_record
from eventlog.log import EventLog, IntegrityError, Record, Undecodable
from eventlog.state.packing import Packing
from eventlog.state.snapshots import Snapshots
from eventlog.state.stream import Stream
from eventlog.state.streams import Streams

State = TypeVar("State")
_log = structlog.get_logger("orderlog.partition")


class PartitionState(Generic[State]):
    """The streams of one partition by order id, and who owned it when.

    `next_offset` is where the next transaction of the one and only owner will begin.
    """

    def __init__(
        self, partition: int, decider: Decider[State, Any, Any], snapshots: Snapshots, hot_max: int
    ) -> None:
        self.next_offset = 0
        self.epoch = 0
        self._partition = partition
        self._decider = decider
        self._snapshots = snapshots
        self._packing = Packing(decider.initial, EVENT_TYPES)
        self._hot_max = hot_max
        self._own_mark: Record | None = None
        self.streams = self._no_streams()

    def _no_streams(self) -> Streams[State]:
        return Streams(Stream(self._decider.initial), self._packing, self._hot_max)

    def mark(self, node: str, now_us: int) -> Record:
        """Return the record that makes the owner's takeover known, with the next epoch."""
        self.epoch += 1
        self._own_mark = ownership_record(
            self._partition, epoch=self.epoch, node=node, acquired_at_us=now_us
        )
        return self._own_mark

    def knows(self, order_id: str, command_id: str) -> bool:
        """Tell whether the command's events are in the log."""
        return command_id in self.streams.get(order_id).commands

    def unsaved(self, part_bytes: int) -> list[Record]:
        """Take what has changed since it was saved last, a part of it, as records to be saved."""
        return self._snapshots.changes(self.streams, self.next_offset, self.epoch, part_bytes)

    async def catch_up(self, log: EventLog, end: int) -> bool:
        """Fold what is new up to `end`; tell whether another owner served in the meantime.

        The first time it begins with what was saved.

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
        if self.next_offset or not await self._load(log, end):
            return await self._fold(log, end)
        try:
            return await self._fold(log, end)
        except (IntegrityError, Undecodable) as error:
            _log.warning("snapshots_contradict_log", partition=self._partition, why=str(error))
            self._snapshots.forget()
            self.streams, self.next_offset, self.epoch = self._no_streams(), 0, 0
            return await self._fold(log, end)  # The log alone has the last word.

    async def _load(self, log: EventLog, end: int) -> bool:
        head = await self._snapshots.load(log, self.streams, end)
        if head is not None:
            self.next_offset, self.epoch = head.next_offset, head.epoch
        return head is not None

    async def _fold(self, log: EventLog, end: int) -> bool:
        torn: set[str] = set()
        was_replaced = False
        async for batch in log.read(self._partition, self.next_offset, end):
            for record in batch.records:
                if is_event(record.key):
                    recorded = decode(record)
                    stream = self.streams.get(recorded.order_id)
                    if recorded.offset < stream.next_offset:
                        continue  # It is in the snapshot: buckets are saved one after the other.
                    after = stream.follow(recorded, self._decider.evolve)
                    self.streams.put(recorded.order_id, after, recorded.offset)
                    (torn.discard if after.is_whole else torn.add)(recorded.order_id)
                else:
                    self.epoch = max(self.epoch, ownership_epoch(record))
                    own = self._own_mark
                    was_replaced = was_replaced or own is None or record.value != own.value
            self.next_offset = batch.next_offset
        if torn:
            order_id = min(torn)
            raise IntegrityError(f"order {order_id}: the last command's events are not all there")
        return was_replaced
