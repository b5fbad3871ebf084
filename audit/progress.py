"""progress.json: what an export was asked for, fixed at its start, and what of it is on disk.

The range is decided once. Whoever goes on after an interruption takes it from here, so that the
finished export does not depend on when or how often it was interrupted.
"""

from pathlib import Path

import orjson
from pydantic import ValidationError

from audit import folder
from audit.filters import Filter
from audit.folder import FolderRefused
from audit.manifest import Encoding, FileEntry, Log, PartitionEntry, Tool
from audit.strict import Count, Sha256, Strict


class Range(Strict):
    """Offsets `start_offset` <= offset < `end_offset` of one partition."""

    partition: Count
    start_offset: Count
    end_offset: Count


class Plan(Strict):
    """What decides every byte of an export."""

    tool: Tool
    log: Log
    filter: Filter
    encoding: Encoding
    file_events_max: Count
    ranges: tuple[Range, ...]


class Subtree(Strict):
    """A node of the Merkle tree so far."""

    level: Count
    place: Count
    hash: Sha256


class Progress(Strict):
    """What is done. `tree` is over the events of `files`, `head_hash` belongs to their last one.

    `head_hash` None: a partition begins.
    """

    plan: Plan
    files: tuple[FileEntry, ...] = ()
    partitions: tuple[PartitionEntry, ...] = ()
    tree: tuple[Subtree, ...] = ()
    head_hash: Sha256 | None = None

    def save(self, path: Path) -> None:
        """Put it on disk before anything else happens."""
        content = orjson.dumps(self.model_dump(), option=orjson.OPT_INDENT_2)
        folder.replace(path / folder.PROGRESS, content)


def load(path: Path) -> Progress | None:
    """Return what an earlier run left in the folder; None: nothing.

    Raises:
        FolderRefused: it cannot be gone on with.
    """
    try:
        progress = Progress.model_validate_json((path / folder.PROGRESS).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise FolderRefused(
            f"{path / folder.PROGRESS} was not written by this release: export to another folder"
        ) from error
    for file in progress.files:
        there = path / file.name
        if not there.is_file() or there.stat().st_size != file.bytes:
            raise FolderRefused(f"{there} was changed since: export to another folder")
    return progress


def require_same(begun: Plan, asked: Plan, path: Path, *, is_range_given: bool) -> None:
    """Refuse to go on with an export that was begun for something else.

    Unless the range was given, that of the beginning counts: the log has grown since.

    Raises:
        FolderRefused: the message names what differs.
    """
    fields = [
        ("log", "from another log"),
        ("filter", "with other options"),
        ("encoding", "in another format"),
        ("tool", f"by version {begun.tool.version}"),
        ("file_events_max", "with another file size"),
    ]
    if is_range_given:
        fields.append(("ranges", "over another range"))
    for name, said in fields:
        if getattr(begun, name) != getattr(asked, name):
            raise FolderRefused(
                f"the export in {path} was begun {said}: go on with the same command, "
                "or choose another folder"
            )
