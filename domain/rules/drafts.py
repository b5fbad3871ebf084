"""Putting an order together before it is placed (invariant I6)."""

from domain.commands import (
    AddLine,
    ApplyDiscount,
    ChangeLineQuantity,
    CreateDraft,
    RemoveDiscount,
    RemoveLine,
    Reprice,
    SelectShipping,
    SetAddresses,
)
from domain.errors import OrderExists, Rejected
from domain.events import (
    AddressesSet,
    DiscountApplied,
    DiscountRemoved,
    LineAdded,
    LineQuantityChanged,
    LineRemoved,
    OrderDrafted,
    OrderEvent,
    OrderRepriced,
    ShippingSelected,
)
from domain.order import Order
from domain.personal import is_same
from domain.rules.customer_data import require_not_erased
from domain.rules.lines import (
    numbered,
    require_customer,
    require_discount,
    require_line,
    require_price,
    require_quantity,
    require_shipping_price,
)
from domain.rules.placement import require_draft
from domain.values import Discount, Line, RepricedLine, Shipping


def create_draft(state: Order, command: CreateDraft) -> list[OrderEvent]:
    """Begin an order. Its id can be used once; a retry is known by its command id."""
    if state.lifecycle is not None:
        raise OrderExists
    require_customer(command.customer_id, command.currency)
    return [OrderDrafted(command.customer_id, command.currency)]


def add_line(state: Order, command: AddLine) -> list[OrderEvent]:
    """Put one more line in. The same line id with the same content again: nothing.

    Without a line id every call adds a line: a retry is known by its command id alone.
    """
    require_draft(state)
    line = Line(
        command.sku,
        command.quantity,
        command.unit_price_minor,
        command.line_id,
        command.name,
        command.taxes,
    )
    require_line(line)
    if command.line_id is not None and command.line_id in state.draft.lines:
        if state.draft.lines[command.line_id] == line:
            return []
        raise Rejected(
            "line-id-reused", f"Line {command.line_id} is there already, with other content."
        )
    (line_id,) = numbered([line], state.draft.lines)
    return [
        LineAdded(line_id, line.sku, line.name, line.quantity, line.unit_price_minor, line.taxes)
    ]


def change_line_quantity(state: Order, command: ChangeLineQuantity) -> list[OrderEvent]:
    """Make a line of so many pieces. It is already: nothing."""
    require_draft(state)
    require_quantity(command.quantity)
    if _line(state, command.line_id).quantity == command.quantity:
        return []
    return [LineQuantityChanged(command.line_id, command.quantity)]


def remove_line(state: Order, command: RemoveLine) -> list[OrderEvent]:
    """Take a line out, and the discounts on it. It is not there: nothing."""
    require_draft(state)
    return [LineRemoved(command.line_id)] if command.line_id in state.draft.lines else []


def set_addresses(state: Order, command: SetAddresses) -> list[OrderEvent]:
    """Say where the order goes to and who it is for. It is already so: nothing."""
    require_draft(state)
    require_not_erased(state)
    known = (state.draft.ship_to, state.draft.bill_to, state.contact)
    asked = (command.ship_to, command.bill_to, command.contact)
    if all(new is None or is_same(new, old) for new, old in zip(asked, known, strict=True)):
        return []
    return [AddressesSet(*asked)]


def select_shipping(state: Order, command: SelectShipping) -> list[OrderEvent]:
    """Choose the way of delivery. It is chosen already: nothing."""
    require_draft(state)
    require_shipping_price(command.price_minor)
    if state.draft.shipping == Shipping(command.method, command.price_minor):
        return []
    return [ShippingSelected(command.method, command.price_minor)]


def apply_discount(state: Order, command: ApplyDiscount) -> list[OrderEvent]:
    """Take money off. The same discount again: nothing.

    Whether it is more than what it is on costs is told when the order is placed.
    """
    require_draft(state)
    discount = Discount(command.discount_id, command.amount_minor, command.line_id)
    known = state.draft.discounts.get(command.discount_id)
    if known == discount:
        return []
    if known is not None:
        raise Rejected(
            "discount-id-reused",
            f"Discount {command.discount_id} is there already, with another amount or line.",
        )
    require_discount(discount, state.draft.lines)
    return [DiscountApplied(command.discount_id, command.amount_minor, command.line_id)]


def remove_discount(state: Order, command: RemoveDiscount) -> list[OrderEvent]:
    """Take a discount back. It is not there: nothing."""
    require_draft(state)
    if command.discount_id not in state.draft.discounts:
        return []
    return [DiscountRemoved(command.discount_id)]


def reprice(state: Order, command: Reprice) -> list[OrderEvent]:
    """Give lines other prices and taxes. They have them already: nothing."""
    require_draft(state)
    if not command.lines:
        raise Rejected("lines-missing", "Name at least one line and its price.")
    if len({line.line_id for line in command.lines}) < len(command.lines):
        raise Rejected("line-repeated", "A line is named twice; name each line once.")
    if not [line for line in command.lines if _is_other(state, line)]:
        return []
    return [OrderRepriced(command.lines)]


def _is_other(state: Order, asked: RepricedLine) -> bool:
    require_price(asked.unit_price_minor, asked.taxes)
    line = _line(state, asked.line_id)
    return (line.unit_price_minor, line.taxes) != (asked.unit_price_minor, asked.taxes)


def _line(state: Order, line_id: str) -> Line:
    line = state.draft.lines.get(line_id)
    if line is None:
        raise Rejected("line-unknown", f"This order has no line {line_id}.")
    return line
