"""What every line, price and discount of an order must be, wherever it comes in (I1, I2, I5)."""

from collections.abc import Iterable, Mapping
from itertools import count

from domain.currencies import EXPONENTS, written
from domain.errors import Rejected
from domain.pricing import require_int64, sum_discounts
from domain.values import Discount, Line, Tax


def require_customer(customer_id: str, currency: str) -> None:
    """Refuse an order of nobody, or in money that is none."""
    if not customer_id:
        raise Rejected("customer-missing", "An order needs a customer.")
    if currency not in EXPONENTS:
        raise Rejected("currency-unknown", f"{currency!r} is no ISO 4217 currency.")


def require_quantity(quantity: int) -> None:
    """Refuse no pieces, or more than can be recorded."""
    if quantity <= 0:
        raise Rejected("quantity-not-positive", "Every quantity must be at least 1.")
    require_int64(quantity)


def require_price(unit_price_minor: int, taxes: Iterable[Tax]) -> None:
    """Refuse prices and taxes below zero."""
    if unit_price_minor < 0:
        raise Rejected("price-negative", "A price cannot be below zero.")
    require_int64(unit_price_minor)
    for tax in taxes:
        if tax.amount_minor < 0:
            raise Rejected("tax-negative", "A tax cannot be below zero; give a discount instead.")
        require_int64(tax.amount_minor)


def require_shipping_price(price_minor: int) -> None:
    """Refuse a price of shipping below zero."""
    if price_minor < 0:
        raise Rejected("price-negative", "The price of shipping cannot be below zero.")
    require_int64(price_minor)


def require_line(line: Line) -> None:
    """Refuse a line that nobody could buy."""
    require_quantity(line.quantity)
    require_price(line.unit_price_minor, line.taxes)


def numbered(lines: Iterable[Line], taken: Iterable[str] = ()) -> Mapping[str, Line]:
    """Key the lines by their id; those without one get the first free of 1, 2, 3 ….

    `taken` are the ids of lines that are there already.
    """
    asked = tuple(lines)
    given = [*taken, *(line.line_id for line in asked if line.line_id is not None)]
    if not given:
        return {str(number): line for number, line in enumerate(asked, 1)}
    used = set(given)
    if len(used) < len(given):
        raise Rejected("line-id-repeated", "Two lines have the same line id.")
    free = (str(number) for number in count(1) if str(number) not in used)
    return {next(free) if line.line_id is None else line.line_id: line for line in asked}


def require_discount(discount: Discount, lines: Iterable[str]) -> None:
    """Refuse a discount below zero, or on a line that is not there."""
    if discount.amount_minor < 0:
        raise Rejected("discount-negative", "A discount cannot be below zero.")
    require_int64(discount.amount_minor)
    if discount.line_id is not None and discount.line_id not in lines:
        raise Rejected(
            "discount-line-unknown",
            f"Discount {discount.discount_id} is on line {discount.line_id}, which this order "
            "does not have.",
        )


def require_discounts(
    lines: Mapping[str, Line], discounts: tuple[Discount, ...], currency: str
) -> None:
    """Refuse discounts that are not on this order, or above what they are on (I2)."""
    if not discounts:
        return
    if len({discount.discount_id for discount in discounts}) < len(discounts):
        raise Rejected("discount-id-repeated", "Two discounts have the same discount id.")
    for discount in discounts:
        require_discount(discount, lines)
    sums = sum_discounts(discounts)
    remaining_minor = 0
    for line_id, line in lines.items():
        value_minor = line.quantity * line.unit_price_minor
        _require_within(sums.get(line_id, 0), value_minor, f"line {line_id}", currency)
        remaining_minor += value_minor - sums.get(line_id, 0)
    _require_within(sums.get(None, 0), remaining_minor, "the order", currency)


def _require_within(discount_minor: int, value_minor: int, subject: str, currency: str) -> None:
    if discount_minor > value_minor:
        raise Rejected(
            "discount-exceeds-value",
            f"{written(discount_minor, currency)} off {subject} is more than the "
            f"{written(value_minor, currency)} that its goods cost.",
        )
