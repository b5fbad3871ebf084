"""One event of an export: what is said of it, in which order, and the hash chain of a partition."""

import hashlib
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from domain.events import Recorded
from eventlog.codec import decode, event_hash, event_key
from eventlog.log import LogIdentity, StoredRecord

FORMAT: Final = "orderlog-audit/1"
COLUMNS = {
    "partition": int,
    "offset": int,
    "hash": str,
    "event_id": str,
    "type": str,
    "tenant_id": str,
    "order_id": str,
    "version": int,
    "occurred_at_us": int,
    "recorded_at_us": int,
    "command_id": str,
    "fingerprint": str,
    "correlation_id": str,
    "causation_id": str,
    "reason": str,
    "actor_kind": str,
    "actor_id": str,
    "prev_hash": str,
    "command_index": int,
    "command_size": int,
    "data": str,
    "stored": bytes,
    "head": str,
}
"""The fields of an event in CSV and Parquet, in their order; in JSON the actor is one object."""
_OFFSET_BYTES = 8
_in_order = itemgetter(*COLUMNS)


class EventLine(NamedTuple):
    """One event with the hash of its stored bytes and the head of its partition after it."""

    recorded: Recorded
    hash: bytes
    head: bytes


def first_head(log: LogIdentity, partition: int) -> bytes:
    """Return the head of a partition without events: it names the log and the partition."""
    names = (FORMAT, log.cluster_id, log.topic, log.topic_id, str(partition))
    return hashlib.sha256("\n".join(names).encode()).digest()


def next_head(head: bytes, offset: int, value_hash: bytes) -> bytes:
    """Return the head after one more event: SHA-256 of head, offset (8 bytes big endian), hash."""
    return hashlib.sha256(head + offset.to_bytes(_OFFSET_BYTES, "big") + value_hash).digest()


def leaf(partition: int, offset: int, value_hash: bytes) -> bytes:
    """Return what the Merkle tree of an export holds of one event: its place and its hash."""
    return (
        partition.to_bytes(_OFFSET_BYTES, "big")
        + offset.to_bytes(_OFFSET_BYTES, "big")
        + value_hash
    )


def restored(
    place: tuple[int, int], named: tuple[str, int], stored: bytes, head: bytes
) -> EventLine:
    """Return the line of stored bytes; `place` is partition and offset, `named` order and version.

    Raises:
        Undecodable: the bytes are not the event that is named.
    """
    recorded = decode(StoredRecord(*place, 0, event_key(*named), stored))
    return EventLine(recorded, event_hash(stored), head)


def described(line: EventLine) -> dict[str, Any]:
    """Return what is said of an event, but for `stored` and `head`, in the order of the fields.

    `data` is the event itself, which `orjson` writes as its fields.
    """
    recorded = line.recorded
    return {
        "partition": recorded.partition,
        "offset": recorded.offset,
        "hash": line.hash.hex(),
        "event_id": recorded.event_id,
        "type": recorded.type,
        "tenant_id": recorded.tenant_id,
        "order_id": recorded.order_id,
        "version": recorded.version,
        "occurred_at_us": recorded.occurred_at_us,
        "recorded_at_us": recorded.recorded_at_us,
        "command_id": recorded.command_id,
        "fingerprint": recorded.fingerprint.hex(),
        "correlation_id": recorded.correlation_id,
        "causation_id": recorded.causation_id,
        "reason": recorded.reason,
        "actor": recorded.actor,
        "prev_hash": recorded.prev_hash.hex(),
        "command_index": recorded.command_index,
        "command_size": recorded.command_size,
        "data": recorded.event,
    }


def row(line: EventLine) -> tuple[Any, ...]:
    """Return the same as values of `COLUMNS`; `data` is JSON text, `stored` is bytes."""
    said = described(line)
    actor = said["actor"]
    said["actor_kind"] = actor.kind
    said["actor_id"] = actor.id
    said["data"] = orjson.dumps(said["data"]).decode()
    said["stored"] = line.recorded.value
    said["head"] = line.head.hex()
    values: tuple[Any, ...] = _in_order(said)
    return values
