"""What holds after any history of paying, shipping and cancelling, counted from its events."""

from collections import Counter
from contextlib import suppress
from functools import reduce
from typing import NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import (
    Accept,
    AddNote,
    Cancel,
    CancelLines,
    CreateShipment,
    DispatchShipment,
    OrderCommand,
    PlaceOrder,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordCapture,
    RecordDelivery,
    Reject,
    RequestAuthorisation,
    RequestCapture,
)
from domain.decide import decide
from domain.errors import OrderExists, Refused, Rejected
from domain.events import (
    CaptureRequested,
    LinesCancelled,
    NoteAdded,
    OrderCancelled,
    OrderEvent,
    OrderRejected,
    PaymentAuthorisationFailed,
    PaymentAuthorised,
    PaymentCaptured,
    ShipmentCreated,
    ShipmentDispatched,
)
from domain.order import Order, ShipmentStage, evolve
from domain.values import INT64_MAX, Discount, Line, LineQuantity, Shipping

PLACE = PlaceOrder(
    "c-1",
    "EUR",
    (Line("A", 3, 333), Line("B", 2, 500)),
    (Discount("d", 100, None),),
    Shipping("standard", 490),
)
FACTS = (PaymentAuthorised, PaymentAuthorisationFailed, PaymentCaptured)
RECORDS = (RecordAuthorisation, RecordAuthorisationFailure, RecordCapture)

PAYMENT = st.sampled_from(["p-1", "p-2"])
CAPTURE = st.sampled_from(["k-1", "k-2", "k-3"])
REFERENCE = st.sampled_from(["r-1", "r-2", "r-3"])
SHIPMENT = st.sampled_from(["s-1", "s-2", "s-3"])
MONEY = st.sampled_from([500, 1000, 2000, 2389, INT64_MAX])
LINES = st.lists(
    st.builds(LineQuantity, st.sampled_from(["1", "2"]), st.integers(1, 3)),
    min_size=1,
    max_size=2,
).map(tuple)
TEXT = st.sampled_from(["a", "b"])

ARGUMENTS = {
    Accept: (),
    Reject: (TEXT,),
    RequestAuthorisation: (PAYMENT, MONEY),
    RecordAuthorisation: (PAYMENT, REFERENCE, MONEY),
    RecordAuthorisationFailure: (PAYMENT, REFERENCE, TEXT),
    RequestCapture: (PAYMENT, CAPTURE, MONEY),
    RecordCapture: (PAYMENT, CAPTURE, REFERENCE, MONEY),
    CreateShipment: (SHIPMENT, LINES),
    DispatchShipment: (SHIPMENT,),
    RecordDelivery: (SHIPMENT,),
    CancelLines: (LINES,),
    Cancel: (),
    AddNote: (st.sampled_from(["n-1", "n-2"]), TEXT),
}
COMMANDS = st.one_of(*(st.builds(command, *parts) for command, parts in ARGUMENTS.items()))


class Step(NamedTuple):
    before: Order
    command: OrderCommand
    events: list[OrderEvent]
    after: Order
    refusal: Refused | None = None


@st.composite
def histories(draw) -> list[Step]:
    """A placed, mostly accepted, order and up to 30 commands on it."""
    commands = draw(st.lists(COMMANDS, max_size=30))
    opening = [PLACE, Accept()] if draw(st.integers(0, 3)) else [PLACE]
    return run([*opening, *commands])


def run(commands) -> list[Step]:
    steps, state = [], Order()
    for command in commands:
        try:
            events, refusal = decide(state, command), None
        except Refused as error:
            events, refusal = [], error
        before = state
        for event in events:
            state = evolve(state, event)
        steps.append(Step(before, command, events, state, refusal))
    return steps


def history(steps):
    return [event for step in steps for event in step.events]


examples = settings(max_examples=150, deadline=None)


@given(histories())
@examples
def test_a_retry_adds_nothing(steps):
    """Two pieces and again two pieces are four: only cancelling pieces is no retry by itself."""
    for step in steps:
        if not step.events or isinstance(step.command, CancelLines):
            continue
        if isinstance(step.command, PlaceOrder):
            with pytest.raises(OrderExists):
                decide(step.after, step.command)
        else:
            assert decide(step.after, step.command) == []


@given(histories())
@examples
def test_a_late_retry_adds_nothing_either(steps):
    """What carries an id, or a PSP's reference, is known for the life of the order."""
    with_an_id = (
        *RECORDS, RequestAuthorisation, RequestCapture, CreateShipment, DispatchShipment,
        RecordDelivery, AddNote,
    )  # fmt: skip
    final = steps[-1].after
    for step in steps:
        if step.events and isinstance(step.command, with_an_id):
            assert decide(final, step.command) == []


