"""Walk through the files of one partition of an export and check every event in its place."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path

from audit import formats
from audit.checks.chain import Chain, Judgement
from audit.evidence.merkle import Node, Tree
from audit.findings import Finding, Kind
from audit.lines import EventLine, leaf
from audit.manifest import NAME, FileEntry, Manifest, PartitionEntry
from audit.reading import BadLine

FINDINGS_MAX = 100
_REPORT_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one partition from elsewhere: its events below `end_offset`."""

    name: str
    end_offset: int
    events: int
    head_hash: str


@dataclass(frozen=True, slots=True)
class Job:
    """One partition to walk through; `begin` is the number of events before it."""

    path: Path
    manifest: Manifest
    entry: PartitionEntry
    begin: int
    is_same_release: bool
    known: Known | None = None


@dataclass(slots=True)
class Walked:
    """What was found. `on_events` name events, `around` is what is around them.

    `nodes` are those of the Merkle tree over the events.
    """

    events: int = 0
    orders: int = 0
    on_events: list[Finding] = field(default_factory=list)
    around: list[Finding] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


def walk(job: Job, report: Callable[[int], None]) -> Walked:
    """Check one partition; `report` gets how many events more were read."""
    return _Walk(job, report).run()


class _Walk:
    """After a finding it goes on from what the line itself says: one fault is one finding."""

    def __init__(self, job: Job, report: Callable[[int], None]) -> None:
        self._job = job
        self._entry = job.entry
        self._report = report
        self._chain = Chain(job.manifest, job.entry)
        self._tree = Tree(job.begin)
        self._walked = Walked()
        self._offsets: tuple[int | None, int | None] = (None, None)
        self._at_known: tuple[int, bytes | None] | None = None

    def run(self) -> Walked:
        """Read all files of the partition and compare with the manifest."""
        for file in self._job.manifest.files:
            if file.partition == self._entry.partition:
                self._walk_file(file)
        where = f"partition {self._entry.partition}: "
        self._compare(
            NAME,
            where,
            (
                ("events", self._walked.events, self._entry.events),
                ("first_offset", self._offsets[0], self._entry.first_offset),
                ("last_offset", self._offsets[1], self._entry.last_offset),
            ),
        )
        head = self._chain.head
        if head is not None and head.hex() != self._entry.head_hash:
            self._around(
                Kind.EDITED,
                NAME,
                f"{where}its events lead to head {head.hex()}, `head_hash` says "
                f"{self._entry.head_hash}: events were cut off or added at the end, or the "
                "manifest was changed; these look alike",
            )
        self._compare_known()
        walked = self._walked
        walked.orders, walked.nodes = self._chain.orders, self._tree.nodes
        return walked

    def _walk_file(self, file: FileEntry) -> None:
        before = self._walked.events
        try:
            with (self._job.path / file.name).open("rb") as opened:
                self._walk_lines(file, opened)
        except FileNotFoundError:
            self._around(Kind.MISSING, file.name, f"the file with {file.events} events is missing")
            self._chain.forget()
        except OSError as error:
            self._around(Kind.EDITED, file.name, f"the file cannot be read: {error.strerror}")
            self._chain.forget()
        self._report((self._walked.events - before) % _REPORT_EVENTS)

    def _walk_lines(self, file: FileEntry, opened: BufferedReader) -> None:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        size = opened.tell()
        opened.seek(0)
        number = 0
        first: int | None = None
        last: int | None = None
        encoding, is_same = self._job.manifest.encoding, self._job.is_same_release
        for number, line in enumerate(formats.read(encoding, opened, is_same_release=is_same), 1):
            self._walked.events += 1
            if number % _REPORT_EVENTS == 0:
                self._report(_REPORT_EVENTS)
            if isinstance(line, BadLine):
                self._found(Finding(line.kind, str(line), file.name, number, **line.known))
                self._chain.skip(line.known.get("order_id"))
                last = line.known.get("offset")
            else:
                self._take(file.name, number, line)
                last = line.recorded.offset
            first = last if number == 1 else first
            self._offsets = (last if self._walked.events == 1 else self._offsets[0], last)
        self._compare(
            file.name,
            "",
            (
                ("events", number, file.events),
                ("first_offset", first, file.first_offset),
                ("last_offset", last, file.last_offset),
                ("bytes", size, file.bytes),
                ("sha256", sha256, file.sha256),
            ),
        )

    def _take(self, name: str, number: int, line: EventLine) -> None:
        recorded = line.recorded
        known = self._job.known
        if known is not None and self._at_known is None and recorded.offset >= known.end_offset:
            self._at_known = (self._walked.events - 1, self._chain.head)
        judged = self._chain.take(line)
        if judged is not None:
            self._judged(judged, name, number, line)
        self._tree.append(leaf(recorded.partition, recorded.offset, line.hash))

    def _judged(self, judged: Judgement, name: str, number: int, line: EventLine) -> None:
        found, recorded = self._walked.on_events, line.recorded
        if judged.before is not None and 0 < len(found) < FINDINGS_MAX:
            found[-1] = replace(found[-1], kind=judged.before.kind, what=judged.before.what)
        if judged.here is not None:
            self._found(
                Finding(
                    judged.here.kind,
                    judged.here.what,
                    name,
                    number,
                    recorded.order_id,
                    recorded.version,
                    recorded.partition,
                    recorded.offset,
                )
            )

    def _compare_known(self) -> None:
        known, entry = self._job.known, self._entry
        if known is None:
            return
        events, head = self._at_known or (self._walked.events, self._chain.head)
        where = f"partition {entry.partition}: "
        if entry.end_offset < known.end_offset:
            self._around(
                Kind.TRUNCATED,
                NAME,
                f"{where}it ends at offset {entry.end_offset}, {known.name} reaches to "
                f"{known.end_offset}: the end was cut off",
            )
        elif events < known.events:
            self._around(
                Kind.TRUNCATED,
                NAME,
                f"{where}{events} events below offset {known.end_offset}, {known.name} has "
                f"{known.events}: events were cut off, or the log was made anew; these look alike",
            )
        elif head is not None and (head.hex(), events) != (known.head_hash, known.events):
            self._around(
                Kind.FORKED,
                NAME,
                f"{where}the events below offset {known.end_offset} lead to head {head.hex()}, "
                f"{known.name} has {known.head_hash}: the past is another one",
            )

    def _compare(self, file: str, where: str, rows: tuple[tuple[str, object, object], ...]) -> None:
        for name, is_now, said in rows:
            if is_now != said:
                kind = Kind.EDITED
                if name == "events" and isinstance(is_now, int) and isinstance(said, int):
                    kind = Kind.TRUNCATED if is_now < said else Kind.INSERTED
                self._around(kind, file, f"{where}`{name}` is {is_now}, the manifest says {said}")

    def _found(self, finding: Finding) -> None:
        if len(self._walked.on_events) < FINDINGS_MAX:
            self._walked.on_events.append(finding)

    def _around(self, kind: Kind, file: str, what: str) -> None:
        self._walked.around.append(Finding(kind, what, file))
