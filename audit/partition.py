"""One partition of an export: its lines, in files of bounded size, each named when it is whole."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from audit import folder
from audit.lines import describe, first_head, next_head, written
from audit.manifest import FileEntry, PartitionEntry
from audit.progress import Progress, Range
from eventlog.codec import is_event
from eventlog.log import EventLog, StoredRecord


class PartitionExport:
    """Writes what is missing of one partition."""

    def __init__(self, path: Path, progress: Progress, part: Range) -> None:
        self.progress = progress
        self._path = path
        self._part = part
        self._file: _File | None = None
        self._head = (
            bytes.fromhex(progress.head_hash)
            if progress.head_hash is not None
            else first_head(progress.plan.log.identity, part.partition)
        )

    async def run(self, log: EventLog, report: Callable[[int], None]) -> Progress:
        """Return the progress with this partition done; `report` gets offsets as they pass."""
        part = self._part
        files = self._files()
        position = files[-1].last_offset + 1 if files else part.start_offset
        report(position - part.start_offset)
        try:
            async for batch in log.read(part.partition, position, part.end_offset):
                for record in batch.records:
                    if is_event(record.key):
                        self._take(record)
                report(batch.next_offset - position)
                position = batch.next_offset
            self._finish_file()
        finally:
            if self._file is not None:
                self._file.close()
        return self._finished()

    def _files(self) -> list[FileEntry]:
        return [file for file in self.progress.files if file.partition == self._part.partition]

    def _take(self, record: StoredRecord) -> None:
        plan = self.progress.plan
        line = describe(record)
        if not plan.filter.takes(line["order_id"], line["recorded_at_us"]):
            return
        self._head = next_head(self._head, record.offset, bytes.fromhex(line["hash"]))
        if self._file is None:
            self._file = _File(self._path, self._part.partition, len(self._files()) + 1)
        self._file.add(record.offset, written(line, self._head))
        if self._file.events == plan.file_events_max:
            self._finish_file()

    def _finish_file(self) -> None:
        if self._file is None:
            return
        entry = self._file.publish()
        self._file = None
        self.progress = self.progress.model_copy(
            update={"files": (*self.progress.files, entry), "head_hash": self._head.hex()}
        )
        self.progress.save(self._path)

    def _finished(self) -> Progress:
        part, files = self._part, self._files()
        entry = PartitionEntry(
            partition=part.partition,
            start_offset=part.start_offset,
            end_offset=part.end_offset,
            events=sum(file.events for file in files),
            first_offset=files[0].first_offset if files else None,
            last_offset=files[-1].last_offset if files else None,
            head_hash=self._head.hex(),
        )
        progress = self.progress.model_copy(
            update={"partitions": (*self.progress.partitions, entry), "head_hash": None}
        )
        progress.save(self._path)
        return progress


class _File:
    """One file on its way: it gets its name when all of it is on disk."""

    def __init__(self, path: Path, partition: int, number: int) -> None:
        self._target = path / f"events-{partition:04d}-{number:06d}.jsonl"
        self._partial = self._target.with_name(self._target.name + folder.PARTIAL)
        self._file = self._partial.open("wb")
        self._sha256 = hashlib.sha256()
        self._partition = partition
        self._bytes = 0
        self._first_offset = -1
        self._last_offset = -1
        self.events = 0

    def add(self, offset: int, line: bytes) -> None:
        """Append one line."""
        if self.events == 0:
            self._first_offset = offset
        self._last_offset = offset
        self._file.write(line)
        self._sha256.update(line)
        self._bytes += len(line)
        self.events += 1

    def publish(self) -> FileEntry:
        """Put it on disk, give it its name, and say what it holds."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        folder.publish(self._partial, self._target)
        return FileEntry(
            name=self._target.name,
            partition=self._partition,
            events=self.events,
            first_offset=self._first_offset,
            last_offset=self._last_offset,
            bytes=self._bytes,
            sha256=self._sha256.hexdigest(),
        )

    def close(self) -> None:
        """Let go of a file that was not finished; the next run removes it."""
        self._file.close()
