"""The system's news about the directories of a folder, on Linux."""

from __future__ import annotations

import os
from collections.abc import Iterable

import trio

from observatory_inbox.watching import inotify
from observatory_inbox.watching.changes import Changes
from observatory_inbox.watching.inotify import Inotify

_TOGETHER = 0.02
"""Seconds for which more news are waited for: each turn of the loop costs the same whether it takes one or many."""

_DIRECTORY = inotify.ONLY_DIRECTORIES | inotify.NO_LINKS | inotify.NOT_UNLINKED
_CAME = inotify.CREATE | inotify.MOVED_TO
_WRITTEN = _CAME | inotify.CLOSE_WRITE
_WENT = inotify.DELETE | inotify.MOVED_FROM
_ENDED = inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.IGNORED | inotify.OVERFLOW


class LinuxListener:
    """A `Listener` that asks for little more than one event a file. No symbolic link is followed.

    Attributes:
        shortfall: why some of the directories are not heard of.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: str) -> None:
        self.shortfall: OSError | None = None
        self._folder = folder
        self._names: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._inotify = Inotify()
        try:
            self._begin()
        except OSError:
            self._inotify.close()
            raise

    def _begin(self) -> None:
        self._awaited: str | None = None
        try:
            self._top = self._inotify.add(self._folder, _DIRECTORY | _CAME | _WENT | _ENDED)
        except FileNotFoundError:
            parent, name = os.path.split(self._folder)
            self._inotify.add(parent, inotify.ONLY_DIRECTORIES | _CAME | _ENDED)
            self._awaited = "" if os.path.lexists(self._folder) else name  # it may have come in between
        else:
            with os.scandir(self._folder) as entries:
                self._add([entry.name for entry in entries if entry.is_dir(follow_symlinks=False)])

    async def wait(self) -> Changes | None:
        """Wait for news, as a `Listener` does."""
        if self._awaited is not None:
            await self._wait_for_the_folder()
            return None
        await trio.lowlevel.wait_readable(self._inotify.descriptor)
        await trio.sleep(_TOGETHER)
        changes = self._read()
        if changes is not None and changes.appeared:
            await trio.to_thread.run_sync(self._add, changes.appeared)
        return changes

    def _read(self) -> Changes | None:
        changes = Changes()
        written, removed, directories = changes.written, changes.removed, self._names
        for watch, kind, name in self._inotify.read():
            directory = directories.get(watch)
            if directory is not None:
                if not name.startswith("."):  # somebody's temporary file
                    files = written if kind & _WRITTEN else removed
                    files[directory].add(name)
            elif kind & _ENDED and watch in (self._top, -1):
                return None
            elif watch == self._top and kind & inotify.IS_DIRECTORY:
                self._take_directory(changes, kind, name)
        return changes

    async def _wait_for_the_folder(self) -> None:
        while self._awaited:
            await trio.lowlevel.wait_readable(self._inotify.descriptor)
            if any(name == self._awaited or kind & _ENDED for _, kind, name in self._inotify.read()):
                self._awaited = ""

    def _take_directory(self, changes: Changes, kind: int, name: str) -> None:
        if kind & _WENT:
            changes.vanished.add(name)
            changes.appeared.discard(name)
            self._drop(name)
        else:
            changes.appeared.add(name)

    def _drop(self, name: str) -> None:
        """Hear no more of a directory, wherever it is now."""
        watch = self._watches.pop(name, None)
        if watch is not None:
            del self._names[watch]
            self._inotify.remove(watch)

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                watch = self._inotify.add(os.path.join(self._folder, name), _DIRECTORY | _WRITTEN | _WENT)
            except FileNotFoundError:
                continue  # gone meanwhile, which is told of
            except OSError as error:
                self.shortfall = self.shortfall or error  # the sweeps find what comes there
                continue
            self._note(name, watch)

    def _note(self, name: str, watch: int) -> None:
        if self._watches.get(name) not in (None, watch):
            self._drop(name)  # another directory of that name
        before = self._names.get(watch)
        if before is not None:
            del self._watches[before]  # it was moved here
        self._names[watch], self._watches[name] = name, watch

    def close(self) -> None:
        """End; that takes a while where there are very many directories."""
        self._inotify.close()
