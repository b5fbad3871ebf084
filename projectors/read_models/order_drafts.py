"""How facts about a draft change its document. Prices are as they are; discounts are not spread."""

from typing import assert_never

from domain.events import (
    AddressesSet,
    DiscountApplied,
    DiscountRemoved,
    DraftEvent,
    LineAdded,
    LineQuantityChanged,
    LineRemoved,
    OrderDrafted,
    OrderRepriced,
    ShippingSelected,
)
from domain.statuses import Lifecycle
from domain.values import Discount, PlacedLine, Shipping
from projectors.kinds import Document
from projectors.read_models import order_lines as parts


def evolve(order: Document, event: DraftEvent, _at_us: int) -> Document:
    """Return what the fact changes of the document."""
    match event:
        case OrderDrafted(customer_id=customer_id, currency=currency):
            return {
                "lifecycle": Lifecycle.DRAFT.value,
                "customer_id": customer_id,
                "currency": currency,
            }
        case AddressesSet():
            return _addressed(event)
        case _:
            changed = order | _changed(order, event)
            return changed | _priced(changed)


def _changed(
    order: Document,
    event: LineAdded
    | LineQuantityChanged
    | LineRemoved
    | ShippingSelected
    | DiscountApplied
    | DiscountRemoved
    | OrderRepriced,
) -> Document:
    lines, discounts = order["lines"], order["discounts"]
    match event:
        case LineAdded():
            (added,) = parts.placed([_line(event)])
            return {"lines": parts.replaced(lines, "line_id", added)}
        case LineQuantityChanged(line_id=line_id, quantity=quantity):
            return {"lines": parts.changed(lines, "line_id", line_id, {"quantity": quantity})}
        case LineRemoved(line_id=line_id):
            return {
                "lines": [line for line in lines if line["line_id"] != line_id],
                "discounts": [known for known in discounts if known["line_id"] != line_id],
            }
        case ShippingSelected(method=method, price_minor=price_minor):
            return {"shipping": parts.shipping(Shipping(method, price_minor))}
        case DiscountApplied(discount_id=discount_id):
            applied = parts.discount(Discount(discount_id, event.amount_minor, event.line_id))
            return {"discounts": parts.replaced(discounts, "discount_id", applied)}
        case DiscountRemoved(discount_id=discount_id):
            left = [known for known in discounts if known["discount_id"] != discount_id]
            return {"discounts": left}
        case OrderRepriced():
            return {"lines": _repriced(lines, event)}
        case _:
            assert_never(event)


def _addressed(event: AddressesSet) -> Document:
    given = {
        "ship_to": parts.address(event.ship_to),
        "bill_to": parts.address(event.bill_to),
        "contact": parts.contact(event.contact),
    }
    return {name: value for name, value in given.items() if value is not None}


def _line(event: LineAdded) -> PlacedLine:
    return PlacedLine(
        event.line_id,
        event.sku,
        event.name,
        event.quantity,
        event.unit_price_minor,
        event.taxes,
        0,
        0,
        0,
    )


def _repriced(lines: list[Document], event: OrderRepriced) -> list[Document]:
    for line in event.lines:
        price = {"unit_price_minor": line.unit_price_minor, "taxes": parts.taxes(line.taxes)}
        lines = parts.changed(lines, "line_id", line.line_id, price)
    return lines


def _priced(order: Document) -> Document:
    """Return lines and sums of a draft by today's prices."""
    discounts = order["discounts"]
    lines = [_line_priced(line, discounts) for line in order["lines"]]
    off_all = sum(known["amount_minor"] for known in discounts if known["line_id"] is None)
    sums = parts.sums(lines)
    shipping_minor = order["shipping"]["price_minor"] if order["shipping"] else 0
    goods_minor = max(0, sum(line["total_minor"] for line in lines) - off_all)
    return {
        "lines": lines,
        **sums,
        "discount_minor": sums["discount_minor"] + off_all,
        "shipping_minor": shipping_minor,
        "total_minor": goods_minor + shipping_minor,
    }


def _line_priced(line: Document, discounts: list[Document]) -> Document:
    off = sum(known["amount_minor"] for known in discounts if known["line_id"] == line["line_id"])
    added = sum(tax["amount_minor"] for tax in line["taxes"] if not tax["included"])
    return line | {
        "discount_minor": off,
        "tax_minor": sum(tax["amount_minor"] for tax in line["taxes"]),
        "total_minor": line["quantity"] * line["unit_price_minor"] - off + added,
    }
