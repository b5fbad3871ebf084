"""How facts about money change an order. The same PSP fact is never counted twice (I9)."""

from dataclasses import replace

from domain.events import (
    CaptureFailed,
    CaptureRequested,
    ChargebackRecorded,
    PaymentAuthorisationExpired,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentEvent,
    PaymentVoided,
    RefundCompleted,
    RefundFailed,
    RefundRequested,
)
from domain.order.state import Capture, Order, Payment, PspFact, Refund


def evolve(state: Order, event: PaymentEvent) -> Order:  # noqa: C901 - one case per event
    """Apply one fact about money."""
    match event:
        case PaymentAuthorisationRequested():
            payment = state.payments.get(event.payment_id, Payment())
            requested = replace(payment, requested_minor=event.amount_minor, method=event.method)
            return _with_payment(state, event.payment_id, requested)
        case PaymentAuthorised(payment_id=payment_id, psp_reference=reference):
            return _with_fact(
                state, payment_id, (PspFact.AUTHORISED, reference), event.amount_minor
            )
        case PaymentAuthorisationFailed(payment_id=payment_id, psp_reference=reference):
            return _with_fact(state, payment_id, (PspFact.AUTHORISATION_FAILED, reference), 0)
        case (
            PaymentAuthorisationExpired(payment_id=payment_id, amount_minor=amount_minor)
            | PaymentVoided(payment_id=payment_id, amount_minor=amount_minor)
        ):
            payment = state.payments.get(payment_id, Payment())
            left_minor = max(0, payment.authorised_minor - amount_minor)
            return _with_payment(state, payment_id, replace(payment, authorised_minor=left_minor))
        case CaptureRequested():
            return _capture_requested(state, event)
        case PaymentCaptured():
            return _captured(state, event)
        case CaptureFailed():
            return _capture_failed(state, event)
        case RefundRequested():
            return _refund_requested(state, event)
        case RefundCompleted():
            return _refunded(state, event)
        case RefundFailed():
            return _refund_failed(state, event)
        case ChargebackRecorded(payment_id=payment_id, psp_reference=reference):
            return _with_fact(
                state, payment_id, (PspFact.CHARGED_BACK, reference), event.amount_minor
            )


def _with_payment(state: Order, payment_id: str, payment: Payment) -> Order:
    return replace(state, payments={**state.payments, payment_id: payment})


def _with_fact(
    state: Order, payment_id: str, fact: tuple[PspFact, str], amount_minor: int
) -> Order:
    """Remember a PSP fact; the same fact is never counted twice (invariant I9)."""
    payment = state.payments.get(payment_id, Payment())
    if fact in payment.facts:
        return state
    kind, _ = fact
    known = replace(
        payment,
        facts={**payment.facts, fact: amount_minor},
        authorised_minor=payment.authorised_minor + amount_minor * (kind is PspFact.AUTHORISED),
        captured_minor=payment.captured_minor + amount_minor * (kind is PspFact.CAPTURED),
        charged_back_minor=payment.charged_back_minor
        + amount_minor * (kind is PspFact.CHARGED_BACK),
    )
    return _with_payment(state, payment_id, known)


def _with_capture(state: Order, payment_id: str, capture_id: str, capture: Capture) -> Order:
    payment = state.payments.get(payment_id, Payment())
    captures = {**payment.captures, capture_id: capture}
    return _with_payment(state, payment_id, replace(payment, captures=captures))


def _capture(state: Order, payment_id: str, capture_id: str) -> Capture:
    return state.payments.get(payment_id, Payment()).captures.get(capture_id, Capture())


def _capture_requested(state: Order, event: CaptureRequested) -> Order:
    capture = _capture(state, event.payment_id, event.capture_id)
    requested = replace(capture, requested_minor=event.amount_minor)
    return _with_capture(state, event.payment_id, event.capture_id, requested)


def _captured(state: Order, event: PaymentCaptured) -> Order:
    fact = (PspFact.CAPTURED, event.psp_reference)
    known = _with_fact(state, event.payment_id, fact, event.amount_minor)
    if known is state:
        return state
    capture = _capture(known, event.payment_id, event.capture_id)
    taken_minor = (capture.captured_minor or 0) + event.amount_minor
    taken = replace(capture, captured_minor=taken_minor)
    return _with_capture(known, event.payment_id, event.capture_id, taken)


def _capture_failed(state: Order, event: CaptureFailed) -> Order:
    fact = (PspFact.CAPTURE_FAILED, event.psp_reference)
    known = _with_fact(state, event.payment_id, fact, 0)
    failed = replace(_capture(known, event.payment_id, event.capture_id), has_failed=True)
    return _with_capture(known, event.payment_id, event.capture_id, failed)


def _with_refund(state: Order, refund_id: str, refund: Refund) -> Order:
    return replace(state, refunds={**state.refunds, refund_id: refund})


def _refund_requested(state: Order, event: RefundRequested) -> Order:
    refund = replace(
        state.refunds.get(event.refund_id, Refund()),
        payment_id=event.payment_id,
        requested_minor=event.amount_minor,
        reason=event.reason,
    )
    return _with_refund(state, event.refund_id, refund)


def _refunded(state: Order, event: RefundCompleted) -> Order:
    fact = (PspFact.REFUNDED, event.payment_id, event.psp_reference)
    if fact in state.refund_facts:
        return state
    refund = state.refunds.get(event.refund_id, Refund(event.payment_id))
    given_minor = (refund.refunded_minor or 0) + event.amount_minor
    known = replace(state, refund_facts={**state.refund_facts, fact: event.amount_minor})
    return _with_refund(known, event.refund_id, replace(refund, refunded_minor=given_minor))


def _refund_failed(state: Order, event: RefundFailed) -> Order:
    fact = (PspFact.REFUND_FAILED, event.payment_id, event.psp_reference)
    refund = state.refunds.get(event.refund_id, Refund(event.payment_id))
    known = replace(state, refund_facts={**state.refund_facts, fact: 0})
    return _with_refund(known, event.refund_id, replace(refund, has_failed=True))
