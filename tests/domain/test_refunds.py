"""Money that goes back, and money that is not taken after all (I8 to I11, I14)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import (
    ExpireAuthorisation,
    PlaceOrder,
    RecordCapture,
    RecordCaptureFailure,
    RecordChargeback,
    RecordRefund,
    RecordRefundFailure,
    RequestCapture,
    RequestRefund,
    VoidAuthorisation,
)
from domain.decide import decide
from domain.errors import Refused
from domain.events import (
    CaptureFailed,
    CaptureRequested,
    ChargebackRecorded,
    OrderCancelled,
    OrderCompleted,
    OrderExpired,
    OrderRejected,
    PaymentAuthorisationExpired,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentVoided,
    RefundCompleted,
    RefundFailed,
    RefundRequested,
)
from domain.order import Order, evolve
from domain.values import INT64_MAX, Line

[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1000),)))
AUTHORISED = PaymentAuthorised("p-1", "r-1", 2000, None)
ASKED_CAPTURE = CaptureRequested("p-1", "k-1", 2000)
FAILED_CAPTURE = CaptureFailed("p-1", "k-1", "r-9", "expired card")
CAPTURED = PaymentCaptured("p-1", "k-1", "r-2", 2000, "EUR", "c-1")
EXPIRED, VOIDED = PaymentAuthorisationExpired("p-1", 2000), PaymentVoided("p-1", 2000)
ASKED = RefundRequested("f-1", "p-1", 500, "broken")
REFUNDED = RefundCompleted("f-1", "p-1", "r-3", 500, "EUR", "c-1")
UNASKED = RefundCompleted("f-1", None, "r-3", 500, "EUR", "c-1")
FAILED = RefundFailed("f-1", "p-1", "r-4", "account closed")
CHARGED_BACK = ChargebackRecorded("p-1", "r-5", 2000, "EUR", "c-1")
ALSO_PAID = PaymentCaptured("p-2", "k-2", "r-6", 500, "EUR", "c-1")
ASKED_SECOND = RefundRequested("f-1", "p-2", 500, None)
ASK = RequestRefund("f-1", "p-1", 500, "broken")
PAID = [PLACED, AUTHORISED, CAPTURED]
ENDS = [OrderCancelled(None, 2000, "EUR", "c-1"), OrderRejected("no"), OrderExpired()]


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED, AUTHORISED], VoidAuthorisation("p-1"), [VOIDED]),
        ([PLACED, AUTHORISED, VOIDED], VoidAuthorisation("p-1"), []),
        (PAID, VoidAuthorisation("p-1"), []),
        ([PLACED], VoidAuthorisation("p-1"), "payment-unknown"),
        ([PLACED, AUTHORISED, ASKED_CAPTURE], VoidAuthorisation("p-1"), "capture-open"),
        *(([PLACED, AUTHORISED, end], VoidAuthorisation("p-1"), [VOIDED]) for end in ENDS),
        ([PLACED, AUTHORISED], ExpireAuthorisation("p-1"), [EXPIRED]),
        ([PLACED, AUTHORISED, EXPIRED], ExpireAuthorisation("p-1"), []),
        ([PLACED, AUTHORISED, ASKED_CAPTURE], ExpireAuthorisation("p-1"), [EXPIRED]),
        ([PLACED], ExpireAuthorisation("p-1"), "payment-unknown"),
        (
            [PLACED, AUTHORISED, VOIDED],
            RequestCapture("p-1", "k-1", 1),
            "capture-exceeds-authorised",
        ),
        (
            [PLACED, AUTHORISED, ASKED_CAPTURE],
            RecordCaptureFailure("p-1", "k-1", "r-9", "expired card"),
            [FAILED_CAPTURE],
        ),
        (
            [PLACED, AUTHORISED, ASKED_CAPTURE, FAILED_CAPTURE],
            RecordCaptureFailure("p-1", "k-1", "r-9", "expired card"),
            [],
        ),
        (
            [PLACED, AUTHORISED, ASKED_CAPTURE, FAILED_CAPTURE],
            RequestCapture("p-1", "k-2", 2000),
            [CaptureRequested("p-1", "k-2", 2000)],
        ),
        (
            [PLACED, AUTHORISED, ASKED_CAPTURE, FAILED_CAPTURE],
            RecordCapture("p-1", "k-1", "r-2", 2000),
            [CAPTURED],
        ),
        (PAID, ASK, [ASKED]),
        ([*PAID, ASKED], ASK, []),
        ([*PAID, ASKED], RequestRefund("f-1", "p-1", 501, "broken"), "refund-id-reused"),
        ([*PAID, UNASKED], RequestRefund("f-1", "p-1", 500), []),
        ([*PAID, UNASKED], RequestRefund("f-1", "p-1", 501), "refund-id-reused"),
        (PAID, RequestRefund("f-1", "p-1", 2001), "refund-exceeds-captured"),
        ([*PAID, ASKED], RequestRefund("f-2", "p-1", 1501), "refund-exceeds-captured"),
        ([*PAID, ASKED, FAILED], RequestRefund("f-2", "p-1", 2000, None), None),
        ([*PAID, CHARGED_BACK], RequestRefund("f-1", "p-1", 1), "refund-exceeds-captured"),
        (PAID, RequestRefund("f-1", "p-9", 1), "payment-unknown"),
        # Each payment gives back only what was taken with it.
        ([*PAID, ALSO_PAID], RequestRefund("f-1", "p-2", 501), "refund-exceeds-captured"),
        ([*PAID, ALSO_PAID], RequestRefund("f-1", "p-2", 500), [ASKED_SECOND]),
        (
            [*PAID, ALSO_PAID, ASKED_SECOND],
            RequestRefund("f-2", "p-2", 1),
            "refund-exceeds-captured",
        ),
        (
            [*PAID, ALSO_PAID, ASKED_SECOND],
            RequestRefund("f-2", "p-1", 2000),
            [RefundRequested("f-2", "p-1", 2000, None)],
        ),
        (
            [*PAID, ALSO_PAID, CHARGED_BACK],
            RequestRefund("f-1", "p-1", 1),
            "refund-exceeds-captured",
        ),
        (
            [*PAID, ALSO_PAID, RefundCompleted("f-9", "p-2", "r-7", 500, "EUR", "c-1")],
            RequestRefund("f-1", "p-2", 1),
            "refund-exceeds-captured",
        ),
        # The order gives back only what was taken for it, with whatever payment.
        (
            [*PAID, ALSO_PAID, CHARGED_BACK, replace(UNASKED, refund_id="f-9")],
            RequestRefund("f-1", "p-2", 1),
            "refund-exceeds-captured",
        ),
        # The same reference on another payment is another fact.
        (
            [*PAID, ALSO_PAID, ASKED, REFUNDED, replace(ASKED_SECOND, refund_id="f-2")],
            RecordRefund("f-2", "r-3", 400),
            [RefundCompleted("f-2", "p-2", "r-3", 400, "EUR", "c-1")],
        ),
        (
            [*PAID, ALSO_PAID, ASKED, FAILED, replace(ASKED_SECOND, refund_id="f-2")],
            RecordRefundFailure("f-2", "r-4", "closed"),
            [RefundFailed("f-2", "p-2", "r-4", "closed")],
        ),
        (PAID, RequestRefund("f-1", "p-1", 0), "amount-not-positive"),
        ([*PAID, OrderCompleted()], ASK, "order-completed"),
        *(([*PAID, end], ASK, [ASKED]) for end in ENDS),
        ([*PAID, ASKED], RecordRefund("f-1", "r-3", 500), [REFUNDED]),
        ([*PAID, ASKED, REFUNDED], RecordRefund("f-1", "r-3", 500), []),
        ([*PAID, ASKED, REFUNDED], RecordRefund("f-9", "r-3", 500), []),
        ([*PAID, ASKED, REFUNDED], RecordRefund("f-1", "r-3", 499), "psp-reference-reused"),
        (PAID, RecordRefund("f-1", "r-3", 500), [UNASKED]),
        ([*PAID, UNASKED, ASKED], RecordRefund("f-1", "r-3", 500), []),
        (PAID, RecordRefund("f-1", "r-3", -1), "amount-negative"),
        ([*PAID, ASKED, REFUNDED], RecordRefund("f-1", "r-8", INT64_MAX), "amount-overflow"),
        ([*PAID, ASKED], RecordRefundFailure("f-1", "r-4", "account closed"), [FAILED]),
        ([*PAID, ASKED, FAILED], RecordRefundFailure("f-1", "r-4", "account closed"), []),
        (PAID, RecordChargeback("p-1", "r-5", 2000), [CHARGED_BACK]),
        ([*PAID, CHARGED_BACK], RecordChargeback("p-1", "r-5", 2000), []),
        ([*PAID, CHARGED_BACK], RecordChargeback("p-1", "r-5", 1), "psp-reference-reused"),
        ([PLACED], RecordChargeback("p-9", "r-5", -1), "amount-negative"),
        ([*PAID, OrderCompleted()], RecordChargeback("p-1", "r-5", 2000), [CHARGED_BACK]),
    ],
)
def test_money_that_goes_back(when, history, command, answer):
    if answer is None:
        answer = [RefundRequested(command.refund_id, command.payment_id, 2000, command.reason)]
    assert when(history, command) == answer


def test_facts_that_come_before_their_request_come_to_the_same(fold):
    """The PSP may be faster than the log: what it told is not forgotten when it is asked."""
    failed = RefundFailed("f-2", "p-1", "r-4", "account closed")
    asked_again = replace(ASKED, refund_id="f-2")
    facts = [ASKED_CAPTURE, CAPTURED, ASKED, REFUNDED, asked_again, failed]
    early = [CAPTURED, ASKED_CAPTURE, REFUNDED, ASKED, failed, asked_again]

    assert fold([PLACED, *early]).refunds == fold([PLACED, *facts]).refunds
    assert fold([PLACED, *early]).payments == fold([PLACED, *facts]).payments
    requested = PaymentAuthorisationRequested("p-1", 2000, "card")
    assert fold([AUTHORISED, requested]).payments == fold([requested, AUTHORISED]).payments
    lost = CaptureFailed("p-1", "k-2", "r-9", "x")
    asked = CaptureRequested("p-1", "k-2", 5)
    assert fold([lost, asked]).payments == fold([asked, lost]).payments
    assert fold([PLACED, RefundFailed("f-9", "p-1", "r", "x")]).refunds["f-9"].payment_id == "p-1"


def test_what_went_back_is_owed_again(fold):
    state = fold([*PAID, ASKED, REFUNDED, CHARGED_BACK])

    assert (state.refunded_minor, state.money.charged_back_minor) == (500, 2000)
    assert state.money.balance_minor == 2500


PAYMENT = st.sampled_from(["p-1", "p-2"])
ID = st.sampled_from(["f-1", "f-2", "f-3"])
REFERENCE = st.sampled_from(["r-1", "r-2", "r-3", "r-4"])
AMOUNT = st.sampled_from([1, 400, 999, 2000])
COMMANDS = st.one_of(
    st.builds(RecordCapture, PAYMENT, ID, REFERENCE, AMOUNT),
    st.builds(RequestRefund, ID, PAYMENT, AMOUNT),
    st.builds(RecordRefund, ID, REFERENCE, AMOUNT),
    st.builds(RecordRefundFailure, ID, REFERENCE, st.just("no")),
    st.builds(RecordChargeback, PAYMENT, REFERENCE, AMOUNT),
)


@given(st.lists(COMMANDS, max_size=25))
@settings(max_examples=300, deadline=None)
def test_never_is_more_asked_back_than_was_taken(commands):
    """I8, at the time of each request; and I9: a fact that is told again adds nothing."""
    state = evolve(Order(), PLACED)
    for command in commands:
        try:
            events = decide(state, command)
        except Refused:
            continue
        for event in events:
            state = evolve(state, event)
        if events and isinstance(command, RequestRefund):
            given_back = sum(
                (refund.refunded_minor or 0) + refund.open_minor
                for refund in state.refunds.values()
            )
            assert given_back <= state.captured_minor - state.money.charged_back_minor
        assert decide(state, command) == []
