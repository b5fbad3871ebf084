"""Event bodies <-> Protobuf messages.

The two sides have the same field names, so a body is copied by name; `_NESTED` says how fields that
are messages of their own become values of the domain.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from domain import events, values
from domain.events import OrderEvent
from eventlog._gen.orders.v1 import events_pb2 as pb

Build = Callable[[Any], Any]


def _taxes(message: Any) -> tuple[values.Tax, ...]:
    return tuple(values.Tax(t.code, t.rate, t.amount_minor, t.included) for t in message)


def _lines(message: Any) -> tuple[values.PlacedLine, ...]:
    return tuple(
        values.PlacedLine(
            line.line_id,
            line.sku,
            line.name,
            line.quantity,
            line.unit_price_minor,
            _taxes(line.taxes) if line.taxes else (),
            line.discount_minor,
            line.tax_minor,
            line.total_minor,
        )
        for line in message
    )


def _quantities(message: Any) -> tuple[values.LineQuantity, ...]:
    return tuple(values.LineQuantity(line.line_id, line.quantity) for line in message)


def _discounts(message: Any) -> tuple[values.Discount, ...]:
    return tuple(
        values.Discount(d.discount_id, d.amount_minor, d.line_id if d.HasField("line_id") else None)
        for d in message
    )


def _shipping(message: Any) -> values.Shipping:
    return values.Shipping(message.method, message.price_minor)


def _contact(message: Any) -> values.Contact | values.Sealed:
    if message.sealed:
        return values.Sealed(message.sealed)
    return values.Contact(message.name, message.email, message.phone)


def _address(message: Any) -> values.Address | values.Sealed:
    if message.sealed:
        return values.Sealed(message.sealed)
    return values.Address(
        message.name,
        tuple(message.lines),
        message.postal_code,
        message.city,
        message.region,
        message.country,
    )


def _repriced(message: Any) -> tuple[values.RepricedLine, ...]:
    return tuple(
        values.RepricedLine(line.line_id, line.unit_price_minor, _taxes(line.taxes))
        for line in message
    )


def _received(message: Any) -> tuple[values.ReceivedLine, ...]:
    return tuple(
        values.ReceivedLine(line.line_id, line.quantity, line.condition, line.restock)
        for line in message
    )


def _past(message: Any) -> tuple[values.ImportedLine, ...]:
    return tuple(
        values.ImportedLine(line.line_id, line.cancelled, line.delivered, line.returned)
        for line in message
    )


def _payments(message: Any) -> tuple[values.ImportedPayment, ...]:
    return tuple(
        values.ImportedPayment(
            payment.payment_id,
            payment.psp_reference,
            payment.method if payment.HasField("method") else None,
            payment.authorised_minor,
            payment.captured_minor,
            payment.refunded_minor,
        )
        for payment in message
    )


_NESTED: Mapping[Any, Build] = {
    tuple[values.PlacedLine, ...]: _lines,
    tuple[values.LineQuantity, ...]: _quantities,
    tuple[values.Discount, ...]: _discounts,
    tuple[values.Tax, ...]: _taxes,
    tuple[values.RepricedLine, ...]: _repriced,
    tuple[values.ReceivedLine, ...]: _received,
    tuple[values.ImportedLine, ...]: _past,
    tuple[values.ImportedPayment, ...]: _payments,
    values.Shipping | None: _shipping,
    values.Address | values.Sealed | None: _address,
    values.Contact | values.Sealed | None: _contact,
    values.Contact | values.Sealed: _contact,
}
"""How a field of this type is read; one of a plain type is copied as it is."""


@dataclass(frozen=True, slots=True)
class _Body:
    """How one event type is written and read."""

    event: type[Any]
    presence: tuple[bool, ...]
    """Whether a field that is 0, "" or () is told from one that is not set."""
    values: Callable[[Any], tuple[Any, ...]]
    """Answers the values of an event's fields."""
    builders: Mapping[str, Build | None]
    unset: Mapping[str, Any]
    """What the fields are that are not set."""
    is_plain: bool
    """Whether all fields are plain values that are always there, so that they are read as one."""


def _body(event: type[Any], message: type[Any]) -> _Body:
    described, hints = message.DESCRIPTOR.fields_by_name, get_type_hints(event)
    builders = {field.name: _NESTED.get(hints[field.name]) for field in fields(event)}
    empty = message()
    unset = {
        name: None
        if described[name].has_presence
        else (build(getattr(empty, name)) if build else getattr(empty, name))
        for name, build in builders.items()
    }
    presence = tuple(described[name].has_presence for name in builders)
    is_plain = not any(presence) and not any(builders.values())
    return _Body(event, presence, _reader(tuple(builders)), builders, unset, is_plain)


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what answers the values of these fields, in one call."""
    if len(names) > 1:  # It answers a tuple only when it is asked for more than one.
        return attrgetter(*names)
    return lambda event: tuple(getattr(event, name) for name in names)


_CASES = pb.Event.DESCRIPTOR.oneofs_by_name["body"].fields
_FIELD_OF_NAME = {case.message_type.name: case.name for case in _CASES if case.message_type}
_EVENTS: dict[str, type[Any]] = {event.__name__: event for event in get_args(events.OrderEvent)}
EVENT_TYPES = tuple(_EVENTS)
_BODIES = {_FIELD_OF_NAME[name]: _body(event, getattr(pb, name)) for name, event in _EVENTS.items()}
_FIELDS = {event: _FIELD_OF_NAME[name] for name, event in _EVENTS.items()}


def field_of(event: OrderEvent) -> str:
    """Return the name of the `body` case that stores `event`."""
    return _FIELDS[type(event)]


def write(message: pb.Event, field: str, event: OrderEvent) -> None:
    """Copy `event` into the `body` of `message`."""
    body = getattr(message, field)
    body.SetInParent()
    plan = _BODIES[field]
    for (name, build), has_presence, value in zip(
        plan.builders.items(), plan.presence, plan.values(event), strict=True
    ):
        if value is None or not (value or has_presence):
            continue  # What is not set is read as 0, "" or () again.
        if build is None:
            setattr(body, name, value)
        elif isinstance(value, str):
            getattr(body, name).sealed = value
        elif isinstance(value, tuple):
            part = getattr(body, name)
            for item in value:
                _fill(part.add(), item)
        else:
            _fill(getattr(body, name), value)


def _fill(message: Any, value: Any) -> None:
    """Copy a value of the domain into its message, by name."""
    message.SetInParent()
    for name in value.__slots__:
        part = getattr(value, name)
        if part is None or part == ():
            continue
        if isinstance(part, tuple):
            target = getattr(message, name)
            if part and isinstance(part[0], str):
                target.extend(part)
            else:
                for item in part:
                    _fill(target.add(), item)
        else:
            setattr(message, name, part)


def read(message: pb.Event, field: str) -> OrderEvent:
    """Return the fact in the `body` of `message`."""
    stored = getattr(message, field)
    plan = _BODIES[field]
    if plan.is_plain:
        plain: OrderEvent = plan.event(*plan.values(stored))
        return plain
    arguments = dict(plan.unset)
    builders = plan.builders
    for described, value in stored.ListFields():
        name = described.name
        build = builders.get(name)
        arguments[name] = value if build is None else build(value)
    event: OrderEvent = plan.event(**arguments)
    return event


def to_json(event: OrderEvent) -> dict[str, Any]:
    """Return a body as JSON-ready data, with the field names of the schema."""
    return asdict(event)
