"""The folder of an export: one writer at a time, and files that are there whole or not at all."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit import manifest

PROGRESS = "progress.json"
PARTIAL = ".partial"
_OURS = re.compile(
    r"(events-\d{4,}-\d{6,}\.(jsonl|csv|parquet)(\.zst)?|events\.binpb|manifest\.json|progress\.json)"
    r"\.partial"
)


class FolderRefused(Exception):  # noqa: N818 - an answer to the caller, who chooses another folder
    """The folder cannot take this export; the message says why and what to do."""


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Create the folder unless it is there, and keep it for this process alone.

    Raises:
        FolderRefused: it is a file, cannot be written, is in use, or holds what is not ours.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDONLY)
    except FileExistsError as error:
        raise FolderRefused(f"{path} is a file: choose another folder") from error
    except OSError as error:
        raise FolderRefused(f"{path} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _require_ours(path)
        yield path
    except BlockingIOError as error:
        raise FolderRefused(f"another export is writing to {path}") from error
    finally:
        os.close(lock)


def _require_ours(path: Path) -> None:
    names = {entry.name for entry in path.iterdir()}
    if manifest.NAME in names and PROGRESS not in names:
        raise FolderRefused(
            f"{path} already holds a finished export: choose another folder, or check this one "
            f"with `orderlog audit verify {path}`"
        )
    begun = {name for name in names if _OURS.fullmatch(name)}
    if PROGRESS not in names and names - begun:
        raise FolderRefused(
            f"{path} is not empty and holds no export to go on with: choose another folder"
        )
    for name in begun:
        (path / name).unlink()


def replace(path: Path, content: bytes) -> None:
    """Write a small file: after a crash it is there whole, or as it was before."""
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    publish(partial, path)


def publish(partial: Path, path: Path) -> None:
    """Give a file that is already on disk its name."""
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make names that were given or taken away last."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
