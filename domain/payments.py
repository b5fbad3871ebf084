"""Money: what may be asked of the PSP, and what the PSP tells (invariants I8 to I11).

Asking has rules. A PSP fact can always be recorded, even one that should not have happened: on an
ended order, for an unknown payment, above what was authorised. It is counted once, known by
payment, kind and PSP reference.
"""

from domain.commands import (
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordCapture,
    RequestAuthorisation,
    RequestCapture,
)
from domain.currencies import written
from domain.errors import Rejected
from domain.events import (
    CaptureRequested,
    OrderEvent,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
)
from domain.order import Capture, Order, Payment, PspFact
from domain.pricing import require_int64
from domain.review import require_open


def request_authorisation(state: Order, command: RequestAuthorisation) -> list[OrderEvent]:
    """Ask the PSP to set money aside. The same request again: nothing."""
    payment = state.payments.get(command.payment_id)
    if payment is not None:
        if (payment.requested_minor, payment.method) == (command.amount_minor, command.method):
            return []
        raise Rejected(
            "payment-id-reused",
            f"Payment {command.payment_id} already exists with another amount or method.",
        )
    require_open(state)
    _require_positive(command.amount_minor)
    return [PaymentAuthorisationRequested(command.payment_id, command.amount_minor, command.method)]


def record_authorisation(state: Order, command: RecordAuthorisation) -> list[OrderEvent]:
    """Record that the PSP set money aside. The same fact again: nothing."""
    fact = (PspFact.AUTHORISED, command.psp_reference)
    if _is_recorded(state, command.payment_id, fact, command.amount_minor):
        return []
    _require_recordable(command.amount_minor, state.authorised_minor)
    return [
        PaymentAuthorised(
            command.payment_id, command.psp_reference, command.amount_minor, command.expires_at_us
        )
    ]


def record_authorisation_failure(
    state: Order, command: RecordAuthorisationFailure
) -> list[OrderEvent]:
    """Record that the PSP said no. The same fact again: nothing."""
    fact = (PspFact.AUTHORISATION_FAILED, command.psp_reference)
    if _is_recorded(state, command.payment_id, fact, 0):
        return []
    return [PaymentAuthorisationFailed(command.payment_id, command.psp_reference, command.reason)]


def request_capture(state: Order, command: RequestCapture) -> list[OrderEvent]:
    """Ask the PSP to take authorised money. The same request again: nothing."""
    if _is_capture_known(state, command):
        return []
    require_open(state)
    payment = state.payments.get(command.payment_id)
    if payment is None:
        raise Rejected("payment-unknown", f"This order has no payment {command.payment_id}.")
    _require_positive(command.amount_minor)
    _require_authorised(payment, command.amount_minor, state.currency)
    return [CaptureRequested(command.payment_id, command.capture_id, command.amount_minor)]


def record_capture(state: Order, command: RecordCapture) -> list[OrderEvent]:
    """Record that the PSP took money. The same fact again, under whatever capture id: nothing."""
    fact = (PspFact.CAPTURED, command.psp_reference)
    if _is_recorded(state, command.payment_id, fact, command.amount_minor):
        return []
    _require_recordable(command.amount_minor, state.captured_minor)
    return [
        PaymentCaptured(
            payment_id=command.payment_id,
            capture_id=command.capture_id,
            psp_reference=command.psp_reference,
            amount_minor=command.amount_minor,
            currency=state.currency,
            customer_id=state.customer_id,
        )
    ]


def _is_recorded(
    state: Order, payment_id: str, fact: tuple[PspFact, str], amount_minor: int
) -> bool:
    """Tell whether the fact is known; raises `Rejected` when it is known with another amount."""
    payment = state.payments.get(payment_id)
    known_minor = None if payment is None else payment.facts.get(fact)
    if known_minor is not None and known_minor != amount_minor:
        _, psp_reference = fact
        raise Rejected(
            "psp-reference-reused",
            f"{psp_reference} of payment {payment_id} was already recorded with "
            f"{written(known_minor, state.currency)}; it cannot also be "
            f"{written(amount_minor, state.currency)}.",
        )
    return known_minor is not None


def _require_positive(amount_minor: int) -> None:
    """Refuse to ask for no money, or for more than can be recorded."""
    if amount_minor <= 0:
        raise Rejected("amount-not-positive", "The amount must be more than zero.")
    require_int64(amount_minor)


def _require_recordable(amount_minor: int, sum_minor: int) -> None:
    """Refuse only what is no amount of money, or would not fit the order's sum."""
    if amount_minor < 0:
        raise Rejected("amount-negative", "An amount that the PSP reports cannot be below zero.")
    require_int64(amount_minor + sum_minor)


def _is_capture_known(state: Order, command: RequestCapture) -> bool:
    """Tell whether this was asked for, or taken unasked; raises `Rejected` when the id is used."""
    known = {
        payment_id: _asked(payment.captures[command.capture_id])
        for payment_id, payment in state.payments.items()
        if command.capture_id in payment.captures
    }
    if known and known.get(command.payment_id) != command.amount_minor:
        raise Rejected(
            "capture-id-reused",
            f"Capture {command.capture_id} already exists with another amount or payment.",
        )
    return bool(known)


def _asked(capture: Capture) -> int | None:
    return capture.captured_minor if capture.requested_minor is None else capture.requested_minor


def _require_authorised(payment: Payment, amount_minor: int, currency: str) -> None:
    used_minor = payment.captured_minor + payment.capture_open_minor
    if used_minor + amount_minor > payment.authorised_minor:
        left_minor = max(payment.authorised_minor - used_minor, 0)
        raise Rejected(
            "capture-exceeds-authorised",
            f"{written(amount_minor, currency)} cannot be taken: of the "
            f"{written(payment.authorised_minor, currency)} set aside for this payment only "
            f"{written(left_minor, currency)} are left.",
        )
