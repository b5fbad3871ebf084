"""The access log read back: one entry per access, and whether the chain of its records holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from audit.access.log import BEGUN, FIRST_PREV_HASH, hash_of
from eventlog.log import EventLog, StoredRecord


@dataclass(frozen=True, slots=True)
class Trail:
    """What the access log holds: its records as JSON-ready data, and what is wrong with them."""

    entries: tuple[dict[str, Any], ...]
    records: int
    head: str
    findings: tuple[str, ...]


async def trail(log: EventLog) -> Trail:
    """Read the whole access log and check its chain.

    Raises:
        LogUnavailable, TopicMismatch: it cannot be read now.
        IntegrityError: its first records are gone.
    """
    records: list[StoredRecord] = []
    async for batch in log.read(0, 0, await log.end(0)):
        records += batch.records
    return checked(records)


def checked(records: Iterable[StoredRecord]) -> Trail:
    """Merge the records of each access into one entry, oldest first, and check the chain.

    The state of an entry that has no end is `begun`: it is going on, or its process was killed.
    """
    head, number = FIRST_PREV_HASH, 0
    entries: dict[str, dict[str, Any]] = {}
    findings: list[str] = []
    for number, record in enumerate(records, 1):  # noqa: B007 - their number is needed after it
        said = _said(record)
        if said is None:
            findings.append(f"offset {record.offset}: it is no record of an access")
        else:
            if said["prev_hash"] != head.hex():
                findings.append(
                    f"offset {record.offset}: `prev_hash` is not the hash of the record before: "
                    "one was changed, removed or inserted here"
                )
            _merge(entries, said)
        head = hash_of(record)
    return Trail(tuple(entries.values()), number, head.hex(), tuple(findings))


def _said(record: StoredRecord) -> dict[str, Any] | None:
    """Return what a record says, when it is one of ours."""
    try:
        said = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return None
    needed = {"access_id": str, "state": str, "at_us": int, "prev_hash": str}
    if not isinstance(said, dict) or any(
        type(said.get(name)) is not kind for name, kind in needed.items()
    ):
        return None
    return said


def _merge(entries: dict[str, dict[str, Any]], said: Mapping[str, Any]) -> None:
    if said["state"] == BEGUN:
        entries[said["access_id"]] = {
            "access_id": said["access_id"],
            "begun_at_us": said["at_us"],
            "actor": said.get("actor"),
            "how": said.get("how"),
            "what": said.get("what"),
            "state": BEGUN,
            "ended_at_us": None,
            "events": None,
        }
    elif said["access_id"] in entries:
        entries[said["access_id"]] |= {
            "state": said["state"],
            "ended_at_us": said["at_us"],
            "events": said.get("events"),
        }
