"""Taking authorised money: what may be asked of the PSP, and what it tells (I8 to I11)."""

from domain.commands import RecordCapture, RecordCaptureFailure, RequestCapture
from domain.currencies import written
from domain.errors import Rejected
from domain.events import CaptureFailed, CaptureRequested, OrderEvent, PaymentCaptured
from domain.order import Capture, Order, Payment, PspFact
from domain.rules.money.psp import is_recorded, require_positive, require_recordable
from domain.rules.review import require_open


def request_capture(state: Order, command: RequestCapture) -> list[OrderEvent]:
    """Ask the PSP to take authorised money. The same request again: nothing."""
    if _is_capture_known(state, command):
        return []
    require_open(state)
    payment = state.payments.get(command.payment_id)
    if payment is None:
        raise Rejected("payment-unknown", f"This order has no payment {command.payment_id}.")
    require_positive(command.amount_minor)
    _require_authorised(payment, command.amount_minor, state.currency)
    return [CaptureRequested(command.payment_id, command.capture_id, command.amount_minor)]


def record_capture(state: Order, command: RecordCapture) -> list[OrderEvent]:
    """Record that the PSP took money. The same fact again, under whatever capture id: nothing."""
    fact = (PspFact.CAPTURED, command.psp_reference)
    if is_recorded(state, command.payment_id, fact, command.amount_minor):
        return []
    require_recordable(command.amount_minor, state.captured_minor)
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


def record_capture_failure(state: Order, command: RecordCaptureFailure) -> list[OrderEvent]:
    """Record that the PSP could not take the money. The same fact again: nothing."""
    fact = (PspFact.CAPTURE_FAILED, command.psp_reference)
    if is_recorded(state, command.payment_id, fact, 0):
        return []
    return [
        CaptureFailed(command.payment_id, command.capture_id, command.psp_reference, command.reason)
    ]


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
