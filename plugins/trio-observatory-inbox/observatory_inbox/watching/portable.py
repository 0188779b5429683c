"""The system's news about the directories of a folder through watchfiles, where there is no inotify."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

import trio
from watchfiles import Change
from watchfiles._rust_notify import RustNotify

from observatory_inbox.watching.changes import Changes

_STEP = 10  # milliseconds between two looks at what has arrived
_DEBOUNCE = 50  # milliseconds after which what has arrived is handed over although more is arriving


class PortableListener:
    """A `Listener` for systems other than Linux.

    Attributes:
        shortfall: always None: the whole folder is heard of, or nothing.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: str) -> None:
        self.shortfall: OSError | None = None
        self._folder = folder
        self._stop = threading.Event()
        self._listening = threading.Lock()
        try:
            self._notify = _listen(folder, recursive=True)
            self._awaits = False
        except FileNotFoundError:
            self._notify = _listen(os.path.dirname(folder), recursive=False)
            self._awaits = True

    async def wait(self) -> Changes | None:
        """Wait for news, as a `Listener` does."""
        # Abandoned, the thread sees within a step that it is to stop, and `close` waits for it.
        return await trio.to_thread.run_sync(self._wait, abandon_on_cancel=True)

    def _wait(self) -> Changes | None:
        with self._listening:
            while not (self._awaits and os.path.lexists(self._folder)):
                try:
                    raw = self._notify.watch(_DEBOUNCE, _STEP, 0, self._stop)
                except RuntimeError as error:  # such as after a name that is not UTF-8
                    raise OSError(f"watching {self._folder!r} was interrupted: {error}") from error
                if isinstance(raw, str):
                    break
                if not self._awaits:
                    return _changes(raw, len(self._folder) + 1)
        return None

    def close(self) -> None:
        """End."""
        self._stop.set()
        with self._listening:
            self._notify.close()


def _listen(folder: str, *, recursive: bool) -> RustNotify:
    try:
        return RustNotify([folder], False, False, 0, recursive, False)
    except RuntimeError as error:
        raise OSError(f"{folder!r} cannot be watched: {error}") from error


def _changes(raw: Iterable[tuple[int, str]], prefix: int) -> Changes | None:
    """Return what kinds and paths say; None when the folder itself went."""
    changes = Changes()
    for kind, path in raw:
        directory, _, name = path[prefix:].partition("/")
        if not directory and kind == Change.deleted:
            return None
        if not name:
            _add_directory(changes, directory, kind)
        elif "/" not in name and not name.startswith("."):
            files = changes.removed if kind == Change.deleted else changes.written
            files[directory].add(name)
    return changes


def _add_directory(changes: Changes, directory: str, kind: int) -> None:
    if kind == Change.deleted:
        changes.vanished.add(directory)
    elif kind == Change.added and directory:
        changes.appeared.add(directory)
