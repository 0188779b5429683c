"""The check `outbox`: what was put aside, and what nobody takes."""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import attrs

from observatory import Context, quoted
from observatory_inbox.checks.mending import status_of
from observatory_inbox.checks.shared import FolderCheck, Some
from observatory_inbox.files.format import is_name
from observatory_inbox.files.listing import kind_of
from observatory_inbox.outbox.tray import QUARANTINE, is_response

_is_taken = re.compile(r"\.[0-9a-f]{16}\.json").fullmatch
"""Match what a response is called for a moment, between being published and being removed."""


@attrs.define
class _Responses:
    """What was seen so far in one session's folder."""

    waiting: Some = attrs.Factory(Some)
    open: Some = attrs.Factory(Some)
    future: Some = attrs.Factory(Some)


class OutboxCheck(FolderCheck):
    """Looks into `{root}/outbox`.

    Args:
        context: what the doctor hands to a check.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, "outbox")

    def looks(self) -> Generator[int, None, None]:
        """Look at every file of every session."""
        with self.opened(self.folder, None, self.folder) as outbox:
            if outbox is None:
                return
            self.look_at_mode(outbox)
            folders: list[str] = []
            for entry in self.listed(outbox, self.folder):
                kind = kind_of(entry)
                if kind != "directory":
                    self.note_stray(kind, entry.name)
                elif is_name(entry.name) or entry.name == QUARANTINE:
                    folders.append(entry.name)
                else:
                    self.note_stray(kind, entry.name, why="is not named like a session")
                yield 0
            for name in sorted(folders):
                yield from self._session(name, outbox)

    def _session(self, name: str, outbox: int) -> Generator[int, None, None]:
        path = os.path.join(self.folder, name)
        responses = _Responses()
        with self.opened(name, outbox, path) as directory:
            if directory is None:
                return
            self.look_at_mode(directory, name)
            for entry in self.listed(directory, path):
                self._entry(entry, name, responses)
                yield 0
        self.note_modes(responses.open, name)
        self.note_future(responses.future, name)
        if not responses.waiting.count:
            return
        if name == QUARANTINE:
            self._note_quarantine(responses.waiting, path)
        else:
            problem = f"waiting to be published for long: {responses.waiting}; no Observatory reads the outbox"
            remedy = f"observatory serve --root {quoted(self.root)}"
            self.found.add("sessions whose responses wait", path, problem, remedy)

    def _entry(self, entry: os.DirEntry[str], session: str, responses: _Responses) -> None:
        name, status = entry.name, status_of(entry)
        if status is None:
            return
        if (kind := kind_of(entry)) != "file":
            self.note_stray(kind, session, name)
            return
        self.look_at_file(status, responses.open, session, name)
        if self.is_ahead(status.st_mtime):
            responses.future.add(name)
        if _is_taken(name) and self.is_left(status):
            self._note_taken(session, name)
        elif is_response(name) and (session == QUARANTINE or self.now - status.st_mtime > self.settings.orphan_age):
            responses.waiting.add(name)

    def _note_quarantine(self, files: Some, path: str) -> None:
        problem = f"put aside, for it does not decode: {files}; what ends with .reason says why"
        aside = os.path.join(self.root, "observatory", "aside")
        folder = f"{quoted(os.path.join(aside, 'quarantine'))}-$(date +%s)"  # for there may be more of it later
        remedy = f"(umask 077; mkdir -p {quoted(aside)} && mv -n {quoted(path)} {folder})"
        self.found.add("folders of what was put aside", path, problem, remedy)

    def _note_taken(self, session: str, name: str) -> None:
        path = os.path.join(self.folder, session, name)
        problem = "was being removed when a crash came: it was published, or has come in the place of one that was"
        remedy = f"mv -n {quoted(path)} {quoted(os.path.join(self.folder, session, name[1:]))}"
        self.found.add("responses that were being removed", path, problem, remedy)
