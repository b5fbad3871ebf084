"""The arithmetic of an order: line totals, discount shares, the value of cancelled pieces.

Everything is `int` minor units. A sum that does not fit a signed 64-bit number is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from domain.errors import Rejected
from domain.values import INT64_MAX, Discount, Line, PlacedLine


def require_int64(*amounts: int) -> None:
    """Refuse what cannot be stored; raises `Rejected` (`amount-overflow`): use smaller numbers."""
    for amount in amounts:
        if abs(amount) > INT64_MAX:
            raise Rejected("amount-overflow", "An amount or quantity is too large to be recorded.")


def allocate(amount_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split an amount >= 0 in proportion to `weights` (>= 0) by largest remainder.

    The shares add up to exactly `amount_minor` and none is above its weight as long as the amount
    is not above the sum of weights. Equal remainders: the earlier one gets more. Without any
    weight there is nothing to split over: all shares are 0.
    """
    weight_sum = sum(weights)
    if amount_minor == 0 or weight_sum == 0:
        return (0,) * len(weights)
    shares = [amount_minor * weight // weight_sum for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda i: -(amount_minor * weights[i] % weight_sum)
    )
    for i in by_remainder[: amount_minor - sum(shares)]:
        shares[i] += 1
    return tuple(shares)


def sum_discounts(discounts: Iterable[Discount]) -> Mapping[str | None, int]:
    """Add discounts up by the line they are on; the order's own are under None."""
    sums: dict[str | None, int] = {}
    for discount in discounts:
        sums[discount.line_id] = sums.get(discount.line_id, 0) + discount.amount_minor
    return sums


def price_lines(lines: Mapping[str, Line], discounts: Iterable[Discount]) -> tuple[PlacedLine, ...]:
    """Freeze the lines (by line id), the order's discounts spread over them (invariants I2, I3).

    The order's discounts are shared out in proportion to what each line costs after its own
    discounts. Expects discounts that are not above what they are on.

    Raises:
        Rejected: `amount-overflow`; the order is too large to be kept.

    """
    sums = sum_discounts(discounts)
    if not sums:
        return tuple(_placed(line_id, line, 0) for line_id, line in lines.items())
    subtotals = [line.quantity * line.unit_price_minor for line in lines.values()]
    owns = [sums.get(line_id, 0) for line_id in lines]
    weights = [subtotal - own for subtotal, own in zip(subtotals, owns, strict=True)]
    shares = allocate(sums.get(None, 0), weights)
    return tuple(
        _placed(line_id, line, own + share)
        for (line_id, line), own, share in zip(lines.items(), owns, shares, strict=True)
    )


def _placed(line_id: str, line: Line, discount_minor: int) -> PlacedLine:
    subtotal_minor = line.quantity * line.unit_price_minor
    tax_minor = added_minor = 0
    for tax in line.taxes:
        tax_minor += tax.amount_minor
        added_minor += 0 if tax.included else tax.amount_minor
    total_minor = subtotal_minor - discount_minor + added_minor
    require_int64(subtotal_minor, tax_minor, total_minor)
    return PlacedLine(
        line_id=line_id,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        taxes=line.taxes,
        discount_minor=discount_minor,
        tax_minor=tax_minor,
        total_minor=total_minor,
    )


def repriced(line: PlacedLine, quantity: int) -> PlacedLine:
    """Return a placed line with another quantity: the same unit price, its taxes in proportion.

    Its discount shrinks with the pieces and never grows: discounts are spread once (I3).

    Raises:
        Rejected: `amount-overflow`; the line is too large to be kept.

    """
    before = max(1, line.quantity)
    taxes = tuple(
        replace(tax, amount_minor=tax.amount_minor * quantity // before) for tax in line.taxes
    )
    discount_minor = min(line.discount_minor, line.discount_minor * quantity // before)
    asked = Line(line.sku, quantity, line.unit_price_minor, name=line.name, taxes=taxes)
    return _placed(line.line_id, asked, discount_minor)


def order_total(lines: Iterable[PlacedLine], shipping_minor: int) -> int:
    """Return what the whole order costs: its lines and its shipping (invariant I2)."""
    return sum(line.total_minor for line in lines) + shipping_minor


def value_of(pieces: int, *, of_pieces: int, worth_minor: int) -> int:
    """Return what `pieces` of a line are worth when `of_pieces` are left, worth `worth_minor`.

    Whatever the steps, taking all pieces that are left adds up to exactly what was left.
    """
    return max(0, worth_minor) * pieces // of_pieces
