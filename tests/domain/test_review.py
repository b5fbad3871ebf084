import pytest

from domain.commands import (
    Accept,
    AddNote,
    PlaceOrder,
    Reject,
)
from domain.decide import DECIDER, decide
from domain.events import NoteAdded, OrderAccepted, OrderCancelled, OrderRejected
from domain.order import Order, evolve
from domain.values import Line

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


def test_the_decider_is_these_functions():
    assert (DECIDER.initial, DECIDER.decide, DECIDER.evolve) == (Order(), decide, evolve)
