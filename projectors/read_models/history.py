"""An order as it was: its document folded again, from the events that the timeline holds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from domain.events import OrderEvent, Recorded
from domain.values import Actor
from projectors.kinds import Document
from projectors.read_models.order_document import derived, evolve
from projectors.read_models.times import microseconds

Build = Callable[[Any], Any]

_EVENTS: Mapping[str, Any] = {event.__name__: event for event in get_args(OrderEvent)}


class Entry(NamedTuple):
    """What the fold of an order needs of a timeline row; `body` is the event's data."""

    order_id: str
    version: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    body: Mapping[str, Any]


def document(entries: Iterable[Entry]) -> Document | None:
    """Fold entries, oldest first, with the function that makes the live documents; None: none."""
    order: Document | None = None
    for entry in entries:
        order = evolve(order, _recorded(entry))
    return None if order is None else derived(order)


def event_of(name: str, body: Mapping[str, Any]) -> OrderEvent:
    """Return the fact whose JSON a timeline row holds. Fields that are newer than it are empty.

    Raises:
        KeyError: no event type of this release has the name.
    """
    event: OrderEvent = _builder(_EVENTS[name])(body)
    return event


@lru_cache(maxsize=256)
def _builder(kind: Any) -> Build:
    """Return what makes a value of the type `kind` from JSON; None and missing are its empty."""
    if get_origin(kind) in {UnionType, Union}:
        one = get_args(kind)[0]  # Of a fact's fields, what comes behind it is sealed, or None.
        build = _builder(one)
        return lambda value: value if value is None or isinstance(value, str) else build(value)
    if get_origin(kind) is tuple:
        item = _builder(get_args(kind)[0])
        return lambda values: tuple(item(value) for value in values or ())
    if is_dataclass(kind):
        made: Any = kind
        hints = get_type_hints(kind)
        parts = [(field.name, _builder(hints[field.name])) for field in fields(kind)]
        return lambda value: made(*(build(value.get(name)) for name, build in parts))
    return lambda value: kind() if value is None else value


def _recorded(entry: Entry) -> Recorded:
    """Return the event with the provenance that a document shows; the rest is left empty."""
    return Recorded(
        partition=0,
        offset=0,
        event_id="",
        tenant_id="",
        order_id=entry.order_id,
        version=entry.version,
        occurred_at_us=microseconds(entry.occurred_at),
        recorded_at_us=microseconds(entry.recorded_at),
        command_id="",
        fingerprint=b"",
        correlation_id="",
        causation_id="",
        reason="",
        actor=Actor("", ""),
        prev_hash=b"",
        command_index=0,
        command_size=1,
        event=event_of(entry.type, entry.body),
        value=b"",
    )
