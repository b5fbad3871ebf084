"""Placing an order, whole or from its draft: how its prices are frozen (invariants I1 to I5)."""

from domain.commands import Place, PlaceOrder
from domain.errors import OrderExists, Rejected
from domain.events import OrderEvent, OrderPlaced
from domain.order import Order
from domain.pricing import order_total, price_lines, require_int64
from domain.rules.lines import (
    numbered,
    require_customer,
    require_discounts,
    require_line,
    require_shipping_price,
)
from domain.statuses import Lifecycle


def place_order(state: Order, command: PlaceOrder) -> list[OrderEvent]:
    """Place a whole order. Its id can be used once; a retry is known by its command id."""
    if state.lifecycle is not None:
        raise OrderExists
    return [priced(command)]


def place(state: Order, _command: Place) -> list[OrderEvent]:
    """Place the draft as it is. Again: nothing."""
    if state.lifecycle is Lifecycle.PLACED:
        return []
    require_draft(state)
    draft = state.draft
    whole = PlaceOrder(
        customer_id=state.customer_id,
        currency=state.currency,
        lines=tuple(draft.lines.values()),
        discounts=tuple(draft.discounts.values()),
        shipping=draft.shipping,
        contact=state.contact,
        ship_to=draft.ship_to,
        bill_to=draft.bill_to,
    )
    return [priced(whole)]


def require_draft(state: Order) -> None:
    """Refuse draft commands on an order that is no draft any more (invariant I6)."""
    if state.lifecycle is not Lifecycle.DRAFT:
        raise Rejected(
            "order-not-a-draft", "This order is no draft any more; propose an amendment instead."
        )


def priced(command: PlaceOrder) -> OrderPlaced:
    """Return the order with every price frozen.

    Raises:
        Rejected: the order lacks something, or its amounts do not fit together.

    """
    require_customer(command.customer_id, command.currency)
    if not command.lines:
        raise Rejected("lines-missing", "An order needs at least one line.")
    for line in command.lines:
        require_line(line)
    lines = numbered(command.lines)
    shipping_minor = 0 if command.shipping is None else command.shipping.price_minor
    require_shipping_price(shipping_minor)
    require_discounts(lines, command.discounts, command.currency)
    placed = price_lines(lines, command.discounts)
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
        replaces_order_id=command.replaces_order_id,
    )
    require_int64(event.subtotal_minor, event.tax_minor, event.total_minor)
    return event
