"""The files of an export, made from records one after the other, and the manifest over them.

It knows neither where the records come from nor where the files go to.
"""

from hashlib import sha256
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import formats
from audit.evidence.merkle import Node, Tree
from audit.filters import Choice
from audit.formats.sink import Hashing, Sink
from audit.lines import EventLine, first_head, leaf, next_head
from audit.manifest import Descriptors, FileEntry, Manifest, PartitionEntry, file_name
from audit.progress import Plan, Progress, Range, Subtree
from eventlog.codec import decode, descriptors, event_hash, is_event
from eventlog.log import StoredRecord


class Store(Protocol):
    """Where the files of an export go to, one after the other."""

    def begin(self, name: str) -> Sink:
        """Make a place for the bytes of the next file."""

    def finish(self, entry: FileEntry) -> None:
        """Take note that all bytes of the file were written."""

    def save(self, progress: Progress) -> None:
        """Remember what is done: another `Trail` may go on from here."""


class Trail:
    """Makes an export: `begin`, `take` and `end` for every range of the plan, then `manifest`.

    Memory does not grow with the number of events. See `Choice` for what a filter needs.
    """

    def __init__(self, plan: Plan, store: Store, progress: Progress | None = None) -> None:
        self.progress = progress or Progress(plan=plan)
        self._plan = plan
        self._store = store
        self._tree = Tree(
            nodes=[
                Node(node.level, node.place, bytes.fromhex(node.hash))
                for node in self.progress.tree
            ]
        )

    @property
    def ranges(self) -> tuple[Range, ...]:
        """What is still to be read, in this order."""
        return self._plan.ranges[len(self.progress.partitions) :]

    def begin(self, part: Range) -> int:
        """Begin the next range; return the offset from which on its records are needed."""
        self._part = part
        self._files = [f for f in self.progress.files if f.partition == part.partition]
        self._file: _File | None = None
        self._choice = Choice(self._plan.filter)
        self._head = (
            first_head(self._plan.log.identity, part.partition)
            if self.progress.head_hash is None
            else bytes.fromhex(self.progress.head_hash)
        )
        self._position = self._files[-1].last_offset + 1 if self._files else part.start_offset
        if self._plan.filter.customer_id is not None:
            return part.start_offset  # Orders are known by their first event alone.
        return self._position

    def take(self, record: StoredRecord) -> None:
        """Take the next record; all records of the range have to come, in the order of offsets.

        Raises:
            Undecodable: this release cannot read the record; a newer one may.
        """
        if not is_event(record.key):
            return
        recorded = decode(record)
        if not self._choice.takes(recorded) or record.offset < self._position:
            return
        value_hash = event_hash(recorded.value)
        self._head = next_head(self._head, record.offset, value_hash)
        self._tree.append(leaf(record.partition, record.offset, value_hash))
        if self._file is None:
            self._file = self._next_file()
        self._file.add(EventLine(recorded, value_hash, self._head))
        if self._file.events == self._plan.file_events_max:
            self._finish_file()

    def end(self) -> PartitionEntry:
        """End the range, all of whose records were taken."""
        self._finish_file()
        part, files = self._part, self._files
        entry = PartitionEntry(
            partition=part.partition,
            start_offset=part.start_offset,
            end_offset=part.end_offset,
            events=sum(file.events for file in files),
            first_offset=files[0].first_offset if files else None,
            last_offset=files[-1].last_offset if files else None,
            head_hash=self._head.hex(),
        )
        partitions = (*self.progress.partitions, entry)
        self._save(partitions=partitions, head_hash=None)
        return entry

    def manifest(self, key: Ed25519PrivateKey | None = None) -> Manifest:
        """Return the manifest of what was made, signed if there is a key."""
        plan, progress, schema = self._plan, self.progress, descriptors()
        return Manifest(
            tool=plan.tool,
            log=plan.log,
            filter=plan.filter,
            encoding=plan.encoding,
            descriptors=Descriptors(bytes=len(schema), sha256=sha256(schema).hexdigest()),
            file_events_max=plan.file_events_max,
            events=self._tree.end,
            root_hash=self._tree.root().hex(),
            partitions=progress.partitions,
            files=progress.files,
        ).stamped(key)

    def _next_file(self) -> "_File":
        name = file_name(self._part.partition, len(self._files) + 1, self._plan.encoding)
        return _File(name, self._store.begin(name), self._plan)

    def _finish_file(self) -> None:
        if self._file is None:
            return
        entry = self._file.finished(self._part.partition)
        self._file = None
        self._store.finish(entry)
        self._files.append(entry)
        self._save(files=(*self.progress.files, entry), head_hash=self._head.hex())

    def _save(self, **changed: object) -> None:
        tree = tuple(
            Subtree(level=node.level, place=node.place, hash=node.hash.hex())
            for node in self._tree.nodes
        )
        self.progress = self.progress.model_copy(update={"tree": tree, **changed})
        self._store.save(self.progress)


class _File:
    """One file on its way."""

    def __init__(self, name: str, sink: Sink, plan: Plan) -> None:
        self._name = name
        self._hashing = Hashing(sink)
        self._writer = formats.writer(plan.encoding, self._hashing)
        self._first_offset = -1
        self._last_offset = -1
        self.events = 0

    def add(self, line: EventLine) -> None:
        """Append one event."""
        offset = line.recorded.offset
        if self.events == 0:
            self._first_offset = offset
        self._last_offset = offset
        self._writer.add(line)
        self.events += 1

    def finished(self, partition: int) -> FileEntry:
        """Write what is left, and say what the file holds."""
        self._writer.close()
        return FileEntry(
            name=self._name,
            partition=partition,
            events=self.events,
            first_offset=self._first_offset,
            last_offset=self._last_offset,
            bytes=self._hashing.size,
            sha256=self._hashing.sha256,
        )
