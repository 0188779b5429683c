"""The lock of a team inbox: the protocol of npm's `proper-lockfile`, which Claude Code uses.

The lock is a directory beside the inbox, made with mkdir and given back with rmdir. Nothing is ever put into it or in
its place: Claude Code would wait for it without end. One whose mtime is more than 10 s old is stale, and whoever finds
it removes it and tries once more; an mtime in the future is fresh. Times are the system's wall clock, since that is
what the others compare with.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

STALE = 10.0
"""Seconds after which a lock that nobody has refreshed may be taken."""

_UPDATE = 5.0  # seconds


class LostError(Exception):
    """Raised when a lock that was held is somebody else's now, or gone."""


class TeamLock:
    """One try for a lock, and one hold of it; held for milliseconds.

    `proper-lockfile` refreshes the mtime every 5 s from a timer. Here `confirm` does it, right before the one
    step that the lock is for: that comes within milliseconds, and if it does not, because the process was
    stopped, the lock is refreshed or found lost before anything is changed.

    Args:
        name: the directory's name.
        parent: descriptor of the directory that it is made in.
    """

    def __init__(self, name: str, parent: int) -> None:
        self._name = name
        self._parent = parent
        self._mark: tuple[int, int] | None = None

    def is_taken(self) -> bool:
        """Tell whether somebody holds the lock.

        Raises:
            OSError: when that cannot be told.
        """
        try:
            return not _is_stale(self._status())
        except FileNotFoundError:
            return False

    def acquire(self) -> bool:
        """Take the lock and return True, or return False when somebody else holds it; never waits.

        Raises:
            OSError: when it can neither be taken nor is it held, as with a file in its place.
        """
        return self._make() or (self._is_free() and self._make())

    def confirm(self) -> None:
        """Make sure that the lock is still ours, and refresh it when that is due.

        Raises:
            LostError: it is not; nothing that it guards may be changed any more.
            OSError: when that cannot be told.
        """
        if not self._is_ours():
            raise LostError(f"the lock {self._name!r} was lost while it was held")
        if time.time() - self._status().st_mtime >= _UPDATE:
            os.utime(self._name, dir_fd=self._parent)
            self._mark = _mark_of(self._status())

    def release(self) -> None:
        """Give the lock back, unless it is somebody else's now."""
        with suppress(OSError):  # the work is done; what cannot be removed is stale in 10 s
            if self._is_ours():
                os.rmdir(self._name, dir_fd=self._parent)

    def _make(self) -> bool:
        try:
            os.mkdir(self._name, dir_fd=self._parent)
        except FileExistsError:
            return False
        self._mark = _mark_of(self._status())
        return True

    def _is_free(self) -> bool:
        """Tell whether the lock is gone; a stale one is removed."""
        try:
            if not _is_stale(self._status()):
                return False
            os.rmdir(self._name, dir_fd=self._parent)
        except FileNotFoundError:
            pass
        return True

    def _is_ours(self) -> bool:
        try:
            return _mark_of(self._status()) == self._mark
        except FileNotFoundError:
            return False

    def _status(self) -> os.stat_result:
        return os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)


def _is_stale(status: os.stat_result) -> bool:
    return status.st_mtime < time.time() - STALE


def _mark_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_mtime_ns
