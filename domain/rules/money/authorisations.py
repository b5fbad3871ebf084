"""Setting money aside: what may be asked of the PSP, and what it tells (I8 to I11)."""

from domain.commands import (
    ExpireAuthorisation,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RequestAuthorisation,
    VoidAuthorisation,
)
from domain.errors import Rejected
from domain.events import (
    OrderEvent,
    PaymentAuthorisationExpired,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentVoided,
)
from domain.order import Order, Payment, PspFact
from domain.rules.money.psp import is_recorded, require_positive, require_recordable
from domain.rules.review import require_open


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
    require_positive(command.amount_minor)
    return [PaymentAuthorisationRequested(command.payment_id, command.amount_minor, command.method)]


def record_authorisation(state: Order, command: RecordAuthorisation) -> list[OrderEvent]:
    """Record that the PSP set money aside. The same fact again: nothing."""
    fact = (PspFact.AUTHORISED, command.psp_reference)
    if is_recorded(state, command.payment_id, fact, command.amount_minor):
        return []
    require_recordable(command.amount_minor, state.authorised_minor)
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
    if is_recorded(state, command.payment_id, fact, 0):
        return []
    return [PaymentAuthorisationFailed(command.payment_id, command.psp_reference, command.reason)]


def expire_authorisation(state: Order, command: ExpireAuthorisation) -> list[OrderEvent]:
    """Record that the PSP holds the money no longer. Nothing left to hold: nothing."""
    amount_minor = _known(state, command.payment_id).releasable_minor
    return [PaymentAuthorisationExpired(command.payment_id, amount_minor)] if amount_minor else []


def void_authorisation(state: Order, command: VoidAuthorisation) -> list[OrderEvent]:
    """Give free what was set aside and not taken. Nothing left to give free: nothing."""
    payment = _known(state, command.payment_id)
    if not payment.releasable_minor:
        return []
    if payment.capture_open_minor:
        raise Rejected(
            "capture-open",
            f"The PSP has not answered a capture of payment {command.payment_id} yet.",
        )
    return [PaymentVoided(command.payment_id, payment.releasable_minor)]


def _known(state: Order, payment_id: str) -> Payment:
    payment = state.payments.get(payment_id)
    if payment is None:
        raise Rejected("payment-unknown", f"This order has no payment {payment_id}.")
    return payment
