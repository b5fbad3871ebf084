"""Whether an event of an export stands where it belongs: the order's chain and the partition's."""

from typing import NamedTuple

from audit.findings import Kind
from audit.lines import EventLine, first_head, next_head
from audit.manifest import Manifest, PartitionEntry
from eventlog.codec import FIRST_PREV_HASH
from eventlog.partitioner import partition_of


class Wrong(NamedTuple):
    """What is wrong with one event."""

    kind: Kind
    what: str


class Judgement(NamedTuple):
    """What is wrong with an event, and what is now known to be wrong with the one before."""

    here: Wrong | None
    before: Wrong | None = None


class _Suspect(NamedTuple):
    """An event whose head did not follow. The next one tells more."""

    head_before: bytes
    head_due: bytes
    offset: int
    is_open: bool
    """Whether the next one may change what is said of it."""


class Chain:
    """Takes the events of one partition in the order in which they stand.

    Memory grows with the number of orders in the partition: the last event of each is remembered.
    """

    def __init__(self, manifest: Manifest, entry: PartitionEntry) -> None:
        self.head: bytes | None = first_head(manifest.log.identity, entry.partition)
        """What the next event must follow from; None: it cannot be told any more."""
        self._partitions = manifest.log.partitions
        self._filter = manifest.filter
        self._is_gapless = manifest.filter.is_gapless
        self._entry = entry
        self._last_offset: int | None = None
        self._suspect: _Suspect | None = None
        self._orders: dict[str, tuple[int, bytes] | None] = {}

    @property
    def orders(self) -> int:
        """How many orders have events here; an order lives in one partition."""
        return len(self._orders)

    def take(self, line: EventLine) -> Judgement | None:
        """Say what is wrong with the place of the next event; None: nothing."""
        recorded = line.recorded
        wrong = self._wrong_place(line) or self._wrong_order(line)
        judged = self._judge(line, wrong)
        self.head = line.head
        self._last_offset = recorded.offset
        before = self._orders.get(recorded.order_id)
        if before is None or recorded.version > before[0]:
            self._orders[recorded.order_id] = (recorded.version, line.hash)
        return judged

    def skip(self, order_id: object) -> None:
        """Go on behind a line that cannot be read; it may be an event of this order."""
        self.head = self._suspect = None
        if isinstance(order_id, str):
            self._orders[order_id] = None

    def forget(self) -> None:
        """Go on behind a file that cannot be read; it may hold events of all orders."""
        self.head = self._suspect = None
        self._orders = dict.fromkeys(self._orders)

    def _judge(self, line: EventLine, wrong: Wrong | None) -> Judgement | None:
        head, offset = self.head, line.recorded.offset
        if head is None:
            return wrong and Judgement(wrong)
        due = next_head(head, offset, line.hash)
        suspect, self._suspect = self._suspect, None
        if due == line.head:
            return wrong and Judgement(wrong)
        before = None
        if suspect is not None:
            before = self._second_thought(suspect, line)
            if before is not None:
                return Judgement(wrong, before if suspect.is_open else None)
        is_open = wrong is None or wrong.kind in {Kind.EDITED, Kind.MISSING}
        self._suspect = _Suspect(head, due, offset, is_open)
        return Judgement(wrong or self._broken())

    def _second_thought(self, suspect: _Suspect, line: EventLine) -> Wrong | None:
        """Say what was wrong with the event before, when this one goes on from elsewhere."""
        offset, head = line.recorded.offset, line.head
        if next_head(suspect.head_due, offset, line.hash) == head:
            return Wrong(Kind.EDITED, "`head` is not what follows, the next event does: edited")
        if next_head(suspect.head_before, offset, line.hash) != head:
            return None
        if offset <= suspect.offset:
            return Wrong(Kind.REORDERED, "the event after it belongs before it: moved")
        return Wrong(
            Kind.INSERTED, "the next event follows from the one before this: it was put in between"
        )

    def _broken(self) -> Wrong:
        after = "the start" if self._last_offset is None else f"offset {self._last_offset}"
        return Wrong(
            Kind.MISSING,
            f"`head` does not follow from {after} of the partition: an event before it was "
            "removed, or this one was rewritten with its own hash made right; these look alike",
        )

    def _wrong_place(self, line: EventLine) -> Wrong | None:
        recorded, entry, last = line.recorded, self._entry, self._last_offset
        partition, offset = recorded.partition, recorded.offset
        if partition != entry.partition:
            return self._foreign(line)
        if partition_of(recorded.order_id, self._partitions) != partition:
            return Wrong(Kind.INSERTED, "its order lives in another partition: moved or made up")
        if last is not None and offset <= last:
            if offset == last and self._is_same_again(line):
                return Wrong(Kind.REPEATED, "it stands here twice")
            return Wrong(
                Kind.REORDERED,
                f"its offset does not come after {last}: moved or repeated, which look alike",
            )
        if not entry.start_offset <= offset < entry.end_offset:
            return Wrong(
                Kind.INSERTED,
                f"its offset is outside {entry.start_offset} to {entry.end_offset} (exclusive)",
            )
        if not self._filter.takes(recorded):
            return Wrong(Kind.INSERTED, "it is not what the filter of the manifest takes")
        return None

    def _foreign(self, line: EventLine) -> Wrong:
        recorded = line.recorded
        said = f"it says partition {recorded.partition} in a file of {self._entry.partition}"
        if partition_of(recorded.order_id, self._partitions) == recorded.partition:
            return Wrong(Kind.REORDERED, f"{said}, where its order does not live: moved")
        return Wrong(Kind.EDITED, f"{said}, which is not where its order lives")

    def _is_same_again(self, line: EventLine) -> bool:
        before = self._orders.get(line.recorded.order_id)
        return before == (line.recorded.version, line.hash)

    def _wrong_order(self, line: EventLine) -> Wrong | None:
        recorded = line.recorded
        if recorded.order_id not in self._orders:
            return self._wrong_first(line)
        before = self._orders[recorded.order_id]
        if before is None:
            return None
        version, value_hash = before
        if recorded.version == version + 1:
            if recorded.prev_hash == value_hash:
                return None
            return Wrong(
                Kind.EDITED,
                f"`prev_hash` is not the hash of version {version} of its order: one of the two "
                "was changed",
            )
        if recorded.version > version:
            return self._gap(f"it follows version {version} of its order: events are missing")
        if recorded.version == version:
            return Wrong(
                Kind.INSERTED, f"version {version} of its order is there before: one was made up"
            )
        return Wrong(
            Kind.REORDERED,
            f"it comes after version {version} of its order: moved or repeated, which look alike",
        )

    def _wrong_first(self, line: EventLine) -> Wrong | None:
        recorded, chosen = line.recorded, self._filter
        if recorded.version == 1:
            if recorded.prev_hash == FIRST_PREV_HASH:
                return None
            return Wrong(Kind.EDITED, "`prev_hash` of a first event is not zero")
        if recorded.version == chosen.from_version or chosen.from_us is not None:
            return None
        return self._gap("it is the first of its order here: the versions before it are missing")

    def _gap(self, what: str) -> Wrong | None:
        return Wrong(Kind.MISSING, what) if self._is_gapless else None
