"""Tools for notes."""

from __future__ import annotations

from observatory_mcp.desk import Call
from observatory_mcp.tools.texts import note_of
from observatory_mcp.values import NoteList, NoteText
from observatory_mcp.wrapping import NOTICE


async def add_note(key: str, text: str, *, call: Call) -> NoteText:
    """Write a note that everybody can read; it takes the place of the one under the same key.

    Args:
        key: What it is about, 1 to 256 characters.
        text: What it says, at most 64 KiB.
    """
    return note_of(await call.desk.client.notes.add_note(key, text))


async def list_notes(*, call: Call) -> NoteList:
    """Return all notes, newest first."""
    notes = await call.desk.client.notes.list_notes()
    return NoteList(NOTICE, tuple(note_of(note) for note in notes))
