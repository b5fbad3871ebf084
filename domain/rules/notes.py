"""What people want remembered."""

from domain.commands import AddNote
from domain.errors import Rejected
from domain.events import NoteAdded, OrderEvent
from domain.order import Order


def add_note(state: Order, command: AddNote) -> list[OrderEvent]:
    """Write a note down, on any order. The same note again: nothing."""
    text = state.notes.get(command.note_id)
    if text == command.text:
        return []
    if text is not None:
        raise Rejected(
            "note-id-reused", f"Note {command.note_id} was already written with another text."
        )
    return [NoteAdded(command.note_id, command.text)]
