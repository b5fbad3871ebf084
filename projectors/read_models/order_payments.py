"""The `payments` of an order's document: what was asked of the PSP, and what the PSP told."""

from domain.events import (
    CaptureRequested,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
)
from domain.statuses import PaymentStatus, payment_status
from projectors.kinds import Document
from projectors.read_models.times import rfc3339

FAILED = "FAILED"
"""A payment's own status besides those of the order: refused, and nothing was ever set aside."""

Payments = list[Document]


def replaced(items: list[Document], key: str, item: Document) -> list[Document]:
    """Return `items` with `item` in place of the one with the same `key`, or at the end."""
    if any(known[key] == item[key] for known in items):
        return [item if known[key] == item[key] else known for known in items]
    return [*items, item]


def requested(payments: Payments, event: PaymentAuthorisationRequested) -> Payments:
    """Return the payments after the PSP was to be asked for money."""
    payment = _find(payments, event.payment_id)
    return _with(
        payments, payment | {"method": event.method, "requested_minor": event.amount_minor}
    )


def authorised(payments: Payments, event: PaymentAuthorised) -> Payments:
    """Return the payments after money was set aside."""
    payment = _find(payments, event.payment_id)
    expires_at = None if event.expires_at_us is None else rfc3339(event.expires_at_us)
    fact = {
        "psp_reference": event.psp_reference,
        "amount_minor": event.amount_minor,
        "expires_at": expires_at,
    }
    known = {
        "authorised_minor": payment["authorised_minor"] + event.amount_minor,
        "authorisations": [*payment["authorisations"], fact],
    }
    return _with(payments, payment | known)


def failed(payments: Payments, event: PaymentAuthorisationFailed) -> Payments:
    """Return the payments after the PSP said no."""
    payment = _find(payments, event.payment_id)
    fact = {"psp_reference": event.psp_reference, "reason": event.reason}
    return _with(payments, payment | {"failures": [*payment["failures"], fact]})


def capture_requested(payments: Payments, event: CaptureRequested) -> Payments:
    """Return the payments after the PSP was to be asked to take money."""
    payment = _find(payments, event.payment_id)
    capture = _find_capture(payment, event.capture_id) | {"requested_minor": event.amount_minor}
    known = {
        "capture_requested_minor": payment["capture_requested_minor"] + event.amount_minor,
        "captures": replaced(payment["captures"], "capture_id", capture),
    }
    return _with(payments, payment | known)


def captured(payments: Payments, event: PaymentCaptured) -> Payments:
    """Return the payments after money was taken."""
    payment = _find(payments, event.payment_id)
    capture = _find_capture(payment, event.capture_id)
    taken = {
        "captured_minor": (capture["captured_minor"] or 0) + event.amount_minor,
        "psp_references": [*capture["psp_references"], event.psp_reference],
    }
    known = {
        "captured_minor": payment["captured_minor"] + event.amount_minor,
        "captures": replaced(payment["captures"], "capture_id", capture | taken),
    }
    return _with(payments, payment | known)


def _find(payments: Payments, payment_id: str) -> Document:
    for payment in payments:
        if payment["payment_id"] == payment_id:
            return payment
    return {
        "payment_id": payment_id,
        "method": None,
        "status": PaymentStatus.NONE.value,
        "requested_minor": None,
        "authorised_minor": 0,
        "capture_requested_minor": 0,
        "captured_minor": 0,
        "authorisations": [],
        "failures": [],
        "captures": [],
    }


def _find_capture(payment: Document, capture_id: str) -> Document:
    for capture in payment["captures"]:
        if capture["capture_id"] == capture_id:
            known: Document = capture
            return known
    return {
        "capture_id": capture_id,
        "requested_minor": None,
        "captured_minor": None,
        "psp_references": [],
    }


def _with(payments: Payments, payment: Document) -> Payments:
    return replaced(payments, "payment_id", payment | {"status": _status(payment)})


def _status(payment: Document) -> str:
    """Name one payment's state by the order's rule, measured against what was asked for."""
    authorised_minor, captured_minor = payment["authorised_minor"], payment["captured_minor"]
    if payment["failures"] and not authorised_minor and not captured_minor:
        return FAILED
    asked_minor = payment["requested_minor"]
    return payment_status(
        total_minor=max(authorised_minor, captured_minor) if asked_minor is None else asked_minor,
        cancelled_minor=0,
        authorised_minor=authorised_minor,
        captured_minor=captured_minor,
        refunded_minor=0,
        is_pending=not payment["authorisations"] and not payment["captures"],
    ).value
