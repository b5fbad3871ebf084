"""Holds, ends, and what may still be said of an order (I12, I14 to I16)."""

import pytest

from domain.commands import (
    AddNote,
    Archive,
    Complete,
    CorrectContact,
    DispatchShipment,
    EraseCustomerData,
    Hold,
    PlaceOrder,
    ReleaseHold,
)
from domain.decide import decide
from domain.events import (
    AmendmentProposed,
    CaptureRequested,
    ContactCorrected,
    CustomerDataErased,
    LinesCancelled,
    NoteAdded,
    OrderAccepted,
    OrderArchived,
    OrderCancelled,
    OrderCompleted,
    OrderDrafted,
    OrderExpired,
    OrderHeld,
    OrderHoldReleased,
    OrderRejected,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentVoided,
    RefundCompleted,
    RefundRequested,
    ReturnClosed,
    ReturnRequested,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from domain.order import Order
from domain.values import Contact, Line, LineQuantity

[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1000),)))
DRAFTED = OrderDrafted("c-1", "EUR")
ACCEPTED = OrderAccepted()
SHIPMENT = ShipmentCreated("s-1", (LineQuantity("1", 2),), None)
DELIVERED = [SHIPMENT, ShipmentDispatched("s-1", None), ShipmentDelivered("s-1")]
ONE = (LineQuantity("1", 1),)
ONE_DELIVERED = [
    ShipmentCreated("s-1", ONE, None),
    ShipmentDispatched("s-1", None),
    ShipmentDelivered("s-1"),
]
ONE_GONE = LinesCancelled(ONE, None, 1000, "EUR", "c-1")
HALF_CAPTURED = PaymentCaptured("p-1", "k-1", "r-2", 1000, "EUR", "c-1")
ONE_CENT = PaymentCaptured("p-1", "k-1", "r-2", 1, "EUR", "c-1")
CAPTURED = PaymentCaptured("p-1", "k-1", "r-2", 2000, "EUR", "c-1")
DONE = [PLACED, ACCEPTED, *DELIVERED, CAPTURED]
COMPLETED, ARCHIVED, EXPIRED = OrderCompleted(), OrderArchived(), OrderExpired()
REJECTED, CANCELLED = OrderRejected("no"), OrderCancelled(None, 2000, "EUR", "c-1")
HELD, RELEASED = OrderHeld("h-1", "fraud", None), OrderHoldReleased("h-1")
AUTHORISED = PaymentAuthorised("p-1", "r-1", 2000, None)
ASKED = RefundRequested("f-1", "p-1", 100, None)
REFUNDED = RefundCompleted("f-1", "p-1", "r-3", 100, "EUR", "c-1")
ALL_REFUNDED = RefundCompleted("f-1", "p-1", "r-3", 2000, "EUR", "c-1")
RETURN = ReturnRequested("e-1", (LineQuantity("1", 1),), None)
ZOE, ZOO = Contact("Zoë", "z@example.org", ""), Contact("Zoo", "", "")


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED], Hold("h-1", "fraud"), [HELD]),
        ([PLACED, HELD], Hold("h-1", "fraud"), []),
        ([PLACED, HELD, RELEASED], Hold("h-1", "fraud"), []),
        ([PLACED, HELD], Hold("h-1", "stock"), "hold-id-reused"),
        ([PLACED, CANCELLED], Hold("h-1", "fraud"), "order-cancelled"),
        ([DRAFTED], Hold("h-1", "fraud"), "order-not-placed"),
        ([PLACED, HELD], ReleaseHold("h-1"), [RELEASED]),
        ([PLACED, HELD, RELEASED], ReleaseHold("h-1"), []),
        ([PLACED, HELD, CANCELLED], ReleaseHold("h-1"), [RELEASED]),
        ([PLACED], ReleaseHold("h-1"), "hold-unknown"),
        ([PLACED, ACCEPTED, SHIPMENT, HELD], DispatchShipment("s-1"), "order-on-hold"),
        (
            [PLACED, ACCEPTED, SHIPMENT, HELD, RELEASED],
            DispatchShipment("s-1"),
            [ShipmentDispatched("s-1", None)],
        ),
    ],
)
def test_holds(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "answer"),
    [
        (DONE, [COMPLETED]),
        ([*DONE, COMPLETED], []),
        ([*DONE, ASKED, REFUNDED], [COMPLETED]),
        ([PLACED], "order-not-accepted"),
        ([PLACED, CANCELLED], "order-cancelled"),
        ([PLACED, EXPIRED], "order-expired"),
        ([PLACED, ACCEPTED, CAPTURED], "pieces-open"),
        ([PLACED, ACCEPTED, *ONE_DELIVERED, CAPTURED], "pieces-open"),
        ([PLACED, ACCEPTED, ONE_GONE, *ONE_DELIVERED, HALF_CAPTURED], [COMPLETED]),
        ([*DONE, HELD], "hold-open"),
        ([*DONE, AmendmentProposed("a-1", (), 0, None)], "amendment-open"),
        ([*DONE, RETURN], "return-open"),
        ([*DONE, RETURN, ReturnClosed("e-1")], [COMPLETED]),
        ([*DONE, CaptureRequested("p-1", "k-2", 1)], "capture-open"),
        ([*DONE, ASKED], "refund-open"),
        ([*DONE, PaymentAuthorised("p-2", "r-8", 5, None)], "authorisation-open"),
        ([PLACED, ACCEPTED, *DELIVERED], "balance-open"),
        (
            [*DONE, PaymentCaptured("p-1", "k-2", "r-9", 1, "EUR", "c-1")],
            "balance-open",
        ),
        ([*DONE, COMPLETED, ARCHIVED], "order-archived"),
    ],
)
def test_an_order_is_complete_when_nothing_is_open(when, history, answer):
    assert when(history, Complete()) == answer


