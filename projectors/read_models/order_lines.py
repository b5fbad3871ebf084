"""The `lines` of an order's document, and the sums that come from them."""

from collections.abc import Iterable, Mapping

from domain.events import AmendmentApplied
from domain.values import (
    Address,
    Contact,
    Discount,
    ImportedLine,
    PlacedLine,
    Sealed,
    Shipping,
    Tax,
)
from projectors.kinds import Document

_LEFT = frozenset({"DISPATCHED", "DELIVERY_FAILED", "DELIVERED"})
_COUNTED = {
    "cancelled": 0,
    "shipped": 0,
    "delivered": 0,
    "returned": 0,
    "allocated": 0,
    "backordered": 0,
    "delivered_before": 0,
}
"""What becomes of a line's pieces; `delivered_before` had arrived before the order was imported."""


def line(placed: PlacedLine, counted: Mapping[str, int]) -> Document:
    """Return a line as it was frozen, with what has become of its pieces."""
    return {
        "line_id": placed.line_id,
        "sku": placed.sku,
        "name": placed.name,
        "quantity": placed.quantity,
        **counted,
        "unit_price_minor": placed.unit_price_minor,
        "discount_minor": placed.discount_minor,
        "tax_minor": placed.tax_minor,
        "total_minor": placed.total_minor,
        "taxes": taxes(placed.taxes),
    }


def placed(lines: Iterable[PlacedLine]) -> list[Document]:
    """Return the lines of an order that was just placed."""
    return [line(one, _COUNTED) for one in lines]


def imported(lines: Iterable[PlacedLine], past: Iterable[ImportedLine]) -> list[Document]:
    """Return the lines of an order with a past elsewhere."""
    known = {one.line_id: one for one in past}
    return [line(one, _past(known.get(one.line_id))) for one in lines]


def _past(past: ImportedLine | None) -> Mapping[str, int]:
    if past is None:
        return _COUNTED
    return _COUNTED | {
        "cancelled": past.cancelled,
        "shipped": past.delivered,
        "delivered": past.delivered,
        "delivered_before": past.delivered,
        "returned": past.returned,
    }


def amended(order: Document, event: AmendmentApplied) -> Document:
    """Return what an amendment changes of an order: lines, and the sums over them."""
    news = {one.line_id: one for one in event.lines}
    lines = [
        line(news.pop(old["line_id"]), {name: old[name] for name in _COUNTED})
        if old["line_id"] in news
        else old
        for old in order["lines"]
    ] + placed(news.values())
    return {
        "lines": lines,
        **sums(lines),
        "total_minor": order["total_minor"] + event.difference_minor,
    }


def sums(lines: Iterable[Document]) -> Document:
    """Return the sums of an order over its lines."""
    known = list(lines)
    return {
        "subtotal_minor": sum(one["quantity"] * one["unit_price_minor"] for one in known),
        "discount_minor": sum(one["discount_minor"] for one in known),
        "tax_minor": sum(one["tax_minor"] for one in known),
    }


def added(lines: list[Document], name: str, pieces: Mapping[str, int]) -> list[Document]:
    """Return the lines with `pieces`, by line id, added to one of their counters."""
    return [one | {name: one[name] + pieces.get(one["line_id"], 0)} for one in lines]


def moved(lines: list[Document], shipments: Iterable[Document]) -> list[Document]:
    """Count from all shipments what has left and arrived of each line."""
    known = list(shipments)
    shipped, delivered = _in_shipments(known, _LEFT), _in_shipments(known, {"DELIVERED"})
    return [
        one
        | {
            "shipped": one["delivered_before"] + shipped.get(one["line_id"], 0),
            "delivered": one["delivered_before"] + delivered.get(one["line_id"], 0),
        }
        for one in lines
    ]


def _in_shipments(shipments: Iterable[Document], statuses: Iterable[str]) -> Mapping[str, int]:
    return pieces(
        (one["line_id"], one["quantity"])
        for shipment in shipments
        if shipment["status"] in statuses
        for one in shipment["lines"]
    )


def pieces(lines: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Add pieces up by line id."""
    counted: dict[str, int] = {}
    for line_id, quantity in lines:
        counted[line_id] = counted.get(line_id, 0) + quantity
    return counted


def taxes(given: Iterable[Tax]) -> list[Document]:
    """Return taxes as documents show them."""
    return [
        {
            "code": tax.code,
            "rate": tax.rate,
            "amount_minor": tax.amount_minor,
            "included": tax.included,
        }
        for tax in given
    ]


def address(given: Address | Sealed | None) -> Document | str | None:
    """Return an address as documents keep it; what is sealed is opened when it is read."""
    if given is None or isinstance(given, str):
        return given
    return {
        "name": given.name,
        "lines": list(given.lines),
        "postal_code": given.postal_code,
        "city": given.city,
        "region": given.region,
        "country": given.country,
    }


def contact(given: Contact | Sealed | None) -> Document | str | None:
    """Return a contact as documents keep it; what is sealed is opened when it is read."""
    if given is None or isinstance(given, str):
        return given
    return {"name": given.name, "email": given.email, "phone": given.phone}


def shipping(given: Shipping | None) -> Document | None:
    """Return the way of delivery as documents show it."""
    if given is None:
        return None
    return {"method": given.method, "price_minor": given.price_minor}


def discount(given: Discount) -> Document:
    """Return a discount as documents show it."""
    return {
        "discount_id": given.discount_id,
        "amount_minor": given.amount_minor,
        "line_id": given.line_id,
    }


def replaced(items: list[Document], key: str, item: Document) -> list[Document]:
    """Return `items` with `item` in place of the one with the same `key`, or at the end."""
    value = item[key]
    for place, known in enumerate(items):
        if known[key] == value:
            return [*items[:place], item, *items[place + 1 :]]
    return [*items, item]


def changed(items: list[Document], key: str, value: str, changes: Document) -> list[Document]:
    """Return `items` with changes of the one whose `key` is `value`, when there is one."""
    return [item | changes if item[key] == value else item for item in items]
