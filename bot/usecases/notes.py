"""Notes: messages that are owed once, to a person or a channel."""

from __future__ import annotations

from datetime import datetime

from bot.ports.changes import Change, Due
from bot.ports.documents import Key, Note


def note_change(now: datetime, *notes: Note) -> Change:
    """Return the change that stores these notes and makes them due."""
    return Change(
        put={Key.of(Note, note.id): note for note in notes},
        due=tuple(Due.note(note.id, at=now) for note in notes),
    )
