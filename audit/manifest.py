"""manifest.json: what an export holds, in a form that can be recomputed from its lines."""

import hashlib
from pathlib import Path
from typing import Annotated, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit.lines import FORMAT
from eventlog.log import LogIdentity

NAME = "manifest.json"
_INT64_MAX = 2**63 - 1
_BYTES_MAX = 64 * 1024 * 1024

Count = Annotated[int, Field(ge=0, le=_INT64_MAX)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^events-[0-9]{4,}-[0-9]{6,}\.jsonl$")]


class ManifestError(Exception):
    """The manifest is missing, was not written by an export, or was changed."""


class Strict(BaseModel):
    """Exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Tool(Strict):
    """What wrote the export."""

    name: str
    version: str


class Log(Strict):
    """Which log was exported."""

    cluster_id: str
    topic: str
    topic_id: str
    partitions: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def identity(self) -> LogIdentity:
        """The same as the port knows it."""
        return LogIdentity(self.cluster_id, self.topic, self.topic_id, self.partitions)


class Filter(Strict):
    """Which events of the range were asked for; None: all. Times are those of recording, in us."""

    order_id: str | None = None
    from_us: int | None = None
    to_us: int | None = None

    @property
    def is_whole(self) -> bool:
        """Nothing is left out."""
        return self == Filter()

    def takes(self, order_id: str, recorded_at_us: int) -> bool:
        """Tell whether an event belongs into the export (`from_us` inclusive, `to_us` not)."""
        return (
            (self.order_id is None or order_id == self.order_id)
            and (self.from_us is None or recorded_at_us >= self.from_us)
            and (self.to_us is None or recorded_at_us < self.to_us)
        )


class PartitionEntry(Strict):
    """One partition: offsets `start_offset` <= offset < `end_offset` were read."""

    partition: Count
    start_offset: Count
    end_offset: Count
    events: Count
    first_offset: Count | None
    last_offset: Count | None
    head_hash: Sha256


class FileEntry(Strict):
    """One file: lines of one partition, in the order of their offsets."""

    name: FileName
    partition: Count
    events: Count
    first_offset: Count
    last_offset: Count
    bytes: Count
    sha256: Sha256


class Manifest(Strict):
    """The whole export. `manifest_sha256` is over the manifest as written, without that field."""

    format: str = FORMAT
    tool: Tool
    log: Log
    filter: Filter
    file_events_max: Annotated[int, Field(ge=1, le=_INT64_MAX)]
    events: Count
    partitions: tuple[PartitionEntry, ...]
    files: tuple[FileEntry, ...]
    manifest_sha256: Sha256 = "0" * 64

    @model_validator(mode="after")
    def _lists_agree(self) -> Self:
        if self.format != FORMAT:
            raise ValueError(f"the format is {self.format}, this release reads {FORMAT}")
        numbers = [entry.partition for entry in self.partitions]
        if numbers != sorted(set(numbers)) or (numbers and numbers[-1] >= self.log.partitions):
            raise ValueError("partitions are not listed once, ascending, within the log's number")
        places = [(entry.partition, entry.first_offset) for entry in self.files]
        if places != sorted(set(places)) or len({file.name for file in self.files}) < len(places):
            raise ValueError("files are not listed once, in the order of their events")
        if not {entry.partition for entry in self.files} <= set(numbers):
            raise ValueError("a file is of a partition that is not listed")
        return self

    def sealed(self) -> "Manifest":
        """Return the manifest with its own hash filled in."""
        return self.model_copy(update={"manifest_sha256": self._own_hash()})

    def dump(self) -> bytes:
        """Return the bytes of the file."""
        return orjson.dumps(
            self.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )

    def _own_hash(self) -> str:
        fields = self.model_dump(exclude={"manifest_sha256"})
        return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def contradictions(self) -> list[str]:
        """Say what of the manifest does not fit together; empty when it is as it was written."""
        found = []
        if self.manifest_sha256 != self._own_hash():
            found.append("it was changed after it was written: manifest_sha256 does not fit")
        wanted = range(self.log.partitions)
        numbers = [entry.partition for entry in self.partitions]
        if self.filter.order_id is None and numbers != list(wanted):
            found.append(f"it lists partitions {numbers}, the log has {self.log.partitions}")
        return found


def parse(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestError: there is none, or it is not as an export writes it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise ManifestError(
            f"there is no {path.name}: the export was not finished, or the file was removed"
        ) from error
    except OSError as error:
        raise ManifestError(f"{path.name} cannot be read: {error.strerror}") from error
    try:
        orjson.loads(raw)
        manifest = Manifest.model_validate_json(raw)
    except orjson.JSONDecodeError as error:
        raise ManifestError(f"{path.name} is not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or path.name
        raise ManifestError(
            f"{path.name} is not as an export writes it: {where}: {first['msg']}"
        ) from error
    if manifest.dump() != raw:
        raise ManifestError(f"{path.name} is not as an export writes it: other bytes")
    return manifest