@pytest.mark.parametrize(
    ("history", "answer"),
    [
        ([*DONE, COMPLETED], [ARCHIVED]),
        ([PLACED, REJECTED], [ARCHIVED]),
        ([PLACED, EXPIRED], [ARCHIVED]),
        ([PLACED, CANCELLED], [ARCHIVED]),
        ([PLACED, CANCELLED, ARCHIVED], []),
        ([PLACED, ACCEPTED], "order-not-ended"),
        ([DRAFTED], "order-not-ended"),
        ([PLACED, AUTHORISED, CANCELLED], "authorisation-open"),
        ([PLACED, AUTHORISED, PaymentVoided("p-1", 2000), CANCELLED], [ARCHIVED]),
        ([PLACED, CAPTURED, CANCELLED], "balance-open"),
        ([PLACED, CAPTURED, REJECTED], "balance-open"),
        ([PLACED, ONE_CENT, REJECTED], "balance-open"),
        ([PLACED, ONE_CENT, CANCELLED], "balance-open"),
        ([PLACED, CAPTURED, REJECTED, ALL_REFUNDED], [ARCHIVED]),
    ],
)
def test_what_has_ended_and_is_settled_is_put_away(when, history, answer):
    assert when(history, Archive()) == answer


@pytest.mark.parametrize("end", [[], [CANCELLED], [REJECTED], [EXPIRED], [EXPIRED, ARCHIVED]])
def test_personal_data_is_corrected_and_erased_on_any_order(when, end):
    history = [PLACED, *end]
    corrected, erased = ContactCorrected(ZOE), CustomerDataErased()

    assert when(history, CorrectContact(ZOE)) == [corrected]
    assert when([*history, corrected], CorrectContact(ZOE)) == []
    assert when([*history, corrected], CorrectContact(ZOO)) == [ContactCorrected(ZOO)]
    assert when([*history, corrected], EraseCustomerData()) == [erased]
    assert when([*history, corrected, erased], EraseCustomerData()) == []
    assert when([*history, corrected, erased], CorrectContact(ZOE)) == "customer-data-erased"
    noted = NoteAdded("n-1", "x")
    assert when(history, AddNote("n-1", "x")) == [noted]
    assert when([*history, noted, erased], AddNote("n-1", "x")) == []
    assert when([*history, erased], AddNote("n-1", "x")) == "customer-data-erased"


def test_erased_data_is_not_kept(fold):
    state = fold([PLACED, ContactCorrected(ZOE), CustomerDataErased()])

    assert (state.contact, state.is_erased) == (None, True)
