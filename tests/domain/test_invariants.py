"""What holds after any history of all commands, most of them refused, on one order."""

from contextlib import suppress
from dataclasses import fields
from functools import reduce
from types import NoneType
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import commands, events
from domain.commands import OrderCommand
from domain.decide import decide
from domain.errors import NoSuchOrder, OrderExists, Refused
from domain.order import AmendmentStage, Order, ReturnStage, evolve
from domain.statuses import Lifecycle
from domain.values import (
    INT64_MAX,
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    Line,
    LineQuantity,
    ReceivedLine,
    RepricedLine,
    Shipping,
    Tax,
)

ALL = get_args(OrderCommand)
BEGINNINGS = (commands.PlaceOrder, commands.CreateDraft, commands.ImportOrder)
BY_COMMAND_ID = (
    commands.CancelLines,
    commands.RecordAllocation,
    commands.RecordBackorder,
    commands.ReceiveReturnItems,
)
"""Commands without an id of their own: their retry is known by the command id alone."""
ALWAYS_TAKEN = (
    events.PaymentAuthorised,
    events.PaymentAuthorisationFailed,
    events.PaymentAuthorisationExpired,
    events.PaymentVoided,
    events.PaymentCaptured,
    events.CaptureFailed,
    events.RefundCompleted,
    events.RefundFailed,
    events.ChargebackRecorded,
    events.NoteAdded,
    events.ContactCorrected,
    events.CustomerDataErased,
    events.OrderHoldReleased,
    events.OrderArchived,
)
ENDS = (
    events.OrderRejected,
    events.OrderExpired,
    events.OrderCancelled,
    events.OrderCompleted,
)

LINE_ID = st.sampled_from(["1", "2"])
COUNT = st.integers(1, 3)
BY_NAME = {
    "currency": st.just("EUR"),
    "quantity": COUNT,
    "unit_price_minor": st.sampled_from([0, 333, 500]),
    "price_minor": st.just(490),
    "amount_minor": st.sampled_from([100, 500, 1000, 1999]),
    "expires_at_us": st.just(1),
    "line_id": LINE_ID,
    "sku": st.just("A"),
    "lifecycle": st.sampled_from(["PLACED", "ACCEPTED", "COMPLETED", "CANCELLED"]),
}
IDS = st.sampled_from(["a", "b"])
VALUES = {
    str: IDS,
    int: COUNT,
    Line: st.builds(Line, st.just("A"), COUNT, BY_NAME["unit_price_minor"]),
    LineQuantity: st.builds(LineQuantity, LINE_ID, COUNT),
    Discount: st.builds(Discount, IDS, st.just(7), st.none()),
    Shipping: st.just(Shipping("s", 490)),
    Contact: st.builds(Contact, IDS, st.just(""), st.just("")),
    Address: st.builds(lambda name: Address(name, ("x",), "", "B", "", "DE"), IDS),
    Tax: st.just(Tax("V", "0.1", 11, included=False)),
    RepricedLine: st.builds(RepricedLine, LINE_ID, BY_NAME["unit_price_minor"]),
    ReceivedLine: st.builds(ReceivedLine, LINE_ID, COUNT, IDS, st.booleans()),
    ImportedLine: st.builds(
        ImportedLine, LINE_ID, st.integers(0, 1), st.integers(0, 2), st.just(0)
    ),
    ImportedPayment: st.builds(
        ImportedPayment, IDS, IDS, st.none(), st.just(900), st.just(600), st.just(100)
    ),
}


def field(name, kind):
    if name in BY_NAME and NoneType not in get_args(kind):
        return BY_NAME[name]
    arms = [arm for arm in get_args(kind) if arm is not NoneType]
    if len(arms) == 2 and arms[1] is Ellipsis:
        return st.lists(VALUES[arms[0]], min_size=name == "lines", max_size=2).map(tuple)
    if arms:
        return st.one_of(st.none(), BY_NAME.get(name, VALUES[arms[0]]))
    return VALUES[kind]


def commands_of(kind):
    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: field(f.name, hints[f.name]) for f in fields(kind)})


