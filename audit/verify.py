"""Check an export from its folder alone: no Kafka, no Postgres, no network."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from audit.checks.walk import FINDINGS_MAX, Job, Known, Walked
from audit.checks.workers import walk_all
from audit.evidence.heads import Head, fault_of, read_known
from audit.evidence.merkle import Tree
from audit.evidence.signing import DocumentError, bad_signature
from audit.findings import Finding, Kind
from audit.manifest import DESCRIPTORS, NAME, Manifest, parse, tool
from eventlog.codec import descriptors

_WORKERS_PAY_EVENTS = 50_000

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


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is known from elsewhere; None: nothing.

    `head` is the file of a signed head, or of the manifest of an earlier export of the same log
    and filter; `public_key`, in hexadecimal, is the one that head and manifest must be signed with.
    """

    head: Path | None = None
    public_key: str | None = None


def verify(
    path: Path,
    trusted: Trusted = Trusted(),
    report: Report = lambda _done, _total: None,
    workers: int | None = None,
) -> Verdict:
    """Recompute everything that an export says of itself; never raises for what it reads.

    Nothing but `trusted` finds a log or an export that was made anew as a whole, with all hashes
    right. `report` gets the events that were read, and their number.
    """
    try:
        manifest = parse(path / NAME)
    except DocumentError as error:
        kind = Kind.EDITED if (path / NAME).exists() else Kind.MISSING
        return Verdict(None, 0, 0, (Finding(kind, str(error), NAME),))
    around = [Finding(Kind.EDITED, what, NAME) for what in manifest.contradictions()]
    fault = bad_signature(manifest.stamp, manifest.statement(), trusted.public_key)
    if fault is not None:
        around.append(Finding(Kind.BAD_SIGNATURE, fault, NAME))
    head, on_head = _head(manifest, trusted)
    around += [*on_head, *_on_descriptors(path, manifest)]
    if workers is None:
        workers = (os.cpu_count() or 1) if manifest.events >= _WORKERS_PAY_EVENTS else 1
    all_walked = walk_all(
        _jobs(path, manifest, head), workers, lambda events: report(events, manifest.events)
    )
    events = sum(walked.events for walked in all_walked)
    broken = [finding for walked in all_walked for finding in walked.on_events]
    around += [finding for walked in all_walked for finding in walked.around]
    around += _on_sums(manifest, all_walked, is_broken=bool(broken))
    around += _unlisted(path, manifest)
    orders = sum(walked.orders for walked in all_walked)
    return Verdict(manifest, events, orders, tuple([*broken, *around][:FINDINGS_MAX]))


def _jobs(path: Path, manifest: Manifest, head: Head | Manifest | None) -> list[Job]:
    known = {
        entry.partition: Known(
            "the head" if isinstance(head, Head) else "the earlier export",
            entry.end_offset,
            entry.events,
            entry.head_hash,
        )
        for entry in (() if head is None else head.partitions)
    }
    is_same_release = manifest.tool == tool()
    jobs, begin = [], 0
    for entry in manifest.partitions:
        job = Job(path, manifest, entry, begin, is_same_release, known.get(entry.partition))
        jobs.append(job)
        begin += entry.events
    return jobs


def _head(manifest: Manifest, trusted: Trusted) -> tuple[Head | Manifest | None, list[Finding]]:
    """Return the head to hold the export against, if it can be, and what is wrong with it."""
    if trusted.head is None:
        return None, []
    name = trusted.head.name
    try:
        head = read_known(trusted.head)
    except DocumentError as error:
        return None, [Finding(Kind.EDITED, str(error), name)]
    fault = fault_of(head, trusted.public_key)
    if fault is not None:
        kind = Kind.EDITED if head.is_changed() else Kind.BAD_SIGNATURE
        return None, [Finding(kind, fault, name)]
    if head.log != manifest.log:
        what = (
            f"it is of topic {head.log.topic} with id {head.log.topic_id}, the export is of "
            f"{manifest.log.topic} with id {manifest.log.topic_id}: another log"
        )
        return None, [Finding(Kind.FORKED, what, name)]
    if head.filter != manifest.filter:
        what = "it was made with another filter than the export: they cannot be compared"
        return None, [Finding(Kind.NOT_COMPARABLE, what, name)]
    return head, []


def _on_descriptors(path: Path, manifest: Manifest) -> list[Finding]:
    said, name = manifest.descriptors, DESCRIPTORS
    try:
        raw = (path / name).read_bytes()
    except FileNotFoundError:
        return [Finding(Kind.MISSING, "the file is missing", name)]
    except OSError as error:
        return [Finding(Kind.EDITED, f"the file cannot be read: {error.strerror}", name)]
    if (len(raw), sha256(raw).hexdigest()) != (said.bytes, said.sha256):
        return [Finding(Kind.EDITED, "it is not the file that the manifest says", name)]
    if manifest.tool == tool() and raw != descriptors():
        return [Finding(Kind.EDITED, "it is not the schema of this release", name)]
    return []


def _on_sums(manifest: Manifest, all_walked: list[Walked], *, is_broken: bool) -> list[Finding]:
    """Compare the number of events, and the root of the tree unless events are broken anyway."""
    events = sum(walked.events for walked in all_walked)
    if events != manifest.events:
        kind = Kind.TRUNCATED if events < manifest.events else Kind.INSERTED
        return [Finding(kind, f"`events` is {events}, the manifest says {manifest.events}", NAME)]
    counts = [entry.events for entry in manifest.partitions]
    if is_broken or [walked.events for walked in all_walked] != counts:
        return []
    tree = Tree()
    for walked in all_walked:
        tree.extend(walked.nodes)
    root = tree.root().hex()
    if root == manifest.root_hash:
        return []
    what = f"`root_hash` is {root}, the manifest says {manifest.root_hash}"
    return [Finding(Kind.EDITED, what, NAME)]


def _unlisted(path: Path, manifest: Manifest) -> list[Finding]:
    listed = {file.name for file in manifest.files}
    return [
        Finding(Kind.INSERTED, "the manifest does not list this file", name)
        for name in sorted(entry.name for entry in path.iterdir())
        if name.startswith("events-") and name not in listed and not name.endswith(".partial")
    ]