@given(histories())
@examples
def test_money_is_in_one_currency_and_fits(steps):
    """I1, and the value of what was cancelled adds up (I2)."""
    placed, *rest = history(steps)
    final = steps[-1].after
    cancelled = [e for e in rest if isinstance(e, LinesCancelled | OrderCancelled)]

    assert {getattr(event, "currency", "EUR") for event in rest} <= {placed.currency}
    assert final.total_minor == placed.total_minor
    assert 0 <= final.cancelled_minor == sum(e.amount_minor for e in cancelled)
    assert final.cancelled_minor <= final.total_minor
    assert max(final.authorised_minor, final.captured_minor) <= INT64_MAX
    if any(isinstance(event, OrderCancelled) for event in cancelled):
        assert final.cancelled_minor == final.total_minor


@given(histories())
@examples
def test_no_piece_is_used_twice(steps):
    """I4, counted from the events."""
    events = history(steps)
    cancelled, shipped = Counter(), Counter()
    for event in events:
        if isinstance(event, LinesCancelled):
            cancelled.update({line.line_id: line.quantity for line in event.lines})
        if isinstance(event, ShipmentCreated):
            shipped.update({line.line_id: line.quantity for line in event.lines})

    for line in events[0].lines:
        assert 0 <= cancelled[line.line_id] + shipped[line.line_id] <= line.quantity
    for step in steps[1:]:
        for line_id, line in step.after.lines.items():
            assert 0 <= line.cancelled + step.after.in_shipments(line_id) <= line.ordered


@given(histories())
@examples
def test_no_more_is_asked_for_than_was_set_aside(steps):
    """I8, and each capture id is asked for once (I10), counted from the events."""
    for index, event in enumerate(events := history(steps)):
        if not isinstance(event, CaptureRequested):
            continue
        earlier = [e for e in events[:index] if getattr(e, "payment_id", "") == event.payment_id]
        taken = [e for e in earlier if isinstance(e, PaymentCaptured)]
        told = {e.capture_id for e in taken}
        asked = [e for e in earlier if isinstance(e, CaptureRequested) and e.capture_id not in told]
        authorised = [e for e in earlier if isinstance(e, PaymentAuthorised)]

        assert sum(e.amount_minor for e in [event, *taken, *asked]) <= sum(
            e.amount_minor for e in authorised
        )
        assert event.capture_id not in {
            e.capture_id for e in events[:index] if isinstance(e, CaptureRequested)
        }


@given(histories())
@examples
def test_a_psp_fact_is_recorded_once_and_never_turned_away(steps):
    """I9 and I11; refused is only another amount under a known reference, or one beyond int64."""
    facts = [
        (type(event), event.payment_id, event.psp_reference)
        for event in history(steps)
        if isinstance(event, FACTS)
    ]

    assert len(facts) == len(set(facts))
    for step in steps:
        if isinstance(step.command, RECORDS) and step.refusal is not None:
            assert isinstance(step.refusal, Rejected)
            assert step.refusal.rule in {"psp-reference-reused", "amount-overflow"}


@given(histories())
@examples
def test_an_ended_order_takes_only_late_facts_and_notes(steps):
    """I16; with I12 nothing leaves any more, with I13 nothing had left."""
    events = history(steps)
    ends = [i for i, e in enumerate(events) if isinstance(e, OrderRejected | OrderCancelled)]
    if not ends:
        return
    [end] = ends

    assert not any(isinstance(event, ShipmentDispatched) for event in events)
    assert all(isinstance(event, (*FACTS, NoteAdded)) for event in events[end + 1 :])
    stages = {shipment.stage for shipment in steps[-1].after.shipments.values()}
    assert stages <= {ShipmentStage.ENDED}


@given(st.lists(st.one_of(*(st.from_type(event) for event in get_args(OrderEvent))), max_size=8))
@settings(max_examples=60, deadline=None)
def test_evolve_takes_any_fact(events):
    """Facts that no rule would ever have let through fold too, the same way each time."""
    assert fold_all(events) == fold_all(events)


@given(histories(), st.data())
@settings(max_examples=100, deadline=None)
def test_evolve_takes_facts_in_any_order_and_twice(steps, data):
    """On whatever comes out a decision can be made."""
    events = data.draw(st.permutations(history(steps) * 2))
    state = fold_all(events[: data.draw(st.integers(0, len(events)))])

    for command in data.draw(st.lists(COMMANDS, min_size=5, max_size=10)):
        with suppress(Refused):
            decide(state, command)


def fold_all(events):
    return reduce(evolve, events, Order())
