"""Mending what the checks find, as far as that is safe. Blocking code, for a worker thread.

Everything is looked at again first, under descriptors that no symbolic link can lead astray.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from observatory_inbox.files.access import open_directory
from observatory_inbox.files.listing import entries_of, kind_of
from observatory_inbox.mail.recovery import SWEEP_AGE

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def mode_of(status: os.stat_result) -> int:
    """Return who may do what."""
    return status.st_mode & 0o777


def status_of(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return a file's status, or None when it is gone meanwhile."""
    with suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False)
    return None


def close_folder(folder: str, *names: str) -> None:
    """Let only its owner use a folder.

    Raises:
        OSError: it cannot be opened or changed.
    """
    with suppress(FileNotFoundError), _inside(folder, names) as directory:
        if mode_of(os.fstat(directory)) != FOLDER_MODE:
            os.fchmod(directory, FOLDER_MODE)


def close_files(folder: str, *names: str) -> None:
    """Let only their owner use the files in a folder.

    Raises:
        OSError: one of them cannot be opened or changed.
    """
    with suppress(FileNotFoundError), _inside(folder, names) as directory:
        for name, status in _files(directory):
            if mode_of(status) != FILE_MODE:
                with suppress(FileNotFoundError):
                    _close_file(name, directory)


def sweep(folder: str, *names: str, is_ours: Callable[[str], Any], now: float) -> None:
    """Remove temporary files that are older than those anybody has in hand.

    Args:
        folder: the path of a folder.
        names: lead from there to the folder that they are in.
        is_ours: tells them by their names.
        now: seconds since the epoch.

    Raises:
        OSError: one of them cannot be removed.
    """
    with suppress(FileNotFoundError), _inside(folder, names) as directory:
        for name, status in _files(directory):
            if is_ours(name) and now - status.st_mtime > SWEEP_AGE:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)


def unlock(folder: str, *names: str, stale: float) -> None:
    """Remove a lock that is stale still; whoever holds it has refreshed its time.

    Args:
        folder: the path of a folder.
        names: lead from there to the lock.
        stale: seconds that it takes to become stale, by the system's clock as all others go by it.

    Raises:
        OSError: it cannot be removed.
    """
    *above, lock = names
    with suppress(FileNotFoundError), _inside(folder, above) as directory:
        if os.stat(lock, dir_fd=directory, follow_symlinks=False).st_mtime < time.time() - stale:
            os.rmdir(lock, dir_fd=directory)


@contextmanager
def _inside(folder: str, names: Iterable[str]) -> Iterator[int]:
    directory = open_directory(folder)
    try:
        for name in names:
            outer, directory = directory, open_directory(name, directory)
            os.close(outer)
        yield directory
    finally:
        os.close(directory)


def _files(directory: int) -> Iterator[tuple[str, os.stat_result]]:
    for entry in entries_of(directory):
        if kind_of(entry) == "file" and (status := status_of(entry)) is not None:
            yield entry.name, status


def _close_file(name: str, directory: int) -> None:
    descriptor = os.open(name, _READ, dir_fd=directory)  # so that no link that comes in its place is followed
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, FILE_MODE)
    finally:
        os.close(descriptor)
