"""The system's news about the files below a folder, through watchfiles: blocking code, for a worker thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP = 10  # milliseconds between two looks at what has arrived
_DEBOUNCE = 50  # milliseconds after which what has arrived is handed over although more is arriving
_ADDED, _REMOVED = 1, 3  # of watchfiles.Change; 2 is for what was written to
_THREADS = "/proc/self/task"
_THREAD_NAME = "notify-rs inoti"
_CLOSING = 0.001, 1_000  # seconds between two looks whether the thread has ended, and looks at the most


class Changes:
    """What has changed in the directories of a folder since somebody last looked.

    Attributes:
        appeared: directories that came; files made there before their watch began are not told of.
        vanished: directories that went, even if one of the same name came afterwards.
        written: files that came or were written to, by directory.
        removed: files that went, by directory.
        ended: whether the folder itself went: nothing more is heard of it, even if it comes again.
    """

    def __init__(self) -> None:
        self.ended = False
        self.appeared: set[str] = set()
        self.vanished: set[str] = set()
        self.written: dict[str, set[str]] = {}
        self.removed: dict[str, set[str]] = {}

    def __len__(self) -> int:
        files = [*self.written.values(), *self.removed.values()]
        return len(self.appeared) + len(self.vanished) + sum(map(len, files))

    def add(self, raw: Iterable[tuple[int, str]], prefix: int) -> None:
        """Add what watchfiles tells.

        Args:
            raw: kinds and paths.
            prefix: how much of each path is the folder's.
        """
        for kind, path in raw:
            directory, _, name = path[prefix:].partition("/")
            if "/" in name:
                continue  # deeper than anything of ours
            if name:
                files = self.removed if kind == _REMOVED else self.written
                files.setdefault(directory, set()).add(name)
            elif kind == _REMOVED and directory:
                self.vanished.add(directory)
            elif kind == _REMOVED:
                self.ended = True
            elif kind == _ADDED and directory:
                self.appeared.add(directory)

    def merge(self, later: Changes) -> None:
        """Add what was found later."""
        self.appeared |= later.appeared
        self.vanished |= later.vanished
        for mine, other in ((self.written, later.written), (self.removed, later.removed)):
            for directory, names in other.items():
                mine.setdefault(directory, set()).update(names)


class Listener:
    """Hears of changes below one folder, its directories included, or of the coming of that folder.

    The system follows symbolic links there when it begins to listen, so there must be none.

    Attributes:
        awaits: whether the folder is missing, and this only hears of its coming.

    Args:
        folder: the folder.

    Raises:
        FileNotFoundError: nor is there a folder in which it could come.
        OSError: the folder, or one of its directories, cannot be watched, such as at the system's limit.
        RuntimeError: nothing can be watched.
    """

    def __init__(self, folder: str) -> None:
        self.awaits = False
        self._folder = folder
        before = _threads()
        try:
            self._notify = _notify(folder, recursive=True)
        except FileNotFoundError:
            self._notify = _notify(os.path.dirname(folder), recursive=False)
            self.awaits = True
        self._threads = _threads() - before

    def wait(self, stop: threading.Event) -> Changes | None:
        """Wait for news.

        Returns:
            What has changed; None when there is nothing more to hear: the folder went, or came, or `stop` was set not
            more than 10 ms ago.

        Raises:
            RuntimeError: it hears nothing any more, such as after a name that is not UTF-8.
        """
        while not (self.awaits and os.path.exists(self._folder)):
            raw = self._notify.watch(_DEBOUNCE, _STEP, 0, stop)
            if isinstance(raw, str):
                break
            if not self.awaits:
                changes = Changes()
                changes.add(raw, len(self._folder) + 1)
                return None if changes.ended else changes
        return None

    def close(self) -> None:
        """End; when this returns, everything is given back."""
        self._notify.close()
        # That only asks a thread of the library to end, and the thread holds the descriptors.
        pause, looks = _CLOSING
        while self._threads & _threads() and looks:
            time.sleep(pause)
            looks -= 1


def _notify(folder: str, *, recursive: bool) -> RustNotify:
    from watchfiles._rust_notify import RustNotify  # here, so that whoever never watches does not wait for it

    return RustNotify([folder], False, False, 0, recursive, False)


def _threads() -> set[str]:
    """Return the library's threads in this process, as far as the system tells."""
    try:
        return {thread for thread in os.listdir(_THREADS) if _name(thread).startswith(_THREAD_NAME)}
    except FileNotFoundError:
        return set()


def _name(thread: str) -> str:
    try:
        with open(f"{_THREADS}/{thread}/comm") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return ""
