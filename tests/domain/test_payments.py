import pytest

from domain.commands import (
    PlaceOrder,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordCapture,
    RequestAuthorisation,
    RequestCapture,
)
from domain.decide import decide
from domain.errors import Rejected
from domain.events import (
    CaptureRequested,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
)
from domain.order import Order
from domain.statuses import PaymentStatus, payment_status
from domain.values import INT64_MAX, Line

[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1000),)))
ACCEPTED = OrderAccepted()
REJECTED = OrderRejected("no stock")
CANCELLED = OrderCancelled(None, 2000, "EUR", "c-1")
REQUESTED = PaymentAuthorisationRequested("p-1", 2000, "card")
AUTHORISED = PaymentAuthorised("p-1", "a-1", 2000, 99)
FAILED = PaymentAuthorisationFailed("p-1", "f-1", "declined")
CAPTURE = CaptureRequested("p-1", "k-1", 1500)


def captured(reference, amount_minor, capture_id="k-1", payment_id="p-1"):
    return PaymentCaptured(payment_id, capture_id, reference, amount_minor, "EUR", "c-1")


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED], RequestAuthorisation("p-1", 2000, "card"), [REQUESTED]),
        ([PLACED, ACCEPTED], RequestAuthorisation("p-1", 2000, "card"), [REQUESTED]),
        ([PLACED, REQUESTED], RequestAuthorisation("p-1", 2000, "card"), []),
        ([PLACED, REQUESTED, AUTHORISED], RequestAuthorisation("p-1", 2000, "card"), []),
        ([PLACED, REQUESTED, CANCELLED], RequestAuthorisation("p-1", 2000, "card"), []),
        ([PLACED, REQUESTED], RequestAuthorisation("p-1", 1999, "card"), "payment-id-reused"),
        ([PLACED, REQUESTED], RequestAuthorisation("p-1", 2000, "bank"), "payment-id-reused"),
        ([PLACED, AUTHORISED], RequestAuthorisation("p-1", 2000, "card"), "payment-id-reused"),
        ([PLACED], RequestAuthorisation("p-1", 0), "amount-not-positive"),
        ([PLACED], RequestAuthorisation("p-1", INT64_MAX + 1), "amount-overflow"),
        ([PLACED, REJECTED], RequestAuthorisation("p-1", 2000), "order-rejected"),
        ([PLACED, CANCELLED], RequestAuthorisation("p-1", 2000), "order-cancelled"),
    ],
)
def test_request_authorisation(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED, REQUESTED], RecordAuthorisation("p-1", "a-1", 2000, 99), [AUTHORISED]),
        ([PLACED], RecordAuthorisation("p-1", "a-1", 2000, 99), [AUTHORISED]),
        ([PLACED, CANCELLED], RecordAuthorisation("p-1", "a-1", 2000, 99), [AUTHORISED]),
        ([PLACED, REJECTED], RecordAuthorisation("p-1", "a-1", 2000, 99), [AUTHORISED]),
        ([PLACED, AUTHORISED], RecordAuthorisation("p-1", "a-1", 2000), []),
        ([PLACED, AUTHORISED], RecordAuthorisation("p-1", "a-1", 1), "psp-reference-reused"),
        (
            [PLACED, AUTHORISED],
            RecordAuthorisation("p-2", "a-1", 2000),
            [PaymentAuthorised("p-2", "a-1", 2000, None)],
        ),
        (
            [PLACED, AUTHORISED],
            RecordAuthorisation("p-1", "a-2", 9000),
            [PaymentAuthorised("p-1", "a-2", 9000, None)],
        ),
        (
            [PLACED],
            RecordAuthorisation("p-1", "a-1", 0),
            [PaymentAuthorised("p-1", "a-1", 0, None)],
        ),
        ([PLACED], RecordAuthorisation("p-1", "a-1", -1), "amount-negative"),
        ([PLACED, AUTHORISED], RecordAuthorisation("p-1", "a-2", INT64_MAX), "amount-overflow"),
        ([PLACED, REQUESTED], RecordAuthorisationFailure("p-1", "f-1", "declined"), [FAILED]),
        ([PLACED, CANCELLED], RecordAuthorisationFailure("p-1", "f-1", "declined"), [FAILED]),
        ([PLACED, FAILED], RecordAuthorisationFailure("p-1", "f-1", "declined"), []),
        (
            [PLACED, AUTHORISED],
            RecordAuthorisationFailure("p-1", "a-1", "late"),
            [PaymentAuthorisationFailed("p-1", "a-1", "late")],
        ),
    ],
)
def test_record_authorisation(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([PLACED, AUTHORISED], RequestCapture("p-1", "k-1", 1500), [CAPTURE]),
        ([PLACED, AUTHORISED, CAPTURE], RequestCapture("p-1", "k-1", 1500), []),
        ([PLACED, AUTHORISED, CAPTURE, CANCELLED], RequestCapture("p-1", "k-1", 1500), []),
        (
            [PLACED, AUTHORISED, CAPTURE, captured("r-1", 1400)],
            RequestCapture("p-1", "k-1", 1500),
            [],
        ),
        ([PLACED, AUTHORISED, CAPTURE], RequestCapture("p-1", "k-1", 1), "capture-id-reused"),
        ([PLACED, AUTHORISED, CAPTURE], RequestCapture("p-2", "k-1", 1500), "capture-id-reused"),
        (
            [PLACED, AUTHORISED, CAPTURE],
            RequestCapture("p-1", "k-2", 500),
            [CaptureRequested("p-1", "k-2", 500)],
        ),
        (
            [PLACED, AUTHORISED, CAPTURE],
            RequestCapture("p-1", "k-2", 501),
            "capture-exceeds-authorised",
        ),
        (
            [PLACED, AUTHORISED, CAPTURE, captured("r-1", 1500)],
            RequestCapture("p-1", "k-2", 501),
            "capture-exceeds-authorised",
        ),
        (  # The PSP took less than it was asked for: the rest may be asked for again.
            [PLACED, AUTHORISED, CAPTURE, captured("r-1", 1000)],
            RequestCapture("p-1", "k-2", 1000),
            [CaptureRequested("p-1", "k-2", 1000)],
        ),
        (
            [PLACED, AUTHORISED, captured("r-1", 5000)],
            RequestCapture("p-1", "k-2", 1),
            "capture-exceeds-authorised",
        ),
        ([PLACED, AUTHORISED, captured("r-1", 700)], RequestCapture("p-1", "k-1", 700), []),
        ([PLACED, *[captured("r-1", 700)] * 2], RequestCapture("p-1", "k-1", 700), []),
        (
            [PLACED, AUTHORISED, captured("r-1", 700)],
            RequestCapture("p-1", "k-1", 800),
            "capture-id-reused",
        ),
        (  # The PSP used the id for another payment too; the retry is still one.
            [PLACED, captured("r-1", 9, payment_id="p-0"), AUTHORISED, CAPTURE],
            RequestCapture("p-1", "k-1", 1500),
            [],
        ),
        ([PLACED, REQUESTED], RequestCapture("p-1", "k-1", 1), "capture-exceeds-authorised"),
        ([PLACED, FAILED], RequestCapture("p-1", "k-1", 1), "capture-exceeds-authorised"),
        ([PLACED, AUTHORISED], RequestCapture("p-2", "k-1", 1), "payment-unknown"),
        ([PLACED, AUTHORISED], RequestCapture("p-1", "k-1", 0), "amount-not-positive"),
        ([PLACED, AUTHORISED, CANCELLED], RequestCapture("p-1", "k-1", 1), "order-cancelled"),
        ([PLACED, AUTHORISED, REJECTED], RequestCapture("p-1", "k-1", 1), "order-rejected"),
    ],
)
def test_request_capture(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        (
            [PLACED, AUTHORISED, CAPTURE],
            RecordCapture("p-1", "k-1", "r-1", 1500),
            [captured("r-1", 1500)],
        ),
        ([PLACED], RecordCapture("p-1", "k-1", "r-1", 1500), [captured("r-1", 1500)]),
        ([PLACED, CANCELLED], RecordCapture("p-1", "k-1", "r-1", 9), [captured("r-1", 9)]),
        ([PLACED, REJECTED], RecordCapture("p-1", "k-1", "r-1", 9), [captured("r-1", 9)]),
        ([PLACED, captured("r-1", 1500)], RecordCapture("p-1", "k-1", "r-1", 1500), []),
        ([PLACED, captured("r-1", 1500)], RecordCapture("p-1", "k-2", "r-1", 1500), []),
        (
            [PLACED, captured("r-1", 1500)],
            RecordCapture("p-1", "k-1", "r-1", 1501),
            "psp-reference-reused",
        ),
        (
            [PLACED, captured("r-1", 1500)],
            RecordCapture("p-1", "k-1", "r-2", 1500),
            [captured("r-2", 1500)],
        ),
        (
            [PLACED, captured("r-1", 1500)],
            RecordCapture("p-2", "k-1", "r-1", 1500),
            [captured("r-1", 1500, payment_id="p-2")],
        ),
        ([PLACED, AUTHORISED], RecordCapture("p-1", "k-1", "a-1", 9), [captured("a-1", 9)]),
        ([PLACED], RecordCapture("p-1", "k-1", "r-1", -1), "amount-negative"),
        ([PLACED], RecordCapture("p-1", "k-1", "r-1", INT64_MAX + 1), "amount-overflow"),
        (
            [PLACED, captured("r-1", 1, payment_id="p-0")],
            RecordCapture("p-1", "k-1", "r-1", INT64_MAX),
            "amount-overflow",
        ),
    ],
)
def test_record_capture(when, history, command, answer):
    assert when(history, command) == answer


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([captured("r-1", 2000)], PaymentStatus.CAPTURED),
        ([captured("r-1", 2000), captured("r-1", 2000)], PaymentStatus.CAPTURED),
        ([captured("r-1", 2000), captured("r-2", 1)], PaymentStatus.OVERCHARGED),
        ([captured("r-1", 1999), captured("r-1", 2, payment_id="p-2")], PaymentStatus.OVERCHARGED),
        ([AUTHORISED, AUTHORISED], PaymentStatus.AUTHORISED),
    ],
)
def test_a_fact_is_counted_once_and_too_much_is_seen(fold, facts, status):
    """I9 and I11, even when a history holds the same fact twice."""
    state = fold([PLACED, *facts])

    assert payment_status(state.money, is_pending=False, is_voided=False) == status


@pytest.mark.parametrize(
    ("taken_minor", "left"), [(1500, "5.00 EUR"), (2000, "0.00 EUR"), (9000, "0.00 EUR")]
)
def test_a_refusal_says_how_much_is_left(fold, taken_minor, left):
    state = fold([PLACED, AUTHORISED, captured("r-1", taken_minor)])

    with pytest.raises(Rejected, match=f"20.00 EUR set aside .* only {left} are left"):
        decide(state, RequestCapture("p-1", "k-2", 501))
