"""No command and no fact can bring personal data past the seals: whoever adds a field is told."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest

from domain.commands import AddNote, OrderCommand
from domain.events import NoteAdded, OrderEvent
from domain.personal import _FIELDS
from domain.values import SEALED, Address, Contact
from personal_data.opening import _MEMBER

TYPES = {Contact, Address}
SOME_SEAL = SEALED + "A" * 92


def personal(kind: type[Any]) -> set[str]:
    """Return the fields of a command or a fact whose type is one of a person's."""
    hints = get_type_hints(kind)
    found = {
        one.name for one in fields(kind) if TYPES & {hints[one.name], *get_args(hints[one.name])}
    }
    return found | ({"text"} if kind in {AddNote, NoteAdded} else set())


@pytest.mark.parametrize("command", get_args(OrderCommand), ids=lambda kind: kind.__name__)
def test_what_a_command_brings_of_a_person_is_sealed(command):
    assert set(_FIELDS.get(command, ())) == personal(command)


@pytest.mark.parametrize("event", get_args(OrderEvent), ids=lambda kind: kind.__name__)
def test_what_a_fact_holds_of_a_person_is_opened_by_its_name(event):
    for name in personal(event):
        assert _MEMBER.fullmatch(f'"{name}":"{SOME_SEAL}"'.encode()), name


def test_the_types_of_a_person_are_found_where_they_are():
    assert {name for event in get_args(OrderEvent) for name in personal(event)} == {
        "contact",
        "ship_to",
        "bill_to",
        "text",
    }
