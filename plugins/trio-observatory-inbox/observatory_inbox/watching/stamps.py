"""Which directories of a folder have changed: blocking code, for a worker thread."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import TypeAlias

from observatory_inbox.files.access import open_directory
from observatory_inbox.files.listing import entries_of, kind_of

_Stamp: TypeAlias = tuple[int, int]
"""A directory's inode and the time of its last change."""


_NEVER: _Stamp = 0, 0


class Stamps:
    """Remembers when each directory of a folder has last changed.

    Attributes:
        others: entries of the folder that are no directories, by name, with their kind.

    Args:
        folder: the path.
    """

    def __init__(self, folder: str) -> None:
        self.others: dict[str, str] = {}
        self._folder = folder
        self._stamps: dict[str, tuple[_Stamp, bool]] = {}  # and whether it was the same before

    def changed(self) -> tuple[list[str], list[str]]:
        """Return the directories that are new or have changed since the last call, and those that are gone.

        A directory that has changed is returned once more by the next call: what happens within one tick of the file
        system's clock leaves the same time.

        Raises:
            OSError: the folder cannot be listed; nothing is known of what is gone.
        """
        before = self._stamps
        now: dict[str, tuple[_Stamp, bool]] = {}
        others: dict[str, str] = {}
        folder = open_directory(self._folder)
        try:
            for entry in entries_of(folder):
                if not entry.is_dir(follow_symlinks=False):
                    others[entry.name] = kind_of(entry)
                elif (stamp := _stamp_of(entry)) is not None:
                    now[entry.name] = stamp, before.get(entry.name, (None,))[0] == stamp
        finally:
            os.close(folder)
        self.others, self._stamps = others, now
        changed = [name for name, (_, seen) in now.items() if not seen or not before[name][1]]
        return changed, [name for name in before if name not in now]

    def doubt(self, names: Iterable[str] | None = None) -> None:
        """Let the next call of `changed` return directories, by default all, whatever has become of them."""
        for name in tuple(self._stamps) if names is None else names:
            if name in self._stamps:
                self._stamps[name] = _NEVER, False

    def directories(self) -> Collection[str]:
        """Return the names of all directories."""
        return self._stamps.keys()

    def clear(self) -> list[str]:
        """Forget everything, and return which directories there were."""
        names = list(self._stamps)
        self._stamps, self.others = {}, {}
        return names


def _stamp_of(entry: os.DirEntry[str]) -> _Stamp | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None  # gone meanwhile
    return status.st_ino, status.st_mtime_ns
