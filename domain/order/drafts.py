"""How facts about a draft change it."""

from dataclasses import replace

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
from domain.order.state import Draft, Order
from domain.statuses import Lifecycle
from domain.values import Discount, Line, Shipping


def evolve(state: Order, event: DraftEvent) -> Order:
    """Apply one fact about a draft."""
    match event:
        case OrderDrafted(customer_id=customer_id, currency=currency):
            return replace(
                state, lifecycle=Lifecycle.DRAFT, customer_id=customer_id, currency=currency
            )
        case AddressesSet(contact=contact):
            draft = _addressed(state.draft, event)
            return replace(state, draft=draft, contact=contact or state.contact)
        case _:
            return replace(state, draft=_changed(state.draft, event))


def _changed(
    draft: Draft,
    event: LineAdded
    | LineQuantityChanged
    | LineRemoved
    | ShippingSelected
    | DiscountApplied
    | DiscountRemoved
    | OrderRepriced,
) -> Draft:
    match event:
        case LineAdded(line_id=line_id):
            line = Line(
                event.sku,
                event.quantity,
                event.unit_price_minor,
                line_id,
                event.name,
                event.taxes,
            )
            return replace(draft, lines={**draft.lines, line_id: line})
        case LineQuantityChanged(line_id=line_id, quantity=quantity):
            changed = {
                key: replace(line, quantity=quantity) if key == line_id else line
                for key, line in draft.lines.items()
            }
            return replace(draft, lines=changed)
        case LineRemoved(line_id=line_id):
            return _without_line(draft, line_id)
        case ShippingSelected(method=method, price_minor=price_minor):
            return replace(draft, shipping=Shipping(method, price_minor))
        case DiscountApplied(discount_id=discount_id):
            discount = Discount(discount_id, event.amount_minor, event.line_id)
            return replace(draft, discounts={**draft.discounts, discount_id: discount})
        case DiscountRemoved(discount_id=discount_id):
            left = {key: value for key, value in draft.discounts.items() if key != discount_id}
            return replace(draft, discounts=left)
        case OrderRepriced():
            return _repriced(draft, event)


def _addressed(draft: Draft, event: AddressesSet) -> Draft:
    return replace(
        draft,
        ship_to=event.ship_to or draft.ship_to,
        bill_to=event.bill_to or draft.bill_to,
    )


def _without_line(draft: Draft, line_id: str) -> Draft:
    """Take a line away, and the discounts that were on it."""
    return replace(
        draft,
        lines={key: line for key, line in draft.lines.items() if key != line_id},
        discounts={
            key: discount
            for key, discount in draft.discounts.items()
            if discount.line_id != line_id
        },
    )


def _repriced(draft: Draft, event: OrderRepriced) -> Draft:
    prices = {line.line_id: line for line in event.lines}
    return replace(
        draft,
        lines={
            key: replace(
                line, unit_price_minor=prices[key].unit_price_minor, taxes=prices[key].taxes
            )
            if key in prices
            else line
            for key, line in draft.lines.items()
        },
    )
