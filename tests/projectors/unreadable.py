"""Records that this release cannot read, each in its own way."""

from eventlog import codec
from eventlog._gen.orders.v1.events_pb2 import Event
from eventlog.log import Record
from eventlog.upcasters import SCHEMA_VERSION

PARTITION = 1
UNKNOWN_BODY = bytes([0xFA, 0xBB, 0x01, 0x00])  # Field 3007, which no release has, and empty.
ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
KEY = codec.event_key(ORDER, 1)


def envelope(**more) -> bytes:
    return Event(
        order_id=ORDER, version=1, **{"schema_version": SCHEMA_VERSION, **more}
    ).SerializeToString()


def under_another_key(record: Record) -> Record:
    return Record(KEY, record.value)


def of_the_next_release(record: Record) -> Record:
    message = Event.FromString(record.value)
    message.schema_version = SCHEMA_VERSION + 1
    return Record(record.key, message.SerializeToString(deterministic=True))


UNKNOWN = Record(KEY, envelope() + UNKNOWN_BODY)
UNREADABLE = {
    "unknown type": (UNKNOWN, "deploy a release that knows it"),
    "later schema": (
        Record(KEY, envelope(schema_version=SCHEMA_VERSION + 1) + UNKNOWN_BODY),
        "deploy a newer release",
    ),
    "other bytes": (Record(KEY, b"\xff\xfe"), "not an orders.v1.Event"),
    "no bytes": (Record(KEY, b""), "holds no event type"),
    "tombstone": (Record(KEY, None), "tombstone"),
    "another key": (under_another_key, "is not that of the event inside"),
}


def hostile(order_id: str = ORDER, **more) -> Record:
    """An event that reads well, under its own key, with values that Postgres cannot hold."""
    message = Event(order_id=order_id, version=1, schema_version=SCHEMA_VERSION, **more)
    message.order_accepted.SetInParent()
    return Record(codec.event_key(order_id, 1), message.SerializeToString())


HOSTILE = {
    "no text": Record(b"\xff", b"\xff"),
    "no key": Record(b"", b"\xff"),
    "NUL in the key": Record(b"a\x00b/0000000001", b"\xff"),
    "a key of 5,000 bytes": Record(b"a" * 5_000 + b"/0000000001", b"\xff"),
    "a key without a UUID": Record(b"order-1/0000000001", b"\xff"),
    "NUL in the order id": hostile("a\x00b"),
    "an order id of 5,000 characters": hostile("a" * 5_000),
    "an order id that is no UUID": hostile("order-1"),
    "recorded after the year 9999": hostile(recorded_at_us=2**62),
    "recorded before the year 1": hostile(recorded_at_us=-(2**62)),
    "happened after the year 9999": hostile(occurred_at_us=2**62),
    "NUL in a name": hostile(correlation_id="a\x00b"),
}
"""What a foreign producer may write: none of it may stop more than itself."""
