"""Taking an order over that has a past elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from domain.commands import ImportOrder, PlaceOrder
from domain.errors import OrderExists, Rejected
from domain.events import OrderEvent, OrderImported, OrderPlaced
from domain.order import Order, OrderLine
from domain.order.lifecycle import with_past
from domain.rules.money.psp import require_recordable
from domain.rules.placement import priced
from domain.statuses import Lifecycle
from domain.values import ImportedLine, ImportedPayment

_IMPORTABLE = frozenset(
    {Lifecycle.PLACED, Lifecycle.ACCEPTED, Lifecycle.COMPLETED, Lifecycle.CANCELLED}
)


def import_order(state: Order, command: ImportOrder) -> list[OrderEvent]:
    """Take a whole order over. Its id can be used once; a retry is known by its command id."""
    if state.lifecycle is not None:
        raise OrderExists
    if command.lifecycle not in _IMPORTABLE:
        raise Rejected(
            "lifecycle-not-importable",
            "An order is imported as PLACED, ACCEPTED, COMPLETED or CANCELLED.",
        )
    shared = {field.name: getattr(command, field.name) for field in _SHARED}
    placed = priced(PlaceOrder(**shared))
    lines = _with_past(placed, command.past)
    _require_ended(command.lifecycle, lines)
    _require_payments(command.payments)
    return [_imported(command, placed, lines)]


_SHARED = [
    field for field in fields(PlaceOrder) if field.name in {f.name for f in fields(ImportOrder)}
]


def _with_past(placed: OrderPlaced, past: Iterable[ImportedLine]) -> Mapping[str, OrderLine]:
    known = {line.line_id: line for line in placed.lines}
    found: dict[str, ImportedLine] = {}
    for line in past:
        if line.line_id not in known:
            raise Rejected("line-unknown", f"This order has no line {line.line_id}.")
        if line.line_id in found:
            raise Rejected("line-repeated", "A line is named twice; name each line once.")
        _require_possible(line, known[line.line_id].quantity)
        found[line.line_id] = line
    return {line_id: with_past(line, found.get(line_id)) for line_id, line in known.items()}


def _require_possible(past: ImportedLine, ordered: int) -> None:
    """Refuse pieces that cannot have gone that way (invariant I4)."""
    is_counted = min(past.cancelled, past.returned) >= 0
    is_possible = past.cancelled + past.delivered <= ordered and past.returned <= past.delivered
    if not is_counted or not is_possible:
        raise Rejected(
            "past-impossible",
            f"Of line {past.line_id} more pieces are cancelled, delivered or returned than can be.",
        )


def _require_ended(lifecycle: str, lines: Mapping[str, OrderLine]) -> None:
    """Refuse an end that its pieces do not bear out."""
    for line_id, line in lines.items():
        is_cancelled = line.cancelled == line.ordered
        is_settled = line.cancelled + line.delivered_before == line.ordered
        if lifecycle == Lifecycle.CANCELLED and not is_cancelled:
            raise Rejected("pieces-open", f"Not all pieces of line {line_id} are cancelled.")
        if lifecycle == Lifecycle.COMPLETED and not is_settled:
            raise Rejected(
                "pieces-open", f"Some pieces of line {line_id} are neither delivered nor cancelled."
            )


def _require_payments(payments: Iterable[ImportedPayment]) -> None:
    """Refuse only what cannot be recorded: what the PSP did, it did (invariant I11)."""
    seen: set[str] = set()
    sums = [0, 0, 0]
    for payment in payments:
        if payment.payment_id in seen:
            raise Rejected("payment-id-repeated", "Two payments have the same payment id.")
        seen.add(payment.payment_id)
        amounts = (payment.authorised_minor, payment.captured_minor, payment.refunded_minor)
        for place, amount_minor in enumerate(amounts):
            require_recordable(amount_minor, sums[place])
            sums[place] += amount_minor


def _imported(
    command: ImportOrder, placed: OrderPlaced, lines: Mapping[str, OrderLine]
) -> OrderImported:
    cancelled_minor = sum(line.cancelled_minor for line in lines.values())
    if command.lifecycle == Lifecycle.CANCELLED:
        cancelled_minor = placed.total_minor
    returned_minor = sum(line.returned_minor for line in lines.values())
    return OrderImported(
        source=command.source,
        lifecycle=command.lifecycle,
        customer_id=placed.customer_id,
        currency=placed.currency,
        lines=placed.lines,
        past=command.past,
        payments=command.payments,
        discounts=placed.discounts,
        shipping=placed.shipping,
        contact=placed.contact,
        ship_to=placed.ship_to,
        bill_to=placed.bill_to,
        subtotal_minor=placed.subtotal_minor,
        discount_minor=placed.discount_minor,
        tax_minor=placed.tax_minor,
        shipping_minor=placed.shipping_minor,
        total_minor=placed.total_minor,
        cancelled_minor=cancelled_minor,
        returned_minor=returned_minor,
    )
