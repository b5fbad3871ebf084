"""Facts become bytes and come back; what is no fact of this release is said, never guessed."""

from contextlib import suppress
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from domain.events import OrderAccepted
from domain.values import Actor
from eventlog import codec
from eventlog._gen.orders.v1.events_pb2 import Event
from eventlog.log import StoredRecord, Undecodable
from eventlog.upcasters import SCHEMA_VERSION, upcast

from .facts import ENVELOPES, EVENTS, any_of

ENVELOPE = codec.Envelope(
    "e-1",
    "default",
    "o-1",
    1,
    10,
    20,
    "k",
    bytes(32),
    "",
    "",
    "",
    Actor("user", "u"),
    bytes(32),
    0,
    1,
)


def stored(value: bytes | None, key: bytes = b"o-1/0000000001") -> StoredRecord:
    return StoredRecord(3, 17, 0, key, value)


@pytest.mark.parametrize("event_type", EVENTS.values(), ids=EVENTS)
def test_a_fact_comes_back_as_it_was(event_type):
    @given(ENVELOPES, any_of(event_type))
    def comes_back(envelope, event):
        value = codec.encode(envelope, event)
        key = codec.event_key(envelope.order_id, envelope.version)
        recorded = codec.decode(stored(value, key))

        assert recorded.event == event
        assert recorded.value == value
        for field in structs.fields(envelope):
            assert getattr(recorded, field.name) == getattr(envelope, field.name)

    comes_back()


@given(ENVELOPES, st.sampled_from(list(EVENTS.values())).flatmap(any_of))
def test_the_same_fact_gives_the_same_bytes(envelope, event):
    value = codec.encode(envelope, event)

    again = codec.decode(stored(value, codec.event_key(envelope.order_id, envelope.version)))

    assert codec.encode(envelope, again.event) == value


@given(st.binary(max_size=200))
def test_bytes_are_a_fact_or_are_refused(value):
    with suppress(Undecodable):
        assert codec.decode(stored(value)).value == value


def future() -> bytes:
    """An event whose body has a number that this release does not know."""
    message = Event(order_id="o-1", version=1, schema_version=SCHEMA_VERSION)
    return message.SerializeToString() + bytes([0xFA, 0xBB, 0x01, 0x00])  # field 3007, empty


@pytest.mark.parametrize(
    ("record", "said"),
    [
        pytest.param(stored(None), "a tombstone", id="tombstone"),
        pytest.param(stored(b"\xff\xff"), "not an orders.v1.Event", id="other bytes"),
        pytest.param(stored(b""), "no event type that this release knows", id="no bytes"),
        pytest.param(stored(future()), "deploy a release that knows it", id="unknown type"),
        pytest.param(
            stored(Event(schema_version=SCHEMA_VERSION + 1).SerializeToString()),
            f"schema version {SCHEMA_VERSION + 1}",
            id="later schema",
        ),
        pytest.param(
            stored(codec.encode(ENVELOPE, OrderAccepted()), b"o-1/0000000002"),
            "is not that of the event inside",
            id="another version's key",
        ),
        pytest.param(
            stored(codec.encode(ENVELOPE, OrderAccepted()), b"o-2/0000000001"),
            "is not that of the event inside",
            id="another order's key",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(record, said):
    with pytest.raises(Undecodable, match=said) as caught:
        codec.decode(record)

    assert "partition 3 offset 17" in str(caught.value)


def test_keys_are_never_shared_and_sort_by_version():
    keys = [codec.event_key("o-1", version) for version in (1, 2, 10, 9_999_999_999)]

    assert keys == sorted(keys)
    assert all(map(codec.is_event, keys))


def test_a_control_record_is_no_event():
    record = codec.ownership_record(5, epoch=7, node="n", acquired_at_us=1)

    assert not codec.is_event(record.key)
    assert codec.ownership_epoch(StoredRecord(5, 0, 0, record.key, record.value)) == 7


def test_a_damaged_ownership_record_is_said():
    with pytest.raises(Undecodable, match=r"not an orders\.v1\.Ownership"):
        codec.ownership_epoch(StoredRecord(5, 0, 0, b"owner/5", b"\xff"))


def test_headers_name_the_event_for_those_who_do_not_decode():
    found = dict(codec.headers(OrderAccepted(), "e-1", source="orderlog/dev", traceparent="00-a"))

    assert found == {
        "ce_type": b"OrderAccepted",
        "ce_id": b"e-1",
        "ce_source": b"orderlog/dev",
        "content-type": b"application/protobuf",
        "traceparent": b"00-a",
    }
    assert "traceparent" not in dict(
        codec.headers(OrderAccepted(), "e-1", source="orderlog/dev", traceparent=None)
    )


def test_every_fact_of_the_domain_has_a_case_in_the_schema_and_no_other():
    cases = {field.message_type.name for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields}

    assert cases == set(EVENTS)


@pytest.mark.parametrize("event_type", EVENTS.values(), ids=EVENTS)
def test_the_schema_has_the_fields_of_the_domain_in_both_directions(event_type):
    case = next(
        field
        for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
        if field.message_type.name == event_type.__name__
    )

    assert [f.name for f in case.message_type.fields] == [f.name for f in fields(event_type)]


def test_an_unset_option_is_not_an_empty_text():
    without = codec.encode(ENVELOPE, EVENTS["OrderCancelled"](None, 0, "EUR", "c"))
    empty = codec.encode(ENVELOPE, EVENTS["OrderCancelled"]("", 0, "EUR", "c"))

    assert without != empty
    assert codec.decode(stored(without)).event.reason is None
    assert codec.decode(stored(empty)).event.reason == ""


def test_upcasters_run_from_the_stored_version_upwards():
    message = Event(schema_version=SCHEMA_VERSION - 1)
    message.note_added.text = "old"

    def step(found: Event) -> None:
        found.note_added.text += ", made new"

    upcast(message, "note_added", {("note_added", SCHEMA_VERSION - 1): step})

    assert message.note_added.text == "old, made new"


def test_the_chain_names_stored_bytes():
    first = codec.encode(ENVELOPE, OrderAccepted())
    other = codec.encode(structs.replace(ENVELOPE, event_id="e-2"), OrderAccepted())

    assert len(codec.event_hash(first)) == 32
    assert codec.event_hash(first) != codec.event_hash(other)
