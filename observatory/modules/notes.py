"""Notes: one text a key, so many and no more."""

from __future__ import annotations

import trio

from observatory.abc import Context, Module
from observatory.errors import ClosedError, InvalidInputError
from observatory.kinds import kind_of
from observatory.messages import Note, NoteDeleted
from observatory.modules.checks import check_text
from observatory.settings import NotesSettings

_MAX_KEY = 256
_MAX_WAITING = 100
_TOPIC = "notes:update"


class _Change:
    """A note to be written, or with no text to be deleted, and the task that waits for it."""

    def __init__(self, key: str, text: str | None) -> None:
        self.key = key
        self.text = text
        self.note: Note  # what was written
        self.existed = False  # whether there was a note before
        self.refused = False  # Observatory is closing: it will not be carried out
        self.withdrawn = False
        self.done = trio.Event()


class Notes(Module):
    """Notes on whatever has a key; told on topic `notes:update`.

    Args:
        context: what every module is handed.
        settings: the bounds.
    """

    def __init__(self, context: Context, *, settings: NotesSettings) -> None:
        self._clock = context.clock
        self._pubsub = context.pubsub
        self._settings = settings
        self._table: dict[str, Note] = {}  # oldest first
        self._changes_in, self._changes = trio.open_memory_channel[_Change](_MAX_WAITING)

    async def add_note(self, key: str, text: str) -> Note:
        """Write the note of a key, over an earlier one; beyond the bound the oldest note goes.

        Args:
            key: what it is about, 1 to 256 printable characters.
            text: at most 64 KiB in UTF-8.

        Raises:
            InvalidInputError: key or text is not allowed.
            ClosedError: Observatory is closing.
        """
        _check_key(key)
        check_text("text", text, self._settings.max_bytes)
        change = _Change(key, text)
        await self._carry_out(change)
        return change.note

    async def delete_note(self, key: str) -> bool:
        """Delete the note of a key; return whether there was one.

        Raises:
            InvalidInputError: nothing can be a key that is like this.
            ClosedError: Observatory is closing.
        """
        _check_key(key)
        change = _Change(key, None)
        await self._carry_out(change)
        return change.existed

    def get_note(self, key: str) -> Note | None:
        """Return the note of a key.

        Raises:
            InvalidInputError: nothing can be a key that is like this.
        """
        _check_key(key)
        return self._table.get(key)

    def list_notes(self) -> list[Note]:
        """Return every note, newest first."""
        return list(reversed(self._table.values()))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write and delete until cancelled."""
        task_status.started()
        try:
            while True:
                change = await self._changes.receive()
                if not change.withdrawn:
                    self._apply(change)
                change.done.set()
        except trio.Cancelled:
            self._refuse_waiting()
            raise

    def _refuse_waiting(self) -> None:
        """Let everybody go who waits: nobody will serve them any more."""
        while self._changes.statistics().current_buffer_used:
            change = self._changes.receive_nowait()
            change.refused = True
            change.done.set()

    async def _carry_out(self, change: _Change) -> None:
        if self._pubsub.closed:
            raise ClosedError("this Observatory is closing; notes are neither written nor deleted any more")
        await self._changes_in.send(change)
        try:
            await change.done.wait()
        except trio.Cancelled:
            change.withdrawn = True
            raise
        if change.refused:
            raise ClosedError("this Observatory was closed before its turn came; nothing has happened")

    def _apply(self, change: _Change) -> None:
        change.existed = self._table.pop(change.key, None) is not None
        if change.text is not None:
            change.note = self._table[change.key] = Note(change.key, change.text, self._clock.now())
            self._pubsub.publish(_TOPIC, change.note, size=len(change.text))
            while len(self._table) > self._settings.max_notes:
                self._remove(next(iter(self._table)))
        elif change.existed:
            self._pubsub.publish(_TOPIC, NoteDeleted(change.key))

    def _remove(self, key: str) -> None:
        del self._table[key]
        self._pubsub.publish(_TOPIC, NoteDeleted(key))


def _check_key(key: object) -> None:
    if not (isinstance(key, str) and 0 < len(key) <= _MAX_KEY and key.isprintable()):
        got = repr(key[:80]) if isinstance(key, str) else kind_of(key)
        raise InvalidInputError("key", f"{got} is no key: 1 to {_MAX_KEY} printable characters are allowed")
