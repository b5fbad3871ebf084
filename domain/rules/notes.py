"""What people want remembered."""

from domain.commands import AddNote
from domain.errors import Rejected
from domain.events import NoteAdded, OrderEvent
from domain.order import Order
from domain.personal import essence
from domain.rules.customer_data import require_not_erased


def add_note(state: Order, command: AddNote) -> list[OrderEvent]:
    """Write a note down, on any order that was not erased. The same note again: nothing."""
    known = state.notes.get(command.note_id)
    if known == essence(command.text):
        return []
    if known is not None:
        raise Rejected(
            "note-id-reused", f"Note {command.note_id} was already written with another text."
        )
    require_not_erased(state)
    return [NoteAdded(command.note_id, command.text)]
