"""One line of an export: how it is written, and the hash chain of a partition's lines."""

import base64
import hashlib
from typing import Any

import orjson

from eventlog.codec import decode, event_hash, to_json
from eventlog.log import LogIdentity, StoredRecord

FORMAT = "orderlog-audit/1"
_OFFSET_BYTES = 8


def first_head(log: LogIdentity, partition: int) -> bytes:
    """Return the head of a partition without events: it names the log and the partition."""
    names = (FORMAT, log.cluster_id, log.topic, log.topic_id, str(partition))
    return hashlib.sha256("\n".join(names).encode()).digest()


def next_head(head: bytes, offset: int, value_hash: bytes) -> bytes:
    """Return the head after one more event: SHA-256 of head, offset (8 bytes big endian), hash."""
    return hashlib.sha256(head + offset.to_bytes(_OFFSET_BYTES, "big") + value_hash).digest()


def describe(record: StoredRecord) -> dict[str, Any]:
    """Return what a line says of one stored event, without `head`, in the order of the fields.

    Raises:
        Undecodable: this release cannot read the record; a newer one may.
    """
    recorded = decode(record)
    return {
        "partition": record.partition,
        "offset": record.offset,
        "hash": event_hash(recorded.value).hex(),
        **to_json(recorded),
        "stored": base64.b64encode(recorded.value).decode(),
    }


def written(described: dict[str, Any], head: bytes) -> bytes:
    """Return the bytes of a line, newline included; the same event always gives the same bytes."""
    return orjson.dumps({**described, "head": head.hex()}, option=orjson.OPT_APPEND_NEWLINE)
