"""An export that was sent as JSON lines: its folder made again, and verified."""

import base64
import binascii
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import orjson
from pydantic import ValidationError

from audit.evidence.signing import DocumentError
from audit.findings import Finding, Kind
from audit.manifest import DESCRIPTORS, NAME, Manifest
from audit.sending import last_line
from audit.verify import Report, Trusted, Verdict, verify

_LAST_LINE_BYTES_MAX = 64 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_TOO_MUCH = "events-too-many.jsonl"


def verify_sent(
    source: Path, trusted: Trusted, report: Report, workers: int | None = None
) -> Verdict:
    """Verify a file of JSON lines as the folder that it stands for; see `verify`.

    Findings name the files of the folder. It is made in the temporary folder of this process.
    """
    with TemporaryDirectory(prefix="orderlog-audit-") as folder:
        try:
            unpack(source, Path(folder))
        except DocumentError as error:
            return Verdict(None, 0, 0, (Finding(Kind.TRUNCATED, str(error), source.name),))
        return verify(Path(folder), trusted, report, workers)


def unpack(source: Path, folder: Path) -> None:
    """Write the files of the folder, as far as `source` holds them.

    Nothing is judged here: what is missing or too much is so in the folder too, for `verify`.

    Raises:
        DocumentError: the last line is not what an export ends with.
        OSError: a file cannot be read or written.
    """
    with source.open("rb") as opened:
        raw, end = _last_line(opened)
        manifest, schema = _parsed(raw, source.name)
        opened.seek(0)
        left = end
        for file in manifest.files:
            left -= _copy(opened, folder / file.name, min(file.bytes, left))
        if left:
            _copy(opened, folder / _TOO_MUCH, left)
    (folder / DESCRIPTORS).write_bytes(schema)
    (folder / NAME).write_bytes(manifest.dump())


def _last_line(opened: BinaryIO) -> tuple[bytes, int]:
    """Return the last line, and the offset where it begins."""
    size = opened.seek(0, os.SEEK_END)
    back = 4096
    while True:
        start = max(0, size - back)
        opened.seek(start)
        tail = opened.read(size - start)
        at = tail[:-1].rfind(b"\n")
        if at >= 0 or start == 0 or back > _LAST_LINE_BYTES_MAX:
            return tail[at + 1 :], start + at + 1
        back *= 16


def _parsed(raw: bytes, name: str) -> tuple[Manifest, bytes]:
    try:
        said = orjson.loads(raw)
        manifest = Manifest.model_validate_json(orjson.dumps(said["manifest"]))
        schema = base64.b64decode(said["descriptors"], validate=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DocumentError(
            f"the manifest in the last line of {name} is not as it is written: {where}: "
            f"{first['msg']}"
        ) from error
    except (orjson.JSONDecodeError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise DocumentError(
            f"{name} does not end with a manifest: it was cut off, or is no export over HTTP"
        ) from error
    if last_line(manifest, schema) != raw:
        raise DocumentError(f"the last line of {name} is not as it is written: other bytes")
    return manifest, schema


def _copy(opened: BinaryIO, target: Path, size: int) -> int:
    left = size
    with target.open("wb") as file:
        while left and (chunk := opened.read(min(left, _CHUNK_BYTES))):
            file.write(chunk)
            left -= len(chunk)
    return size - left
