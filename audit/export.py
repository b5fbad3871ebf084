"""Write a range of the log to a folder, so that the result depends on the range alone."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import folder
from audit.evidence.signing import DocumentError
from audit.filters import Filter
from audit.folder import FolderRefused
from audit.manifest import DESCRIPTORS, NAME, Encoding, FileEntry, Log, Manifest, parse, tool
from audit.progress import Plan, Progress, Range, load, require_same
from audit.trail import Trail
from eventlog.codec import descriptors
from eventlog.log import EventLog
from eventlog.partitioner import partition_of

FILE_EVENTS_MAX = 100_000

Report = Callable[[int, int], None]


class ExportFailed(Exception):  # noqa: N818 - says what happened
    """The export cannot be made as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export. `ends` per partition; None: all that is committed now.

    `log` is which one it must be; None: whichever it is.
    """

    filter: Filter = field(default_factory=Filter)
    encoding: Encoding = field(default_factory=Encoding)
    ends: Mapping[int, int] | None = None
    file_events_max: int = FILE_EVENTS_MAX
    log: Log | None = None

    @classmethod
    def same_as(cls, manifest: Manifest) -> "Request":
        """Ask for what an earlier export holds, from the same log."""
        return cls(
            manifest.filter,
            manifest.encoding,
            {entry.partition: entry.end_offset for entry in manifest.partitions},
            manifest.file_events_max,
            manifest.log,
        )


async def export(
    log: EventLog,
    path: Path,
    request: Request,
    report: Report = lambda _done, _total: None,
    *,
    key: Ed25519PrivateKey | None = None,
) -> Manifest:
    """Export to `path`, or go on with what is there; `report` gets offsets done and in total.

    Whenever this is interrupted, calling it again with the same request finishes the same export:
    the ends of the range are those of the first call. The manifest is written last, and signed if
    there is a key.

    Raises:
        FolderRefused: choose another folder, or repeat the command that was interrupted.
        ExportFailed: the request does not fit the log.
        LogUnavailable: call again later, it goes on.
        Undecodable: the log holds an event that this release cannot read: use a newer one.
        IntegrityError: the log does not hold all of the range any more.
    """
    with folder.opened(path):
        progress = await _begun(log, path, request)
        trail = Trail(progress.plan, store := _FolderStore(path), progress)
        try:
            await write(log, trail, report)
        finally:
            store.close()
        folder.replace(path / DESCRIPTORS, descriptors())
        manifest = trail.manifest(key)
        folder.replace(path / NAME, manifest.dump())
        (path / folder.PROGRESS).unlink()
        folder.sync_folder(path)
        return manifest


def begun(path: Path) -> Progress | None:
    """Return what an earlier run left in the folder; None: nothing that can be gone on with."""
    try:
        return load(path)
    except (FolderRefused, OSError):
        return None


def events_in(path: Path) -> int:
    """Count the events that an export has put into whole files of a folder until now."""
    try:
        return parse(path / NAME).events
    except DocumentError:
        progress = begun(path)
        return 0 if progress is None else sum(file.events for file in progress.files)


async def write(log: EventLog, trail: Trail, report: Report) -> None:
    """Read what a trail still needs from the log; `report` gets offsets done and in total."""
    meter = _Meter(trail.progress.plan.ranges, report)
    for part in trail.progress.plan.ranges[: len(trail.progress.partitions)]:
        meter.add(part.end_offset - part.start_offset)
    for part in trail.ranges:
        position = trail.begin(part)
        meter.add(position - part.start_offset)
        async for batch in log.read(part.partition, position, part.end_offset):
            for record in batch.records:
                trail.take(record)
            meter.add(batch.next_offset - position)
            position = batch.next_offset
        trail.end()


class _FolderStore:
    """Keeps files in a folder: each gets its name when all of it is on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def begin(self, name: str) -> BinaryIO:
        self._file = (self._path / (name + folder.PARTIAL)).open("wb")
        return self._file

    def finish(self, entry: FileEntry) -> None:
        if self._file is None:
            raise RuntimeError("no file was begun")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        folder.publish(self._path / (entry.name + folder.PARTIAL), self._path / entry.name)

    def save(self, progress: Progress) -> None:
        progress.save(self._path)

    def close(self) -> None:
        """Let go of a file that was not finished; the next run removes it."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Meter:
    """Adds up what is done."""

    def __init__(self, ranges: Sequence[Range], report: Report) -> None:
        self._total = sum(part.end_offset - part.start_offset for part in ranges)
        self._report = report
        self._done = 0

    def add(self, offsets: int) -> None:
        self._done += offsets
        self._report(self._done, self._total)


async def _begun(log: EventLog, path: Path, request: Request) -> Progress:
    plan = await planned(log, request)
    progress = load(path)
    if progress is not None:
        is_range_given = request.ends is not None
        require_same(progress.plan, plan, path, is_range_given=is_range_given)
        return progress
    progress = Progress(plan=plan)
    progress.save(path)
    return progress


async def planned(log: EventLog, request: Request) -> Plan:
    """Fix what is exported, down to the last offset of every partition.

    Raises:
        ExportFailed: the request does not fit the log.
        LogUnavailable: call again later.
    """
    identity = await log.identity()
    if request.log is not None and request.log.identity != identity:
        raise ExportFailed(
            f"the range is of another log: topic {request.log.topic} with id "
            f"{request.log.topic_id}, here it is {identity.topic} with id {identity.topic_id}"
        )
    order_id = request.filter.order_id
    partitions = (
        range(identity.partitions)
        if order_id is None
        else [partition_of(order_id, identity.partitions)]
    )
    ends = {partition: await log.end(partition) for partition in partitions}
    for partition, end in (request.ends or {}).items():
        if end > ends.get(partition, -1):
            raise ExportFailed(
                f"the log does not reach to offset {end} of partition {partition}: "
                "it is not the log that this range is of"
            )
        ends[partition] = end
    return Plan(
        tool=tool(),
        log=Log.of(identity),
        filter=request.filter,
        encoding=request.encoding,
        file_events_max=request.file_events_max,
        ranges=tuple(
            Range(partition=partition, start_offset=0, end_offset=end)
            for partition, end in ends.items()
        ),
    )
