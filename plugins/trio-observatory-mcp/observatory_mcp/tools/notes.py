"""Tools for notes."""

from __future__ import annotations

from collections.abc import Sequence

from observatory import Note, UnknownNameError
from observatory_mcp.desk import Call
from observatory_mcp.tools.texts import note_of
from observatory_mcp.values import NoteList, NoteText
from observatory_mcp.wrapping import NOTICE

_SHOWN = 100
"""Keys that are told of, where there is no such note."""


async def add_note(key: str, text: str, *, call: Call) -> NoteText:
    """Write a note that everybody can read; it takes the place of the one under the same key.

    Args:
        key: What it is about, 1 to 256 characters.
        text: What it says, at most 64 KiB.
    """
    return note_of(await call.desk.client.notes.add_note(key, text))


async def list_notes(after: str | None = None, *, call: Call) -> NoteList:
    """Return notes, newest first, as many as there is room for.

    Args:
        after: The key of a note, to go on with those that are older.
    """
    notes = await call.desk.client.notes.list_notes()
    if after is not None:
        place = next((place for place, note in enumerate(notes, start=1) if note.key == after), None)
        if place is None:
            raise no_note(after, notes)
        notes = notes[place:]
    told: list[NoteText] = []
    room = call.desk.settings.max_chars
    for note in notes:
        text = note_of(note)
        room -= len(text.text)
        if told and room < 0:
            break
        told.append(text)
    return NoteList(NOTICE, tuple(told), len(notes) - len(told))


def no_note(key: str, notes: Sequence[Note]) -> UnknownNameError:
    """Return the error that there is no note of a key."""
    return UnknownNameError("note", key, [note.key for note in notes[:_SHOWN]])
