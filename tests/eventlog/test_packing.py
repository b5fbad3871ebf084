"""Orders that nobody asks for take few bytes, and come back as they were."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.commands import Accept, PlaceOrder, RequestAuthorisation
from domain.decide import DECIDER
from domain.order.state import Order
from domain.values import Line
from eventlog.bodies import EVENT_TYPES
from eventlog.state.packing import Packing, long_id, short_id
from eventlog.state.stream import Answered, Stream
from eventlog.state.streams import Streams
from eventlog.submission import EventRef

from .facts import TEXT, TIME, any_of

PACKING = Packing(DECIDER.initial, EVENT_TYPES)
BYTES_PER_ORDER_MAX = 260
"""Of an order with one line and one event; three hashes and two UUIDs are 128 of them."""

HASH = st.binary(min_size=32, max_size=32)
IDS = st.one_of(TEXT, st.uuids().map(str))


@st.composite
def streams(draw) -> Stream[Order]:
    refs = draw(st.lists(st.tuples(IDS, st.sampled_from(EVENT_TYPES)), max_size=4))
    known = st.builds(Answered, HASH, st.integers(1, 9), st.integers(1, 9))
    return Stream(
        draw(any_of(Order)),
        len(refs),
        draw(HASH),
        draw(TIME),
        draw(TIME),
        tuple(EventRef(one, kind, place) for place, (one, kind) in enumerate(refs, 1)),
        draw(st.dictionaries(IDS, known, max_size=3)),
        draw(st.booleans()),
    )


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(streams())
def test_a_packed_order_comes_back_as_it_was(stream):
    assert PACKING.unpack(PACKING.pack(stream)) == stream


@given(IDS)
def test_an_id_comes_back_in_its_own_spelling(text):
    assert long_id(short_id(text)) == text


@pytest.mark.parametrize("text", [str(uuid.UUID(int=5)), str(uuid.UUID(int=5)).upper(), "a-b", ""])
def test_only_a_uuid_in_its_usual_spelling_is_shortened(text):
    assert (len(short_id(text)) == 17) == (text == str(uuid.UUID(int=5)))


def placed(number: int) -> Stream[Order]:
    """What the writer holds of an order that was placed."""
    state = DECIDER.initial
    for event in DECIDER.decide(state, PlaceOrder(f"c-{number}", "EUR", (Line("A-1", 2, 1299),))):
        state = DECIDER.evolve(state, event)
    return Stream(
        state,
        1,
        uuid.uuid5(uuid.NAMESPACE_OID, f"h{number}").bytes * 2,
        1_790_000_000_000_000 + number,
        number,
        (EventRef(str(uuid.uuid5(uuid.NAMESPACE_OID, f"e{number}")), "OrderPlaced", 1),),
        {
            str(uuid.uuid5(uuid.NAMESPACE_OID, f"k{number}")): Answered(
                uuid.uuid5(uuid.NAMESPACE_OID, f"f{number}").bytes * 2, 1, 1
            )
        },
    )


def test_an_order_takes_few_bytes():
    sizes = [len(PACKING.pack(placed(number))) for number in range(200)]

    assert max(sizes) <= BYTES_PER_ORDER_MAX


def test_only_the_orders_used_last_are_kept_unpacked():
    kept = Streams(Stream(DECIDER.initial), PACKING, hot_max=3)
    for number in range(10):
        kept.put(f"o-{number}", placed(number), number)

    assert kept.get("o-2") == placed(2)
    assert list(kept._hot) == ["o-8", "o-9", "o-2"]
    assert len(kept) == 10
    assert [kept.get(f"o-{number}") for number in range(10)] == [placed(n) for n in range(10)]
    assert len(kept) == 10


def test_a_changed_order_replaces_its_packed_form():
    kept = Streams(Stream(DECIDER.initial), PACKING, hot_max=1)
    kept.put("o-1", placed(1), 1)
    kept.put("o-2", placed(2), 2)
    changed = replace(placed(1), version=2)
    kept.put("o-1", changed, 3)
    kept.put("o-3", placed(3), 4)

    assert kept.get("o-1") == changed
    assert len(kept) == 3


def test_a_life_is_folded_alike_packed_or_not():
    """The rules see no difference between a state and the one that was packed in between."""
    plain = packed = placed(1)
    for command in (Accept(), RequestAuthorisation("p", 100, None)):
        for event in DECIDER.decide(plain.state, command):
            plain = replace(plain, state=DECIDER.evolve(plain.state, event))
        again = PACKING.unpack(PACKING.pack(packed))
        for event in DECIDER.decide(again.state, command):
            packed = replace(again, state=DECIDER.evolve(again.state, event))

    assert packed == plain


def test_orders_that_begin_together_change_one_bucket():
    assert len(begun([placed(number) for number in range(100)]).changed) == 1


def test_no_bucket_is_too_large_to_be_saved_whatever_comes_after_whatever():
    """Small orders, then large ones at once, none of which was packed before."""
    lines = tuple(Line(f"{uuid.uuid4()}", 1, 1) for _ in range(300))
    (event,) = DECIDER.decide(DECIDER.initial, PlaceOrder("c-1", "EUR", lines))
    large = replace(placed(1), state=DECIDER.evolve(DECIDER.initial, event))
    kept = begun([*(placed(number) for number in range(100)), *[large] * 300])

    sizes = []
    while kept.changed:
        sizes += [sum(map(len, bucket.values())) for bucket in kept.take(1).values()]

    assert len(PACKING.pack(large)) > 10_000
    assert max(sizes) < 200_000


def begun(orders: list[Stream[Order]]) -> Streams[Order]:
    kept = Streams(Stream(DECIDER.initial), PACKING, hot_max=1_000)
    for number, order in enumerate(orders):
        kept.put(f"o-{number}", order, number)
    return kept
