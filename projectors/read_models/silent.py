"""Facts that move no amount: sums have nothing to add for them.

A new fact belongs here or into the match of every tally; the type check fails until it does.
"""

from typing import TypeAlias, get_args

from typing_extensions import TypeIs

from domain.events import (
    AmendmentDeclined,
    AmendmentProposed,
    AmendmentWithdrawn,
    CaptureFailed,
    CaptureRequested,
    ContactCorrected,
    CustomerDataErased,
    DraftEvent,
    GoodsEvent,
    NoteAdded,
    OrderAccepted,
    OrderArchived,
    OrderCompleted,
    OrderEvent,
    OrderExpired,
    OrderHeld,
    OrderHoldReleased,
    OrderRejected,
    PaymentAuthorisationExpired,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)

Silent: TypeAlias = (
    DraftEvent
    | GoodsEvent
    | OrderAccepted
    | OrderRejected
    | OrderExpired
    | OrderHeld
    | OrderHoldReleased
    | OrderCompleted
    | OrderArchived
    | NoteAdded
    | ContactCorrected
    | CustomerDataErased
    | AmendmentProposed
    | AmendmentDeclined
    | AmendmentWithdrawn
    | PaymentAuthorisationRequested
    | PaymentAuthorised
    | PaymentAuthorisationFailed
    | PaymentAuthorisationExpired
    | PaymentVoided
    | CaptureRequested
    | CaptureFailed
    | RefundRequested
    | RefundFailed
)

_SILENT = frozenset(get_args(Silent))


def is_silent(event: OrderEvent) -> TypeIs[Silent]:
    """Tell whether a sum has nothing to add; a look into a set, as most events are."""
    return type(event) in _SILENT
