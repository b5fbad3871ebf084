"""Asking the payment provider (PSP), and telling what it said."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RequestAuthorisation:
    """Ask the PSP to set money aside."""

    payment_id: str
    amount_minor: int
    method: str | None = None


@dataclass(frozen=True, slots=True)
class RecordAuthorisation:
    """Tell that the PSP set money aside."""

    payment_id: str
    psp_reference: str
    amount_minor: int
    expires_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class RecordAuthorisationFailure:
    """Tell that the PSP said no."""

    payment_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExpireAuthorisation:
    """Tell that the PSP holds the money no longer."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class VoidAuthorisation:
    """Give free what was set aside and not taken."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class RequestCapture:
    """Ask the PSP to take authorised money."""

    payment_id: str
    capture_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RecordCapture:
    """Tell that the PSP took money."""

    payment_id: str
    capture_id: str
    psp_reference: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RecordCaptureFailure:
    """Tell that the PSP could not take the money."""

    payment_id: str
    capture_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestRefund:
    """Ask the PSP to give money back."""

    refund_id: str
    payment_id: str
    amount_minor: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RecordRefund:
    """Tell that the PSP gave money back."""

    refund_id: str
    psp_reference: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RecordRefundFailure:
    """Tell that the PSP could not give the money back."""

    refund_id: str
    psp_reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordChargeback:
    """Tell that the customer's bank took money back."""

    payment_id: str
    psp_reference: str
    amount_minor: int


PaymentCommand: TypeAlias = (
    RequestAuthorisation
    | RecordAuthorisation
    | RecordAuthorisationFailure
    | ExpireAuthorisation
    | VoidAuthorisation
    | RequestCapture
    | RecordCapture
    | RecordCaptureFailure
    | RequestRefund
    | RecordRefund
    | RecordRefundFailure
    | RecordChargeback
)
