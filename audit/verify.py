"""Check an export from its folder alone: no Kafka, no Postgres, no network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.export import tool
from audit.findings import Finding
from audit.manifest import NAME, Manifest, ManifestError, parse
from audit.walk import FINDINGS_MAX, PartitionWalk

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result; without findings the export is valid.

    The first finding names the first broken event, unless only files or the manifest are wrong.
    """

    manifest: Manifest | None
    events: int
    orders: int
    findings: tuple[Finding, ...]

    @property
    def is_valid(self) -> bool:
        """Nothing is wrong."""
        return not self.findings


def verify(
    path: Path, *, earlier: Manifest | None = None, report: Report = lambda _done, _total: None
) -> Verdict:
    """Recompute everything that an export says of itself; never raises for what it reads.

    `earlier` is the manifest of an export of the same log that was kept elsewhere: what it covered
    must be in this export unchanged. Nothing else finds a log that was made anew as a whole, with
    all hashes right. `report` gets the events that were read, and their number.
    """
    try:
        manifest = parse(path / NAME)
    except ManifestError as error:
        return Verdict(None, 0, 0, (Finding(str(error), NAME),))
    around = [Finding(what, NAME) for what in manifest.contradictions()]
    comparable = earlier is None or _is_comparable(manifest, earlier)
    if not comparable:
        around.append(
            Finding("the earlier export is of another log, filter or a longer range", NAME)
        )
    broken: list[Finding] = []
    events = orders = 0
    for entry in manifest.partitions:
        walk = PartitionWalk(
            path,
            manifest,
            entry,
            is_same_release=manifest.tool == tool(),
            earlier=None
            if earlier is None or not comparable
            else next(e for e in earlier.partitions if e.partition == entry.partition),
        )
        walk.run()
        broken += walk.event_findings
        around += walk.file_findings
        events += walk.events
        orders += walk.orders
        report(events, manifest.events)
    if events != manifest.events:
        around.append(Finding(f"`events` is {events}, the manifest says {manifest.events}", NAME))
    around += _unlisted(path, manifest)
    return Verdict(manifest, events, orders, tuple([*broken, *around][:FINDINGS_MAX]))


def _is_comparable(manifest: Manifest, earlier: Manifest) -> bool:
    ends = {entry.partition: entry.end_offset for entry in manifest.partitions}
    return (
        not earlier.contradictions()
        and (earlier.log, earlier.filter) == (manifest.log, manifest.filter)
        and [entry.partition for entry in earlier.partitions] == list(ends)
        and all(entry.end_offset <= ends[entry.partition] for entry in earlier.partitions)
    )


def _unlisted(path: Path, manifest: Manifest) -> list[Finding]:
    listed = {file.name for file in manifest.files}
    return [
        Finding("the manifest does not list this file", name)
        for name in sorted(entry.name for entry in path.iterdir())
        if name.startswith("events-") and name not in listed and not name.endswith(".partial")
    ]
