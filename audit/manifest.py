"""manifest.json: what an export holds, in a form that can be recomputed from its lines."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, Self

from pydantic import Field, model_validator

from audit.evidence.signing import DocumentError, Stamp, Stamped, read_document
from audit.filters import Filter
from audit.lines import FORMAT
from audit.strict import INT64_MAX, Count, Sha256, Strict
from eventlog.log import LogIdentity

NAME = "manifest.json"
DESCRIPTORS: Final = "events.binpb"
_ROOT_FORMAT = "orderlog-root/1"

FileName = Annotated[
    str,
    Field(pattern=r"^events-[0-9]{4,}-[0-9]{6,}\.(jsonl|csv|jsonl\.zst|csv\.zst|parquet)$"),
]


class Tool(Strict):
    """What wrote the export."""

    name: str
    version: str


def tool() -> Tool:
    """Return the name and version of this release; a source tree has no version."""
    try:
        return Tool(name="orderlog", version=version("orderlog"))
    except PackageNotFoundError:
        return Tool(name="orderlog", version="unknown")


class Log(Strict):
    """Which log was exported."""

    cluster_id: str
    topic: str
    topic_id: str
    partitions: Annotated[int, Field(ge=1, le=100_000)]

    @classmethod
    def of(cls, identity: LogIdentity) -> "Log":
        """Return the same as the port knows it."""
        return cls(
            cluster_id=identity.cluster_id,
            topic=identity.topic,
            topic_id=identity.topic_id,
            partitions=identity.partitions,
        )

    @property
    def identity(self) -> LogIdentity:
        """The same as the port knows it."""
        return LogIdentity(self.cluster_id, self.topic, self.topic_id, self.partitions)


class Encoding(Strict):
    """How the files are written. Parquet compresses by itself."""

    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    compression: Literal["zstd"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.format == "parquet" and self.compression is not None:
            raise ValueError("parquet is always compressed with zstd inside")
        return self

    @property
    def suffix(self) -> str:
        """How the names of the files end."""
        return f".{self.format}" + (".zst" if self.compression else "")


class Descriptors(Strict):
    """The file with the schema that the stored bytes are decoded with."""

    name: Literal["events.binpb"] = DESCRIPTORS
    bytes: Count
    sha256: Sha256


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


class Manifest(Stamped):
    """The whole export. `root_hash` is that of the Merkle tree over all its events."""

    format: Literal["orderlog-audit/1"] = FORMAT
    tool: Tool
    log: Log
    filter: Filter
    encoding: Encoding
    descriptors: Descriptors
    file_events_max: Annotated[int, Field(ge=1, le=INT64_MAX)]
    events: Count
    root_hash: Sha256
    partitions: tuple[PartitionEntry, ...]
    files: tuple[FileEntry, ...]

    @model_validator(mode="after")
    def _lists_agree(self) -> Self:
        numbers = [entry.partition for entry in self.partitions]
        if numbers != sorted(set(numbers)) or (numbers and numbers[-1] >= self.log.partitions):
            raise ValueError("partitions are not listed once, ascending, within the log's number")
        places = [(entry.partition, entry.first_offset) for entry in self.files]
        if places != sorted(set(places)) or len({file.name for file in self.files}) < len(places):
            raise ValueError("files are not listed once, in the order of their events")
        if not {entry.partition for entry in self.files} <= set(numbers):
            raise ValueError("a file is of a partition that is not listed")
        if not all(file.name.partition(".")[2] == self.encoding.suffix[1:] for file in self.files):
            raise ValueError("a file's name is not that of its format")
        return self

    def statement(self) -> dict[str, Any]:
        """Return what is signed: the root of which log, and all the rest by its hash."""
        return root_statement(self)

    def contradictions(self) -> list[str]:
        """Say what of the manifest does not fit together; empty when it is as it was written."""
        found = []
        if self.is_changed():
            found.append("it was changed after it was written: content_sha256 does not fit")
        wanted = range(self.log.partitions)
        numbers = [entry.partition for entry in self.partitions]
        if self.filter.order_id is None and numbers != list(wanted):
            found.append(f"it lists partitions {numbers}, the log has {self.log.partitions}")
        found += [
            f"{file.name} is not where the events of partition {file.partition} are cut into files"
            for file in self._cut_elsewhere()
        ]
        return found

    def _cut_elsewhere(self) -> Iterator[FileEntry]:
        """Yield files that are not numbered through, or not full before the last of a partition."""
        for partition, grouped in groupby(self.files, key=lambda file: file.partition):
            files = list(grouped)
            for number, file in enumerate(files, 1):
                name = file_name(partition, number, self.encoding)
                is_full = file.events == self.file_events_max
                is_last = number == len(files) and 0 < file.events < self.file_events_max
                if file.name != name or not (is_full or is_last):
                    yield file


def file_name(partition: int, number: int, encoding: Encoding) -> str:
    """Return the name of the `number`-th file of a partition, from 1."""
    return f"events-{partition:04d}-{number:06d}{encoding.suffix}"


class Rooted(Protocol):
    """What has the root of an export: its manifest, or a proof of one event."""

    @property
    def tool(self) -> Tool:
        """What wrote the export."""

    @property
    def log(self) -> Log:
        """Which log was exported."""

    @property
    def events(self) -> int:
        """The number of leaves."""

    @property
    def root_hash(self) -> str:
        """The root over them."""

    @property
    def stamp(self) -> Stamp:
        """The manifest's stamp."""


def root_statement(of: Rooted) -> dict[str, Any]:
    """Return what the signature of a manifest is over; a proof repeats it."""
    return {
        "format": _ROOT_FORMAT,
        "tool": of.tool.model_dump(),
        "log": of.log.model_dump(),
        "events": of.events,
        "root_hash": of.root_hash,
        "content_sha256": of.stamp.content_sha256,
    }


def parse(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        DocumentError: there is none, or it is not as an export writes it.
    """
    if not path.exists():
        raise DocumentError(
            f"there is no {path.name}: the export was not finished, or the file was removed"
        )
    return read_document(path, Manifest)
