from typing import get_args

import pytest

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
from domain.decide import DECIDER, decide
from domain.errors import NoSuchOrder
from domain.events import NoteAdded, OrderAccepted, OrderCancelled, OrderRejected
from domain.order import Order, evolve
from domain.values import Line, LineQuantity

[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1299),)))
ACCEPTED = OrderAccepted()
REJECTED = OrderRejected("no stock")
CANCELLED = OrderCancelled(None, 2598, "EUR", "c-1")
NOTE = NoteAdded("n-1", "Ring twice.")


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED], Accept(), [ACCEPTED]),
        ([PLACED, ACCEPTED], Accept(), []),
        ([PLACED, REJECTED], Accept(), "order-rejected"),
        ([PLACED, CANCELLED], Accept(), "order-cancelled"),
        ([PLACED], Reject("no stock"), [REJECTED]),
        ([PLACED, REJECTED], Reject("no stock"), []),
        ([PLACED, REJECTED], Reject("fraud"), []),
        ([PLACED, ACCEPTED], Reject("no stock"), "already-accepted"),
        ([PLACED, CANCELLED], Reject("no stock"), "order-cancelled"),
        ([PLACED], AddNote("n-1", "Ring twice."), [NOTE]),
        ([PLACED, REJECTED], AddNote("n-1", "Ring twice."), [NOTE]),
        ([PLACED, CANCELLED], AddNote("n-1", "Ring twice."), [NOTE]),
        ([PLACED, NOTE], AddNote("n-1", "Ring twice."), []),
        ([PLACED, NOTE], AddNote("n-1", "Ring once."), "note-id-reused"),
        ([PLACED, NOTE], AddNote("n-2", "Ring twice."), [NoteAdded("n-2", "Ring twice.")]),
    ],
)
def test_review(when, history, command, answer):
    assert when(history, command) == answer


NEEDS_AN_ORDER = [
    Accept(),
    Reject("no"),
    RequestAuthorisation("p-1", 100),
    RecordAuthorisation("p-1", "r-1", 100),
    RecordAuthorisationFailure("p-1", "r-1", "declined"),
    RequestCapture("p-1", "c-1", 100),
    RecordCapture("p-1", "c-1", "r-1", 100),
    CreateShipment("s-1", (LineQuantity("1", 1),)),
    DispatchShipment("s-1"),
    RecordDelivery("s-1"),
    CancelLines((LineQuantity("1", 1),)),
    Cancel(),
    AddNote("n-1", "Ring twice."),
]


@pytest.mark.parametrize("command", NEEDS_AN_ORDER, ids=lambda command: type(command).__name__)
def test_only_placing_works_without_an_order(command):
    with pytest.raises(NoSuchOrder):
        decide(Order(), command)


def test_the_list_above_names_every_command():
    named = {PlaceOrder, *(type(command) for command in NEEDS_AN_ORDER)}

    assert named == set(get_args(OrderCommand))


def test_the_decider_is_these_functions():
    assert (DECIDER.initial, DECIDER.decide, DECIDER.evolve) == (Order(), decide, evolve)
