"""The payments and refunds of an order's document: what was asked of the PSP, and what it told.

The same PSP fact is counted once, known by payment, kind and reference (invariant I9).
"""

from collections.abc import Iterable

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
from domain.statuses import Money, PaymentStatus, payment_status
from domain.values import ImportedPayment
from projectors.kinds import Document
from projectors.read_models.order_lines import replaced
from projectors.read_models.times import rfc3339

FAILED = "FAILED"
"""A payment's own status besides those of the order: refused, and nothing was ever set aside."""


def evolve(order: Document, event: PaymentEvent, _at_us: int) -> Document:
    """Return what a fact about money changes of the document."""
    if isinstance(event, RefundRequested | RefundCompleted | RefundFailed):
        refunds = order["refunds"]
        refund = _find(refunds, "refund_id", event.refund_id) or _no_refund(event)
        return {"refunds": replaced(refunds, "refund_id", refund | _refund_changes(refund, event))}
    payments = order["payments"]
    known = _find(payments, "payment_id", event.payment_id)
    payment = known or _no_payment(event.payment_id)
    changed = payment | _payment_changes(payment, event)
    return {"payments": replaced(payments, "payment_id", changed)}


def named(payments: list[Document], refunds: list[Document]) -> list[Document]:
    """Return the payments with their states, and with what was refunded of each."""
    return [_named(payment, refunds) for payment in payments]


def imported(given: Iterable[ImportedPayment]) -> Document:
    """Return the payments and refunds of an order with a past elsewhere."""
    known = list(given)
    refunds = [
        _no_refund_of(f"imported/{one.payment_id}", one.payment_id)
        | {"refunded_minor": one.refunded_minor, "status": "COMPLETED"}
        for one in known
        if one.refunded_minor
    ]
    payments = [
        _no_payment(one.payment_id)
        | {
            "method": one.method,
            "authorised_minor": one.authorised_minor,
            "captured_minor": one.captured_minor,
            "authorisations": [
                {
                    "psp_reference": one.psp_reference,
                    "amount_minor": one.authorised_minor,
                    "expires_at": None,
                }
            ],
        }
        for one in known
    ]
    return {"refunds": refunds, "payments": payments}


def _payment_changes(
    payment: Document,
    event: PaymentAuthorisationRequested
    | PaymentAuthorised
    | PaymentAuthorisationFailed
    | PaymentAuthorisationExpired
    | PaymentVoided
    | CaptureRequested
    | PaymentCaptured
    | CaptureFailed
    | ChargebackRecorded,
) -> Document:
    match event:
        case PaymentAuthorisationRequested(amount_minor=amount_minor, method=method):
            return {"method": method, "requested_minor": amount_minor}
        case PaymentAuthorised():
            return _authorised(payment, event)
        case PaymentAuthorisationFailed(psp_reference=reference, reason=reason):
            failure = {"psp_reference": reference, "reason": reason}
            return {"failures": replaced(payment["failures"], "psp_reference", failure)}
        case PaymentAuthorisationExpired(amount_minor=amount_minor):
            return _released(payment, "EXPIRED", amount_minor)
        case PaymentVoided(amount_minor=amount_minor):
            return _released(payment, "VOIDED", amount_minor)
        case CaptureRequested(capture_id=capture_id, amount_minor=amount_minor):
            asked_minor = payment["capture_requested_minor"] + amount_minor
            changes = _capture(payment, capture_id, {"requested_minor": amount_minor})
            return {"capture_requested_minor": asked_minor, **changes}
        case PaymentCaptured():
            return _captured(payment, event)
        case CaptureFailed(capture_id=capture_id, reason=reason):
            return _capture(payment, capture_id, {"failure": reason})
        case ChargebackRecorded():
            return _charged_back(payment, event)


def _refund_changes(
    refund: Document, event: RefundRequested | RefundCompleted | RefundFailed
) -> Document:
    match event:
        case RefundRequested(payment_id=payment_id, amount_minor=amount_minor, reason=reason):
            return {"payment_id": payment_id, "requested_minor": amount_minor, "reason": reason}
        case RefundCompleted(psp_reference=reference, amount_minor=amount_minor):
            if reference in refund["psp_references"]:
                return {}
            return {
                "refunded_minor": (refund["refunded_minor"] or 0) + amount_minor,
                "psp_references": [*refund["psp_references"], reference],
                "status": "COMPLETED",
            }
        case RefundFailed(reason=reason):
            is_done = refund["status"] == "COMPLETED"
            return {"failure": reason, "status": "COMPLETED" if is_done else FAILED}


