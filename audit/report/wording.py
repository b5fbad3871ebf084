"""How values are written on the page: times, money, and the fields of an event."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.currencies import written
from runtime.telemetry import printable

SEALED_PREFIX = "sealed1:"
"""What is encrypted in the log begins with it; only holders of the key may read it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONEY = "_minor"
_TIME = "_at_us"
_TURNS = {ord(char): f"\\u{ord(char):04x}" for char in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e"}
_TURNS |= {ord(char): f"\\u{ord(char):04x}" for char in "\u2066\u2067\u2068\u2069\u061c"}
"""Characters that change the direction of text, so that a reader would see another one."""


def moment(at_us: int) -> str:
    """Write a time in UTC, to the microsecond; one that no calendar has as its number."""
    try:
        return f"{_EPOCH + timedelta(microseconds=at_us):%Y-%m-%d %H:%M:%S.%f} UTC"
    except OverflowError:
        return f"{at_us} µs since 1970 UTC"


def text(value: str) -> str:
    """Write somebody's words, so that they look like what they are."""
    return "sealed" if value.startswith(SEALED_PREFIX) else printable(value).translate(_TURNS)


def money(amount_minor: int, currency: str) -> str:
    """Write an amount in its currency."""
    return text(written(amount_minor, currency))


def change(amount_minor: int, currency: str) -> str:
    """Write by how much an amount changed; nothing when it did not."""
    if not amount_minor:
        return ""
    return ("+" if amount_minor > 0 else "") + money(amount_minor, currency)


def details(data: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    """Return the fields of an event that are set: name and value, nested ones by their path."""
    return [(text(name), _value(name, value, currency)) for name, value in _leaves(data, prefix="")]


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{prefix} {number}")
    elif value is not None and value != "":
        yield prefix, value


def _value(name: str, value: Any, currency: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        if name.endswith(_MONEY):
            return money(value, currency)
        return moment(value) if name.endswith(_TIME) else str(value)
    return text(str(value))