COMMANDS = st.one_of(*(commands_of(kind) for kind in ALL if kind not in BEGINNINGS))
PIECES = (LineQuantity("1", 2),)
DELIVERED = [
    commands.Accept(),
    commands.RecordAuthorisation("a", "a", 1999),
    commands.RecordCapture("a", "a", "a", 1999),
    commands.CreateShipment("a", PIECES),
    commands.DispatchShipment("a"),
    commands.RecordDelivery("a"),
]
OPENINGS = st.one_of(
    st.builds(
        lambda lines: [commands.PlaceOrder("c", "EUR", lines)],
        st.lists(VALUES[Line], min_size=1, max_size=2).map(tuple),
    ),
    st.just([commands.PlaceOrder("c", "EUR", (Line("A", 3, 333), Line("B", 2, 500))), *DELIVERED]),
    st.builds(lambda line: [commands.CreateDraft("c", "EUR"), line], commands_of(commands.AddLine)),
    commands_of(commands.ImportOrder).map(lambda command: [command]),
)


@st.composite
def histories(draw):
    """The steps of one order: (before, command, events, after)."""
    sent = [*draw(OPENINGS), *draw(st.lists(COMMANDS, max_size=30))]
    steps, state = [], Order()
    for command in sent:
        try:
            made = decide(state, command)
        except Refused:
            continue
        after = reduce(evolve, made, state)
        steps.append((state, command, made, after))
        state = after
    return steps


examples = settings(max_examples=200, deadline=None)


@given(histories())
@examples
def test_a_retry_adds_nothing(steps):
    for _, command, made, after in steps:
        is_nameless = isinstance(command, commands.AddLine) and command.line_id is None
        if not made or isinstance(command, BY_COMMAND_ID) or is_nameless:
            continue
        if isinstance(command, BEGINNINGS):
            with pytest.raises(OrderExists):
                decide(after, command)
        else:
            assert decide(after, command) == []


@given(histories())
@examples
def test_pieces_and_money_add_up(steps):
    """I1, I2, I4, I7."""
    for _, _, _, after in steps:
        shipping = after.total_minor - sum(line.placed.total_minor for line in after.lines.values())
        assert after.lifecycle is Lifecycle.DRAFT or shipping in {0, 490}
        assert all(-INT64_MAX <= amount <= INT64_MAX for amount in after.money)
        assert after.cancelled_minor + after.returned_minor <= after.total_minor
        for line_id, line in after.lines.items():
            assert 0 <= line.cancelled + after.in_shipments(line_id) <= line.ordered
            assert 0 <= line.returned <= after.delivered(line_id) <= after.in_shipments(line_id)
        stages = [amendment.stage for amendment in after.amendments.values()]
        assert stages.count(AmendmentStage.OPEN) <= 1


@given(histories())
@examples
def test_nothing_leaves_a_held_or_ended_order(steps):
    """I12, I13, I16: an end is for good."""
    has_left = is_ended = False
    for before, _, made, _ in steps:
        for event in made:
            if isinstance(event, events.ShipmentDispatched):
                assert not before.is_held
                assert before.lifecycle is Lifecycle.ACCEPTED
                has_left = True
            assert not (isinstance(event, events.OrderCancelled) and has_left)
            allowed = (*ALWAYS_TAKEN, events.RefundRequested)
            assert not is_ended or isinstance(event, allowed)
            is_ended = is_ended or isinstance(event, ENDS)


@given(histories())
@examples
def test_a_completed_order_has_nothing_open(steps):
    """I15."""
    for before, _, made, _ in steps:
        if not any(isinstance(event, events.OrderCompleted) for event in made):
            continue
        open_returns = {ReturnStage.REQUESTED, ReturnStage.APPROVED}
        assert not before.is_held
        assert before.open_amendment is None
        assert all(known.stage not in open_returns for known in before.returns.values())
        assert all(not refund.open_minor for refund in before.refunds.values())
        assert all(not payment.capture_open_minor for payment in before.payments.values())
        assert before.money.captured_minor >= before.money.due_minor
        assert before.money.balance_minor >= 0
        for line_id, line in before.lines.items():
            assert line.cancelled + before.delivered(line_id) == line.ordered


@given(histories(), st.data())
@settings(max_examples=150, deadline=None)
def test_evolve_takes_facts_in_any_order_and_twice(steps, data):
    """On whatever comes out a decision can be made."""
    facts = [event for _, _, made, _ in steps for event in made]
    state = reduce(evolve, data.draw(st.permutations(facts * 2)), Order())

    for command in data.draw(st.lists(COMMANDS, min_size=5, max_size=10)):
        with suppress(Refused):
            decide(state, command)


@given(st.data())
@settings(max_examples=len(ALL) * 2, deadline=None)
def test_only_a_beginning_works_without_an_order(data):
    kind = data.draw(st.sampled_from([kind for kind in ALL if kind not in BEGINNINGS]))

    with pytest.raises(NoSuchOrder):
        decide(Order(), data.draw(commands_of(kind)))
