"""What is asked of the payment provider (PSP), and what it tells."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PaymentAuthorisationRequested:
    """The payment provider (PSP) is to be asked to set `amount_minor` aside."""

    payment_id: str
    amount_minor: int
    method: str | None


@dataclass(frozen=True, slots=True)
class PaymentAuthorised:
    """The PSP set `amount_minor` aside."""

    payment_id: str
    psp_reference: str
    amount_minor: int
    expires_at_us: int | None


@dataclass(frozen=True, slots=True)
class PaymentAuthorisationFailed:
    """The PSP said no."""

    payment_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentAuthorisationExpired:
    """The PSP holds `amount_minor` no longer: it was not taken in time."""

    payment_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class PaymentVoided:
    """The shop gave `amount_minor` free that was set aside and not taken."""

    payment_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CaptureRequested:
    """The PSP is to be asked to take `amount_minor`; `capture_id` is its idempotency key."""

    payment_id: str
    capture_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class PaymentCaptured:
    """The PSP took `amount_minor`."""

    payment_id: str
    capture_id: str
    psp_reference: str
    amount_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class CaptureFailed:
    """The PSP could not take what it was asked for."""

    payment_id: str
    capture_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefundRequested:
    """The PSP is to be asked to give `amount_minor` back; `refund_id` is its idempotency key."""

    refund_id: str
    payment_id: str
    amount_minor: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class RefundCompleted:
    """The PSP gave `amount_minor` back. `payment_id` None: nobody had asked for this refund."""

    refund_id: str
    payment_id: str | None
    psp_reference: str
    amount_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """The PSP could not give the money back."""

    refund_id: str
    payment_id: str | None
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChargebackRecorded:
    """The customer's bank took `amount_minor` back."""

    payment_id: str
    psp_reference: str
    amount_minor: int
    currency: str
    customer_id: str


PaymentEvent: TypeAlias = (
    PaymentAuthorisationRequested
    | PaymentAuthorised
    | PaymentAuthorisationFailed
    | PaymentAuthorisationExpired
    | PaymentVoided
    | CaptureRequested
    | PaymentCaptured
    | CaptureFailed
    | RefundRequested
    | RefundCompleted
    | RefundFailed
    | ChargebackRecorded
)
