"""A proof that one event is in an export, which can be checked without all the others."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from audit import formats
from audit.evidence.heads import fault_of, read_known
from audit.evidence.merkle import PathBuilder, Tree, included_root, leaf_hash
from audit.evidence.signing import DocumentError, Sheet, bad_signature, read_document
from audit.findings import Finding, Kind
from audit.lines import EventLine, described, leaf
from audit.manifest import NAME, FileEntry, Log, Manifest, Tool, parse, root_statement, tool
from audit.reading import BadLine, compare, line_said
from audit.strict import Count, Sha256
from audit.verify import Trusted
from eventlog.partitioner import partition_of

_LEVELS_MAX = 64
_NO_HEAD = "0" * 64

Report = Callable[[int, int], None]


class ProofRefused(Exception):  # noqa: N818 - an answer to the caller
    """There is nothing to prove; the message says why."""


class Proof(Sheet):
    """One event, its way up the Merkle tree of an export, and the stamp of that export's manifest.

    `event` is a line of the export without `head`, which the tree does not cover.
    """

    format: Literal["orderlog-proof/1"] = "orderlog-proof/1"
    tool: Tool
    log: Log
    events: Count
    root_hash: Sha256
    index: Count
    path: Annotated[tuple[Sha256, ...], Field(max_length=_LEVELS_MAX)]
    event: dict[str, Any]

    def wrong_path(self, line: EventLine) -> str | None:
        """Say why the path does not lead from the event to the root; None: it does."""
        recorded = line.recorded
        if partition_of(recorded.order_id, self.log.partitions) != recorded.partition:
            return "its order lives in another partition: moved or made up"
        root = included_root(
            self.index,
            self.events,
            leaf_hash(leaf(recorded.partition, recorded.offset, line.hash)),
            [bytes.fromhex(one) for one in self.path],
        )
        if root is None or root.hex() != self.root_hash:
            return (
                "the path does not lead from the event to the root: the event is not in the "
                "export, or the proof was changed; these look alike"
            )
        return None


def prove(
    path: Path,
    order_id: str,
    version: int,
    report: Report = lambda _done, _total: None,
) -> Proof:
    """Make a proof from an export; reads all of it. `report` gets events done and in total.

    Raises:
        ProofRefused: the event is not in the export, or the export is not as it was written.
    """
    try:
        manifest = parse(path / NAME)
    except DocumentError as error:
        raise ProofRefused(f"{path}: {error}") from error
    index, found = _find(path, manifest, order_id, version)
    builder, tree = PathBuilder(index, manifest.events), Tree()
    for line in _lines(path, manifest, manifest.files):
        data = leaf(line.recorded.partition, line.recorded.offset, line.hash)
        builder.append(data)
        tree.append(data)
        report(tree.end, manifest.events)
    if manifest.is_changed() or tree.root().hex() != manifest.root_hash:
        raise ProofRefused(f"{path} was changed: see `orderlog audit verify {path}`")
    return Proof(
        tool=manifest.tool,
        log=manifest.log,
        events=manifest.events,
        root_hash=manifest.root_hash,
        index=index,
        path=tuple(one.hex() for one in builder.path()),
        event=_event(found),
        stamp=manifest.stamp,
    )


def _find(path: Path, manifest: Manifest, order_id: str, version: int) -> tuple[int, EventLine]:
    """Return an event and its number among all."""
    home = partition_of(order_id, manifest.log.partitions)
    before = sum(file.events for file in manifest.files if file.partition < home)
    at_home = [file for file in manifest.files if file.partition == home]
    for index, line in enumerate(_lines(path, manifest, at_home), before):
        if (line.recorded.order_id, line.recorded.version) == (order_id, version):
            return index, line
    raise ProofRefused(f"version {version} of order {order_id} is not in {path}")


def _lines(path: Path, manifest: Manifest, files: Iterable[FileEntry]) -> Iterator[EventLine]:
    is_same_release = manifest.tool == tool()
    for file in files:
        try:
            with (path / file.name).open("rb") as opened:
                for line in formats.read(
                    manifest.encoding, opened, is_same_release=is_same_release
                ):
                    if isinstance(line, BadLine):
                        raise ProofRefused(
                            f"{path} was changed: see `orderlog audit verify {path}`"
                        )
                    yield line
        except OSError as error:
            raise ProofRefused(f"{path / file.name} cannot be read: {error.strerror}") from error


def _event(line: EventLine) -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads(orjson.dumps(described(line)))
    event["stored"] = base64.b64encode(line.recorded.value).decode()
    return event


def verify_proof(path: Path, trusted: Trusted) -> tuple[Proof | None, list[Finding]]:
    """Check a proof without the export that it is from; return it with what is wrong with it.

    `trusted.head` is the manifest of that export, if it was kept.
    """
    name = path.name
    try:
        proof = read_document(path, Proof)
    except DocumentError as error:
        return None, [Finding(Kind.EDITED, str(error), name)]
    findings = _on_event(proof, name)
    fault = bad_signature(proof.stamp, root_statement(proof), trusted.public_key)
    if fault is not None:
        findings.append(Finding(Kind.BAD_SIGNATURE, fault, name))
    if trusted.head is not None:
        findings += _on_manifest(proof, trusted.head, trusted.public_key)
    return proof, findings


def _on_event(proof: Proof, name: str) -> list[Finding]:
    try:
        line = _line(proof)
    except BadLine as error:
        return [Finding(error.kind, str(error), name, **error.known)]
    wrong = proof.wrong_path(line)
    if wrong is None:
        return []
    recorded = line.recorded
    place = (recorded.order_id, recorded.version, recorded.partition, recorded.offset)
    return [Finding(Kind.EDITED, wrong, name, None, *place)]


def _line(proof: Proof) -> EventLine:
    said = {**proof.event, "head": _NO_HEAD}
    try:
        said["stored"] = base64.b64decode(said["stored"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadLine(Kind.EDITED, f"`stored` is not readable: {error}") from error
    line = line_said(said)
    if orjson.dumps(proof.event) != orjson.dumps(_event(line)):
        compare(said, line, is_same_release=proof.tool == tool())
    return line


def _on_manifest(proof: Proof, path: Path, trusted: str | None) -> list[Finding]:
    try:
        known = read_known(path)
    except DocumentError as error:
        return [Finding(Kind.EDITED, str(error), path.name)]
    fault = fault_of(known, trusted)
    if fault is not None:
        return [Finding(Kind.BAD_SIGNATURE, fault, path.name)]
    if not isinstance(known, Manifest):
        what = "a head has no root: name the manifest of the export that the proof is from"
        return [Finding(Kind.NOT_COMPARABLE, what, path.name)]
    if root_statement(known) != root_statement(proof):
        what = f"it is of an export with root {known.root_hash}, the proof is of {proof.root_hash}"
        return [Finding(Kind.FORKED, what, path.name)]
    return []
