"""Walk through the files of one partition of an export and check every event in its place."""

import hashlib
from pathlib import Path
from typing import BinaryIO

from audit.findings import Finding
from audit.lines import first_head, next_head
from audit.manifest import NAME, FileEntry, Manifest, PartitionEntry
from audit.reading import LINE_BYTES_MAX, BadLine, EventLine, read_line
from eventlog.codec import FIRST_PREV_HASH
from eventlog.partitioner import partition_of

FINDINGS_MAX = 100


class PartitionWalk:
    """Checks one partition. `event_findings` name events, `file_findings` what is around them.

    After a finding it goes on from what the line itself says, so that one fault is one finding.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        entry: PartitionEntry,
        *,
        is_same_release: bool,
        earlier: PartitionEntry | None = None,
    ) -> None:
        self.event_findings: list[Finding] = []
        self.file_findings: list[Finding] = []
        self.events = 0
        self._path = path
        self._manifest = manifest
        self._entry = entry
        self._is_same_release = is_same_release
        self._earlier = earlier
        self._earlier_head: bytes | None = None
        self._head: bytes | None = first_head(manifest.log.identity, entry.partition)
        self._first_offset: int | None = None
        self._last_offset: int | None = None
        self._orders: dict[str, tuple[int, bytes] | None] = {}

    @property
    def orders(self) -> int:
        """How many orders have events here; an order lives in one partition."""
        return len(self._orders)

    def run(self) -> None:
        """Read all files of the partition and compare with the manifest."""
        for file in self._manifest.files:
            if file.partition == self._entry.partition:
                self._walk_file(file)
        self._compare(
            NAME,
            f"partition {self._entry.partition}: ",
            (
                ("events", self.events, self._entry.events),
                ("first_offset", self._first_offset, self._entry.first_offset),
                ("last_offset", self._last_offset, self._entry.last_offset),
            ),
        )
        if self._head is not None and self._head.hex() != self._entry.head_hash:
            self._around(
                NAME,
                f"partition {self._entry.partition}: its events lead to head {self._head.hex()}, "
                f"`head_hash` says {self._entry.head_hash}: events are missing, added or changed",
            )
        self._compare_earlier()

    def _walk_file(self, file: FileEntry) -> None:
        try:
            with (self._path / file.name).open("rb") as opened:
                self._walk_lines(file, opened)
        except FileNotFoundError:
            self._around(file.name, f"the file with {file.events} events is missing")
            self._forget()
        except OSError as error:
            self._around(file.name, f"the file cannot be read: {error.strerror}")
            self._forget()

    def _walk_lines(self, file: FileEntry, opened: BinaryIO) -> None:
        sha256, size, number = hashlib.sha256(), 0, 0
        first: int | None = None
        last: int | None = None
        while raw := opened.readline(LINE_BYTES_MAX):
            number += 1
            sha256.update(raw)
            size += len(raw)
            line = self._read(file.name, number, raw)
            if line is not None:
                first = line.offset if first is None else first
                last = line.offset
        self._compare(
            file.name,
            "",
            (
                ("events", number, file.events),
                ("first_offset", first, file.first_offset),
                ("last_offset", last, file.last_offset),
                ("bytes", size, file.bytes),
                ("sha256", sha256.hexdigest(), file.sha256),
            ),
        )

    def _read(self, name: str, number: int, raw: bytes) -> EventLine | None:
        self.events += 1
        try:
            line = read_line(raw, is_same_release=self._is_same_release)
        except BadLine as error:
            self._found(Finding(str(error), name, number, **error.known))
            self._head = None
            if "order_id" in error.known:
                self._orders[error.known["order_id"]] = None
            return None
        what = self._wrong(line)
        if what is not None:
            self._found(
                Finding(
                    what, name, number, line.order_id, line.version, line.partition, line.offset
                )
            )
        self._step(line)
        return line

    def _wrong(self, line: EventLine) -> str | None:
        """Say the first thing that is wrong with the place of an event; None: nothing."""
        return self._wrong_place(line) or self._wrong_order(line) or self._wrong_head(line)

    def _wrong_place(self, line: EventLine) -> str | None:
        entry, chosen = self._entry, self._manifest.filter
        home = partition_of(line.order_id, self._manifest.log.partitions)
        if line.partition != entry.partition:
            return f"it says partition {line.partition} in a file of partition {entry.partition}"
        if home != line.partition:
            return f"its order lives in partition {home}: the event was moved or made up"
        if self._last_offset is not None and line.offset <= self._last_offset:
            return f"its offset does not come after {self._last_offset}: moved or repeated"
        if not entry.start_offset <= line.offset < entry.end_offset:
            return f"its offset is outside {entry.start_offset} to {entry.end_offset} (exclusive)"
        if not chosen.takes(line.order_id, line.recorded_at_us):
            return "it is not what the filter of the manifest takes"
        return None

    def _wrong_order(self, line: EventLine) -> str | None:
        if line.order_id in self._orders:
            before = self._orders[line.order_id]
            if before is None:
                return None
            version, value_hash = before
            if line.version != version + 1:
                return f"it follows version {version} of its order: events are missing or moved"
            if line.prev_hash != value_hash:
                return (
                    f"`prev_hash` is not the hash of version {version} of its order: one of the "
                    "two was changed"
                )
            return None
        if line.version == 1 and line.prev_hash != FIRST_PREV_HASH:
            return "`prev_hash` of a first event is not zero"
        if line.version != 1 and self._manifest.filter.from_us is None:
            return "it is the first of its order here: the versions before it are missing"
        return None

    def _wrong_head(self, line: EventLine) -> str | None:
        if self._head is None or next_head(self._head, line.offset, line.hash) == line.head:
            return None
        after = "the start" if self._last_offset is None else f"offset {self._last_offset}"
        return (
            f"`head` does not follow from {after} of the partition: an event was removed, "
            "inserted, moved or changed here"
        )

    def _step(self, line: EventLine) -> None:
        earlier = self._earlier
        if earlier is not None and line.offset >= earlier.end_offset and not self._earlier_head:
            self._earlier_head = self._head
        self._head = line.head
        self._last_offset = line.offset
        self._first_offset = line.offset if self._first_offset is None else self._first_offset
        self._orders[line.order_id] = (line.version, line.hash)

    def _forget(self) -> None:
        self._head = None
        self._orders = dict.fromkeys(self._orders)

    def _compare_earlier(self) -> None:
        earlier = self._earlier
        if earlier is None:
            return
        head = self._earlier_head or self._head
        if head is not None and head.hex() != earlier.head_hash:
            self._around(
                NAME,
                f"partition {earlier.partition}: the events below offset {earlier.end_offset} "
                f"lead to head {head.hex()}, the earlier export had {earlier.head_hash}: the past "
                "was changed between the two exports",
            )

    def _compare(self, file: str, where: str, rows: tuple[tuple[str, object, object], ...]) -> None:
        for name, is_now, said in rows:
            if is_now != said:
                self._around(file, f"{where}`{name}` is {is_now}, the manifest says {said}")

    def _found(self, finding: Finding) -> None:
        if len(self.event_findings) < FINDINGS_MAX:
            self.event_findings.append(finding)

    def _around(self, file: str, what: str) -> None:
        self.file_findings.append(Finding(what, file))
