"""Personal data in commands: which fields hold it, and whether two pieces are the same.

The rules never look inside. What is stored is sealed before it is decided, so that a rule can still
tell the same from something else, and erasing the order's key erases the data everywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from domain.commands import AddNote, CorrectContact, ImportOrder, PlaceOrder, SetAddresses
from domain.values import ESSENCE_CHARACTERS, SEALED, Address, Contact, Sealed

_WHERE_TO = ("contact", "ship_to", "bill_to")
_FIELDS: Mapping[type[Any], tuple[str, ...]] = {
    PlaceOrder: _WHERE_TO,
    ImportOrder: _WHERE_TO,
    SetAddresses: _WHERE_TO,
    CorrectContact: ("contact",),
    AddNote: ("text",),
}


def is_personal(command: object) -> bool:
    """Tell whether a command brings personal data."""
    fields = _FIELDS.get(type(command), ())
    return any(getattr(command, field) is not None for field in fields)


def sealed(command: Any, seal: Callable[[Any], Sealed]) -> Any:
    """Return the command with its personal data sealed."""
    changes = {
        field: seal(value)
        for field in _FIELDS.get(type(command), ())
        if (value := getattr(command, field)) is not None
    }
    return replace(command, **changes)


def is_same(one: Contact | Address | str | None, other: Contact | Address | str | None) -> bool:
    """Tell whether two pieces of personal data of one order are the same, sealed or not."""
    if isinstance(one, str) and isinstance(other, str):
        return essence(one) == essence(other)
    return one == other


def essence(text: str) -> str:
    """Return what of a text tells it from others of its order; of plain text all of it."""
    return text[: len(SEALED) + ESSENCE_CHARACTERS] if text.startswith(SEALED) else text
