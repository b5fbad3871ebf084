"""Giving money back, and what the customer's bank takes back (invariants I8 to I11)."""

from domain.commands import (
    RecordChargeback,
    RecordRefund,
    RecordRefundFailure,
    RequestRefund,
)
from domain.currencies import written
from domain.errors import Rejected
from domain.events import (
    ChargebackRecorded,
    OrderEvent,
    RefundCompleted,
    RefundFailed,
    RefundRequested,
)
from domain.order import Order, PspFact, Refund
from domain.rules.money.psp import (
    is_recorded,
    require_positive,
    require_recordable,
    require_same_amount,
)
from domain.rules.review import require_open
from domain.statuses import Lifecycle

_ENDED_EARLY = frozenset({Lifecycle.CANCELLED, Lifecycle.REJECTED, Lifecycle.EXPIRED})
"""Orders that came to nothing: what was taken for them is given back (invariant I14)."""


def request_refund(state: Order, command: RequestRefund) -> list[OrderEvent]:
    """Ask the PSP to give money back. The same request again: nothing."""
    if _is_refund_known(state, command):
        return []
    if state.lifecycle not in _ENDED_EARLY:
        require_open(state)
    require_positive(command.amount_minor)
    _require_captured(state, command)
    return [
        RefundRequested(command.refund_id, command.payment_id, command.amount_minor, command.reason)
    ]


def record_refund(state: Order, command: RecordRefund) -> list[OrderEvent]:
    """Record that the PSP gave money back. The same fact again, under whatever id: nothing."""
    payment_id = _payment_of(state, command.refund_id)
    known_minor = _known_fact(state, PspFact.REFUNDED, payment_id, command.psp_reference)
    if known_minor is not None:
        require_same_amount(
            known_minor, command.amount_minor, command.psp_reference, state.currency
        )
        return []
    require_recordable(command.amount_minor, state.refunded_minor)
    return [
        RefundCompleted(
            refund_id=command.refund_id,
            payment_id=payment_id,
            psp_reference=command.psp_reference,
            amount_minor=command.amount_minor,
            currency=state.currency,
            customer_id=state.customer_id,
        )
    ]


def record_refund_failure(state: Order, command: RecordRefundFailure) -> list[OrderEvent]:
    """Record that the PSP could not give the money back. The same fact again: nothing."""
    payment_id = _payment_of(state, command.refund_id)
    if _known_fact(state, PspFact.REFUND_FAILED, payment_id, command.psp_reference) is not None:
        return []
    return [RefundFailed(command.refund_id, payment_id, command.psp_reference, command.reason)]


def record_chargeback(state: Order, command: RecordChargeback) -> list[OrderEvent]:
    """Record that the customer's bank took money back. The same fact again: nothing."""
    fact = (PspFact.CHARGED_BACK, command.psp_reference)
    if is_recorded(state, command.payment_id, fact, command.amount_minor):
        return []
    require_recordable(command.amount_minor, state.money.charged_back_minor)
    return [
        ChargebackRecorded(
            payment_id=command.payment_id,
            psp_reference=command.psp_reference,
            amount_minor=command.amount_minor,
            currency=state.currency,
            customer_id=state.customer_id,
        )
    ]


def _payment_of(state: Order, refund_id: str) -> str | None:
    refund = state.refunds.get(refund_id)
    return None if refund is None else refund.payment_id


def _known_fact(state: Order, kind: PspFact, payment_id: str | None, reference: str) -> int | None:
    """Return the amount of a fact that is known.

    A refund that nobody had asked for has no payment: there the reference alone tells.
    """
    for (known_kind, known_payment, known_reference), amount_minor in state.refund_facts.items():
        is_payment = known_payment == payment_id or None in {known_payment, payment_id}
        if (known_kind, known_reference) == (kind, reference) and is_payment:
            return amount_minor
    return None


def _is_refund_known(state: Order, command: RequestRefund) -> bool:
    """Tell whether this was asked for, or given unasked; raises `Rejected` when the id is used."""
    refund = state.refunds.get(command.refund_id)
    if refund is None:
        return False
    if refund.requested_minor is None:
        is_same = refund.refunded_minor == command.amount_minor
    else:
        known = (refund.payment_id, refund.requested_minor, refund.reason)
        is_same = known == (command.payment_id, command.amount_minor, command.reason)
    if is_same:
        return True
    raise Rejected(
        "refund-id-reused",
        f"Refund {command.refund_id} already exists with another payment, amount or reason.",
    )


def _require_captured(state: Order, command: RequestRefund) -> None:
    """Refuse to give back more than was taken, of the order and of the payment (invariant I8)."""
    payment = state.payments.get(command.payment_id)
    if payment is None:
        raise Rejected("payment-unknown", f"This order has no payment {command.payment_id}.")
    money = state.money
    of_payment = [r for r in state.refunds.values() if r.payment_id == command.payment_id]
    left_minor = min(
        money.captured_minor - money.charged_back_minor - _given(list(state.refunds.values())),
        payment.captured_minor - payment.charged_back_minor - _given(of_payment),
    )
    if command.amount_minor > left_minor:
        raise Rejected(
            "refund-exceeds-captured",
            f"{written(command.amount_minor, state.currency)} cannot be given back: of what was "
            f"taken with this payment only {written(max(0, left_minor), state.currency)} are left.",
        )


def _given(refunds: list[Refund]) -> int:
    """Return what these refunds have given back or still may."""
    return sum((refund.refunded_minor or 0) + refund.open_minor for refund in refunds)
