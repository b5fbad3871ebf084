"""Any fact and any state that can be, made from the classes of the domain themselves."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from domain.events import OrderEvent
from domain.values import SEALED, Actor, Sealed
from eventlog.codec import Envelope

EVENTS: dict[str, type] = {event.__name__: event for event in get_args(OrderEvent)}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT64 = st.integers(-(2**63), 2**63 - 1)
TIME = st.integers(0, 2**62)


def any_of(kind: Any) -> st.SearchStrategy:
    """Answer a strategy for a type: plain, a class, an enum, `X | None`, tuples and mappings."""
    if kind in PLAIN:
        return PLAIN[kind]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: any_of(hints[field.name]) for field in fields(kind)})
    if get_origin(kind) in {types.UnionType, Union}:
        return st.one_of(*map(any_of, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if get_origin(kind) is Mapping:
        return st.dictionaries(*map(any_of, get_args(kind)), max_size=2)
    if get_origin(kind) is tuple and get_args(kind)[1:] != (...,):
        return st.tuples(*map(any_of, get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=3).map(tuple)
    raise AssertionError(f"a field of type {kind}: say here what its values are")


PLAIN = {
    str: TEXT,
    int: INT64,
    bool: st.booleans(),
    type(None): st.none(),
    Sealed: TEXT.map(lambda text: SEALED + text),
}

ENVELOPES = st.builds(
    Envelope,
    event_id=TEXT,
    tenant_id=TEXT,
    order_id=TEXT,
    version=st.integers(1, 9_999_999_999),
    occurred_at_us=TIME,
    recorded_at_us=TIME,
    command_id=TEXT,
    fingerprint=st.binary(min_size=32, max_size=32),
    correlation_id=TEXT,
    causation_id=TEXT,
    reason=TEXT,
    actor=st.builds(Actor, TEXT, TEXT),
    prev_hash=st.binary(min_size=32, max_size=32),
    command_index=st.integers(0, 2**32 - 1),
    command_size=st.integers(0, 2**32 - 1),
)
