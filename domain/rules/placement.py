"""Placing an order: what it must have, and how its prices are frozen (invariants I1 to I5)."""

from collections.abc import Mapping
from itertools import count

from domain.commands import Place, PlaceOrder
from domain.currencies import EXPONENTS, written
from domain.errors import OrderExists, Rejected
from domain.events import OrderEvent, OrderPlaced
from domain.order import Order
from domain.pricing import order_total, price_lines, require_int64, sum_discounts
from domain.values import Discount, Line, Shipping


def place_order(state: Order, command: PlaceOrder) -> list[OrderEvent]:
    """Place a whole order. Its id can be used once; a retry is known by its command id."""
    if state.lifecycle is not None:
        raise OrderExists("There already is an order with this id.")
    if not command.customer_id:
        raise Rejected("customer-missing", "An order needs a customer.")
    if command.currency not in EXPONENTS:
        raise Rejected("currency-unknown", f"{command.currency!r} is no ISO 4217 currency.")
    _require_lines(command.lines)
    lines = _numbered(command.lines)
    _require_shipping(command.shipping)
    _require_discounts(lines, command.discounts, command.currency)
    return [_priced(command, lines)]


def _require_lines(lines: tuple[Line, ...]) -> None:
    if not lines:
        raise Rejected("lines-missing", "An order needs at least one line.")
    for line in lines:
        if line.quantity <= 0:
            raise Rejected("quantity-not-positive", "Every quantity must be at least 1.")
        if line.unit_price_minor < 0:
            raise Rejected("price-negative", "A price cannot be below zero.")
        if any(tax.amount_minor < 0 for tax in line.taxes):
            raise Rejected("tax-negative", "A tax cannot be below zero; give a discount instead.")


def _numbered(lines: tuple[Line, ...]) -> Mapping[str, Line]:
    """Key the lines by their id; those without one get the first free of 1, 2, 3 …."""
    given = [line.line_id for line in lines if line.line_id is not None]
    taken = set(given)
    if len(taken) < len(given):
        raise Rejected("line-id-repeated", "Two lines have the same line id.")
    free = (str(number) for number in count(1) if str(number) not in taken)
    return {next(free) if line.line_id is None else line.line_id: line for line in lines}


def _require_shipping(shipping: Shipping | None) -> None:
    if shipping is not None and shipping.price_minor < 0:
        raise Rejected("price-negative", "The price of shipping cannot be below zero.")


def _require_discounts(
    lines: Mapping[str, Line], discounts: tuple[Discount, ...], currency: str
) -> None:
    """Refuse discounts that are not on this order, or above what they are on (I2)."""
    if not discounts:
        return
    if len({discount.discount_id for discount in discounts}) < len(discounts):
        raise Rejected("discount-id-repeated", "Two discounts have the same discount id.")
    for discount in discounts:
        if discount.amount_minor < 0:
            raise Rejected("discount-negative", "A discount cannot be below zero.")
        if discount.line_id is not None and discount.line_id not in lines:
            raise Rejected(
                "discount-line-unknown",
                f"Discount {discount.discount_id} is on line {discount.line_id}, which this order "
                "does not have.",
            )
    sums = sum_discounts(discounts)
    remaining_minor = 0
    for line_id, line in lines.items():
        value_minor = line.quantity * line.unit_price_minor
        _require_discount_within(sums.get(line_id, 0), value_minor, f"line {line_id}", currency)
        remaining_minor += value_minor - sums.get(line_id, 0)
    _require_discount_within(sums.get(None, 0), remaining_minor, "the order", currency)


def _require_discount_within(
    discount_minor: int, value_minor: int, subject: str, currency: str
) -> None:
    if discount_minor > value_minor:
        raise Rejected(
            "discount-exceeds-value",
            f"{written(discount_minor, currency)} off {subject} is more than the "
            f"{written(value_minor, currency)} that its goods cost.",
        )


def _priced(command: PlaceOrder, lines: Mapping[str, Line]) -> OrderPlaced:
    placed = price_lines(lines, command.discounts)
    shipping_minor = 0 if command.shipping is None else command.shipping.price_minor
    event = OrderPlaced(
        customer_id=command.customer_id,
        currency=command.currency,
        lines=placed,
        discounts=command.discounts,
        shipping=command.shipping,
        contact=command.contact,
        ship_to=command.ship_to,
        bill_to=command.bill_to,
        subtotal_minor=sum(line.quantity * line.unit_price_minor for line in placed),
        discount_minor=sum(line.discount_minor for line in placed),
        tax_minor=sum(line.tax_minor for line in placed),
        shipping_minor=shipping_minor,
        total_minor=order_total(placed, shipping_minor),
    )
    require_int64(event.subtotal_minor, event.tax_minor, event.total_minor)
    return event


def place(state: Order, command: Place) -> list[OrderEvent]:
    raise NotImplementedError