def _authorised(payment: Document, event: PaymentAuthorised) -> Document:
    known = payment["authorisations"]
    if any(fact["psp_reference"] == event.psp_reference for fact in known):
        return {}
    expires_at = None if event.expires_at_us is None else rfc3339(event.expires_at_us)
    fact = {
        "psp_reference": event.psp_reference,
        "amount_minor": event.amount_minor,
        "expires_at": expires_at,
    }
    return {
        "authorised_minor": payment["authorised_minor"] + event.amount_minor,
        "authorisations": [*known, fact],
    }


def _released(payment: Document, kind: str, amount_minor: int) -> Document:
    return {
        "authorised_minor": max(0, payment["authorised_minor"] - amount_minor),
        "released": [*payment["released"], {"kind": kind, "amount_minor": amount_minor}],
    }


def _captured(payment: Document, event: PaymentCaptured) -> Document:
    known = [one for capture in payment["captures"] for one in capture["psp_references"]]
    if event.psp_reference in known:
        return {}
    known_capture = _find(payment["captures"], "capture_id", event.capture_id)
    capture = known_capture or _no_capture(event.capture_id)
    taken = {
        "captured_minor": (capture["captured_minor"] or 0) + event.amount_minor,
        "psp_references": [*capture["psp_references"], event.psp_reference],
    }
    return {
        "captured_minor": payment["captured_minor"] + event.amount_minor,
        **_capture(payment, event.capture_id, taken),
    }


def _charged_back(payment: Document, event: ChargebackRecorded) -> Document:
    known = payment["chargebacks"]
    if any(fact["psp_reference"] == event.psp_reference for fact in known):
        return {}
    fact = {"psp_reference": event.psp_reference, "amount_minor": event.amount_minor}
    return {
        "charged_back_minor": payment["charged_back_minor"] + event.amount_minor,
        "chargebacks": [*known, fact],
    }


def _capture(payment: Document, capture_id: str, changes: Document) -> Document:
    capture = _find(payment["captures"], "capture_id", capture_id) or _no_capture(capture_id)
    return {"captures": replaced(payment["captures"], "capture_id", capture | changes)}


def _find(items: list[Document], key: str, value: str) -> Document | None:
    for item in items:
        if item[key] == value:
            return item
    return None


def _no_payment(payment_id: str) -> Document:
    return {
        "payment_id": payment_id,
        "method": None,
        "status": PaymentStatus.NONE.value,
        "requested_minor": None,
        "authorised_minor": 0,
        "capture_requested_minor": 0,
        "captured_minor": 0,
        "refunded_minor": 0,
        "charged_back_minor": 0,
        "authorisations": [],
        "failures": [],
        "released": [],
        "captures": [],
        "chargebacks": [],
    }


def _no_capture(capture_id: str) -> Document:
    return {
        "capture_id": capture_id,
        "requested_minor": None,
        "captured_minor": None,
        "psp_references": [],
        "failure": None,
    }


def _no_refund(event: RefundRequested | RefundCompleted | RefundFailed) -> Document:
    return _no_refund_of(event.refund_id, event.payment_id)


def _no_refund_of(refund_id: str, payment_id: str | None) -> Document:
    return {
        "refund_id": refund_id,
        "payment_id": payment_id,
        "status": "REQUESTED",
        "requested_minor": None,
        "refunded_minor": None,
        "reason": None,
        "psp_references": [],
        "failure": None,
    }


def _named(payment: Document, refunds: list[Document]) -> Document:
    """Name one payment's state by the order's rule, measured against what was asked for."""
    refunded_minor = sum(
        refund["refunded_minor"] or 0
        for refund in refunds
        if refund["payment_id"] == payment["payment_id"]
    )
    authorised_minor, captured_minor = payment["authorised_minor"], payment["captured_minor"]
    known = {"refunded_minor": refunded_minor}
    if payment["failures"] and not authorised_minor and not captured_minor:
        return payment | known | {"status": FAILED}
    asked_minor = payment["requested_minor"]
    total_minor = max(authorised_minor, captured_minor) if asked_minor is None else asked_minor
    money = Money(
        total_minor,
        authorised_minor=authorised_minor,
        captured_minor=captured_minor,
        refunded_minor=refunded_minor,
        charged_back_minor=payment["charged_back_minor"],
    )
    status = payment_status(
        money,
        is_pending=not payment["authorisations"] and not payment["captures"],
        is_voided=bool(payment["released"]),
    )
    return payment | known | {"status": status.value}
