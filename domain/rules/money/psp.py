"""What holds for all facts that the PSP tells (invariants I9 to I11).

Asking has rules. A PSP fact can always be recorded, even one that should not have happened: on an
ended order, for an unknown payment, above what was authorised. It is counted once, known by
payment, kind and PSP reference.
"""

from domain.currencies import written
from domain.errors import Rejected
from domain.order import Order, PspFact
from domain.pricing import require_int64


def is_recorded(
    state: Order, payment_id: str, fact: tuple[PspFact, str], amount_minor: int
) -> bool:
    """Tell whether the fact is known; raises `Rejected` when it is known with another amount."""
    payment = state.payments.get(payment_id)
    known_minor = None if payment is None else payment.facts.get(fact)
    if known_minor is None:
        return False
    require_same_amount(known_minor, amount_minor, fact[1], state.currency)
    return True


def require_same_amount(
    known_minor: int, amount_minor: int, psp_reference: str, currency: str
) -> None:
    """Refuse a fact that is known with another amount: one of the two reports is wrong."""
    if known_minor != amount_minor:
        raise Rejected(
            "psp-reference-reused",
            f"{psp_reference} was already recorded with {written(known_minor, currency)}; "
            f"it cannot also be {written(amount_minor, currency)}.",
        )


def require_positive(amount_minor: int) -> None:
    """Refuse to ask for no money, or for more than can be recorded."""
    if amount_minor <= 0:
        raise Rejected("amount-not-positive", "The amount must be more than zero.")
    require_int64(amount_minor)


def require_recordable(amount_minor: int, sum_minor: int) -> None:
    """Refuse only what is no amount of money, or would not fit the order's sum."""
    if amount_minor < 0:
        raise Rejected("amount-negative", "An amount that the PSP reports cannot be below zero.")
    require_int64(amount_minor + sum_minor)
