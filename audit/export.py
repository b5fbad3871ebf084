"""Write a range of the log to a folder, so that the result depends on the range alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from audit import folder
from audit.folder import FolderRefused
from audit.manifest import NAME, Filter, Log, Manifest, ManifestError, Tool, parse
from audit.partition import PartitionExport
from audit.progress import Plan, Progress, Range, load, require_same
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
    ends: Mapping[int, int] | None = None
    file_events_max: int = FILE_EVENTS_MAX
    log: Log | None = None

    @classmethod
    def same_as(cls, manifest: Manifest) -> "Request":
        """Ask for what an earlier export holds, from the same log."""
        return cls(
            manifest.filter,
            {entry.partition: entry.end_offset for entry in manifest.partitions},
            manifest.file_events_max,
            manifest.log,
        )


def tool() -> Tool:
    """Return the name and version of this release; a source tree has no version."""
    try:
        return Tool(name="orderlog", version=version("orderlog"))
    except PackageNotFoundError:
        return Tool(name="orderlog", version="unknown")


async def export(
    log: EventLog, path: Path, request: Request, report: Report = lambda _done, _total: None
) -> Manifest:
    """Export to `path`, or go on with what is there; `report` gets offsets done and in total.

    Whenever this is interrupted, calling it again with the same request finishes the same export:
    the ends of the range are those of the first call. The manifest is written last.

    Raises:
        FolderRefused: choose another folder, or repeat the command that was interrupted.
        ExportFailed: the request does not fit the log.
        LogUnavailable: call again later, it goes on.
        Undecodable: the log holds an event that this release cannot read: use a newer one.
        IntegrityError: the log does not hold all of the range any more.
    """
    with folder.opened(path):
        progress = await _begun(log, path, request)
        ranges = progress.plan.ranges
        meter = _Meter(sum(part.end_offset - part.start_offset for part in ranges), report)
        for part in ranges[: len(progress.partitions)]:
            meter.add(part.end_offset - part.start_offset)
        for part in ranges[len(progress.partitions) :]:
            progress = await PartitionExport(path, progress, part).run(log, meter.add)
        manifest = _manifest(progress)
        folder.replace(path / NAME, manifest.dump())
        (path / folder.PROGRESS).unlink()
        folder.sync_folder(path)
        return manifest


def events_in(path: Path) -> int:
    """Count the events that an export has put into whole files of a folder until now."""
    try:
        return parse(path / NAME).events
    except ManifestError:
        pass
    try:
        progress = load(path)
    except FolderRefused:
        return 0
    return 0 if progress is None else sum(file.events for file in progress.files)


class _Meter:
    """Adds up what is done."""

    def __init__(self, total: int, report: Report) -> None:
        self._total = total
        self._report = report
        self._done = 0

    def add(self, offsets: int) -> None:
        self._done += offsets
        self._report(self._done, self._total)


async def _begun(log: EventLog, path: Path, request: Request) -> Progress:
    plan = await _plan(log, request)
    progress = load(path)
    if progress is not None:
        is_range_given = request.ends is not None
        require_same(progress.plan, plan, path, is_range_given=is_range_given)
        return progress
    progress = Progress(plan=plan)
    progress.save(path)
    return progress


async def _plan(log: EventLog, request: Request) -> Plan:
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
        log=Log(
            cluster_id=identity.cluster_id,
            topic=identity.topic,
            topic_id=identity.topic_id,
            partitions=identity.partitions,
        ),
        filter=request.filter,
        file_events_max=request.file_events_max,
        ranges=tuple(
            Range(partition=partition, start_offset=0, end_offset=end)
            for partition, end in ends.items()
        ),
    )


def _manifest(progress: Progress) -> Manifest:
    plan = progress.plan
    return Manifest(
        tool=plan.tool,
        log=plan.log,
        filter=plan.filter,
        file_events_max=plan.file_events_max,
        events=sum(entry.events for entry in progress.partitions),
        partitions=progress.partitions,
        files=progress.files,
    ).sealed()
