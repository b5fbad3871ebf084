"""Signed heads: how far a log had come, in a few lines to be kept where its operators cannot write.

A head of the whole log has for every partition what an export of the whole log has: the end, the
number of events, and the hash of the chain over them.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from pydantic import model_validator

from audit.evidence.signing import (
    DOCUMENT_BYTES_MAX,
    DocumentError,
    Stamped,
    bad_signature,
    read_document,
)
from audit.filters import Filter
from audit.lines import first_head, next_head
from audit.manifest import Log, Manifest
from audit.strict import Count, Sha256, Strict
from eventlog.codec import event_hash, is_event
from eventlog.log import EventLog, Undecodable

Report = Callable[[int, int], None]


class HeadEntry(Strict):
    """One partition: `events` lie below `end_offset`, and their chain leads to `head_hash`."""

    partition: Count
    end_offset: Count
    events: Count
    head_hash: Sha256


class Head(Stamped):
    """All partitions of a log."""

    format: Literal["orderlog-head/1"] = "orderlog-head/1"
    log: Log
    events: Count
    partitions: tuple[HeadEntry, ...]

    @model_validator(mode="after")
    def _is_of_all(self) -> Self:
        if [entry.partition for entry in self.partitions] != list(range(self.log.partitions)):
            raise ValueError("partitions are not listed once, ascending, as many as the log has")
        if sum(entry.events for entry in self.partitions) != self.events:
            raise ValueError("events are not the sum of the partitions' events")
        return self

    @property
    def filter(self) -> Filter:
        """A head leaves nothing out."""
        return Filter()

    def statement(self) -> dict[str, Any]:
        """Return what is signed: all of it, by its hash."""
        return {"format": self.format, "content_sha256": self.stamp.content_sha256}


def read_known(path: Path) -> Head | Manifest:
    """Read a head, or the manifest of an earlier export, which serves as one.

    Raises:
        DocumentError: it is neither.
    """
    try:
        with path.open("rb") as file:
            said = orjson.loads(file.read(DOCUMENT_BYTES_MAX))
    except (OSError, orjson.JSONDecodeError) as error:
        raise DocumentError(f"{path.name} is neither a head nor a manifest: {error}") from error
    is_head = isinstance(said, dict) and said.get("format") == "orderlog-head/1"
    return read_document(path, Head) if is_head else read_document(path, Manifest)


def fault_of(document: Head | Manifest, trusted: str | None) -> str | None:
    """Say why a document cannot be trusted as one of ours; None: nothing speaks against it."""
    if document.is_changed():
        return "it was changed after it was written: content_sha256 does not fit"
    return bad_signature(document.stamp, document.statement(), trusted)


class HeadRefused(Exception):  # noqa: N818 - an answer to the caller
    """The log does not go on from an earlier head; the message says why."""


async def read_head(
    log: EventLog, since: Head | None = None, report: Report = lambda _done, _total: None
) -> Head:
    """Read the log to its end, from an earlier head on if there is one; return it without a stamp.

    What the earlier head covers is not read again. `report` gets offsets done and in total.

    Raises:
        HeadRefused: the log is another one, or shorter.
        LogUnavailable: call again later.
        Undecodable: the log holds a tombstone, which nobody may write.
    """
    identity = await log.identity()
    if since is not None and since.log.identity != identity:
        raise HeadRefused(
            f"the head is of topic {since.log.topic} with id {since.log.topic_id}, here it is "
            f"{identity.topic} with id {identity.topic_id}: another log"
        )
    begun = {entry.partition: entry for entry in (() if since is None else since.partitions)}
    ends = {partition: await log.end(partition) for partition in range(identity.partitions)}
    total, done, entries = sum(ends.values()), 0, []
    for partition, end in ends.items():
        entry = begun.get(partition) or HeadEntry(
            partition=partition,
            end_offset=0,
            events=0,
            head_hash=first_head(identity, partition).hex(),
        )
        if end < entry.end_offset:
            raise HeadRefused(
                f"partition {partition} ends at offset {end}, the head reaches to "
                f"{entry.end_offset}: the end of the log was cut off"
            )
        async for read in _further(log, entry, end):
            report(done + read.end_offset, total)
            entry = read
        done += end
        entries.append(entry)
    return Head(
        log=Log.of(identity),
        events=sum(entry.events for entry in entries),
        partitions=tuple(entries),
    )


async def _further(log: EventLog, entry: HeadEntry, end: int) -> AsyncIterator[HeadEntry]:
    """Yield how far one partition has been read, its end at last."""
    head, events = bytes.fromhex(entry.head_hash), entry.events
    async for batch in log.read(entry.partition, entry.end_offset, end):
        for record in batch.records:
            if not is_event(record.key):
                continue
            if record.value is None:
                raise Undecodable(
                    f"a tombstone at partition {record.partition} offset {record.offset}"
                )
            head = next_head(head, record.offset, event_hash(record.value))
            events += 1
        yield HeadEntry(
            partition=entry.partition,
            end_offset=batch.next_offset,
            events=events,
            head_hash=head.hex(),
        )
