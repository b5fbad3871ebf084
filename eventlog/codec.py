"""Bytes <-> facts. The only place that knows both the Protobuf schema and the domain's events."""

import hashlib
import re
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError
from msgspec import Struct

from domain.events import OrderEvent, Recorded
from domain.values import Actor
from eventlog import bodies
from eventlog._gen.orders.v1.events_pb2 import Event, Ownership
from eventlog.log import Record, StoredRecord, Undecodable
from eventlog.upcasters import SCHEMA_VERSION, upcast

FIRST_PREV_HASH = bytes(32)
_OWNER_PREFIX = b"owner/"
_KEY = re.compile(rb"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/[0-9]{10}")
_CONTENT_TYPE = ("content-type", b"application/protobuf")


class Envelope(Struct, frozen=True):
    """Position and provenance of an event that is about to be stored."""

    event_id: str
    tenant_id: str
    order_id: str
    version: int
    occurred_at_us: int
    recorded_at_us: int
    command_id: str
    fingerprint: bytes
    correlation_id: str
    causation_id: str
    reason: str
    actor: Actor
    prev_hash: bytes
    command_index: int
    command_size: int


def event_hash(value: bytes) -> bytes:
    """Return the SHA-256 of stored bytes: the next event of the order names it `prev_hash`."""
    return hashlib.sha256(value).digest()


def event_key(order_id: str, version: int) -> bytes:
    """Return the record key; no two events share one, so compaction never removes an event."""
    return b"%s/%010d" % (order_id.encode(), version)


def order_of(key: bytes) -> str | None:
    """Return the order that an event's key names; None: it names none, and is not ours."""
    found = _KEY.fullmatch(key)
    return found[1].decode() if found else None


def is_event(key: bytes) -> bool:
    """Tell events of orders from control records such as ownership."""
    return not key.startswith(_OWNER_PREFIX)


def encode(envelope: Envelope, event: OrderEvent) -> bytes:
    """Return the stored bytes of one fact; the same fact always gives the same bytes."""
    field = bodies.field_of(event)
    message = Event(
        event_id=envelope.event_id,
        tenant_id=envelope.tenant_id,
        order_id=envelope.order_id,
        version=envelope.version,
        occurred_at_us=envelope.occurred_at_us,
        recorded_at_us=envelope.recorded_at_us,
        command_id=envelope.command_id,
        fingerprint=envelope.fingerprint,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        reason=envelope.reason,
        prev_hash=envelope.prev_hash,
        schema_version=SCHEMA_VERSION,
        command_index=envelope.command_index,
        command_size=envelope.command_size,
    )
    message.actor.kind = envelope.actor.kind
    message.actor.id = envelope.actor.id
    bodies.write(message, field, event)
    return message.SerializeToString(deterministic=True)


def headers(
    event: OrderEvent, event_id: str, *, source: str, traceparent: str | None
) -> tuple[tuple[str, bytes], ...]:
    """Return the record headers for consumers that route without decoding (CloudEvents names)."""
    basic = (
        ("ce_type", type(event).__name__.encode()),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        _CONTENT_TYPE,
    )
    return (*basic, ("traceparent", traceparent.encode())) if traceparent else basic


def decode(record: StoredRecord) -> Recorded:
    """Return the fact in `record`, brought to today's shape.

    Raises:
        Undecodable: a tombstone, foreign bytes, an event of a later release, or a key that is not
            the event's own. Stop or park the order; a newer release may read it.
    """
    message = _parse(record)
    field = message.WhichOneof("body")
    if field is None:
        raise _undecodable(
            record,
            "it holds no event type that this release knows: deploy a release that knows it",
        )
    if record.key != event_key(message.order_id, message.version):
        raise _undecodable(record, f"its key {record.key!r} is not that of the event inside")
    if message.schema_version != SCHEMA_VERSION:
        upcast(message, field)
    value, actor = record.value or b"", message.actor
    return Recorded(
        record.partition,
        record.offset,
        message.event_id,
        message.tenant_id,
        message.order_id,
        message.version,
        message.occurred_at_us,
        message.recorded_at_us,
        message.command_id,
        message.fingerprint,
        message.correlation_id,
        message.causation_id,
        message.reason,
        _actor(actor.kind, actor.id),
        message.prev_hash,
        message.command_index,
        message.command_size,
        bodies.read(message, field),
        value,
    )


@lru_cache(maxsize=1_024)
def _actor(kind: str, actor_id: str) -> Actor:
    """Few act, again and again: one object each."""
    return Actor(kind, actor_id)


def _parse(record: StoredRecord) -> Event:
    if record.value is None:
        raise _undecodable(record, "it is a tombstone, which orderlog never writes")
    try:
        message = Event.FromString(record.value)
    except DecodeError as error:
        raise _undecodable(record, "its bytes are not an orders.v1.Event") from error
    if message.schema_version > SCHEMA_VERSION:
        raise _undecodable(
            record,
            f"it has schema version {message.schema_version}, this release reads up to "
            f"{SCHEMA_VERSION}: deploy a newer release",
        )
    return message


def _undecodable(record: StoredRecord, why: str) -> Undecodable:
    return Undecodable(
        f"cannot read the record at partition {record.partition} offset {record.offset}: {why}"
    )


def descriptors() -> bytes:
    """Return the schema of the stored bytes: a `google.protobuf.FileDescriptorSet`."""
    described = FileDescriptorSet()
    Event.DESCRIPTOR.file.CopyToProto(described.file.add())
    return described.SerializeToString(deterministic=True)


def ownership_record(partition: int, *, epoch: int, node: str, acquired_at_us: int) -> Record:
    """Return the record that marks in the log who owns `partition` from here on."""
    value = Ownership(epoch=epoch, node=node, acquired_at_us=acquired_at_us)
    return Record(b"%s%d" % (_OWNER_PREFIX, partition), value.SerializeToString(deterministic=True))


def ownership_epoch(record: StoredRecord) -> int:
    """Return the epoch of an ownership record; 0 for other control records."""
    if record.value is None or not record.key.startswith(_OWNER_PREFIX):
        return 0
    try:
        return Ownership.FromString(record.value).epoch
    except DecodeError as error:
        raise _undecodable(record, "its bytes are not an orders.v1.Ownership") from error


def to_json(recorded: Recorded) -> dict[str, Any]:
    """Return the decoded event as JSON-ready data: envelope, type, and `data` with its body.

    Times stay integers of microseconds UTC, hashes are hexadecimal.
    """
    return {
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
        "actor": {"kind": recorded.actor.kind, "id": recorded.actor.id},
        "prev_hash": recorded.prev_hash.hex(),
        "command_index": recorded.command_index,
        "command_size": recorded.command_size,
        "data": bodies.to_json(recorded.event),
    }
