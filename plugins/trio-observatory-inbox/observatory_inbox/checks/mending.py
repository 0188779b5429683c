"""Mending what the checks find, as far as that is safe. Blocking code, for a worker thread.

Everything is looked at again first, under descriptors that no symbolic link can lead astray.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from observatory_inbox.files.access import open_directory
from observatory_inbox.files.listing import entries_of, is_temporary, kind_of, last_change
from observatory_inbox.mail.recovery import SWEEP_AGE

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REACH = getattr(os, "O_PATH", _READ) | os.O_NOFOLLOW | os.O_CLOEXEC


def mode_of(status: os.stat_result) -> int:
    """Return who may do what."""
    return status.st_mode & 0o777


def is_open(status: os.stat_result) -> bool:
    """Return whether the mode of a file is to be changed; where that has other names, it is not only ours to change."""
    return mode_of(status) != FILE_MODE and status.st_nlink == 1


def status_of(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return a file's status, or None when it is gone meanwhile, or cannot be told."""
    with suppress(OSError):
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
    """Let only their owner use the files in a folder; those that have other names, too, stay as they are.

    Raises:
        OSError: one of them cannot be changed; the others are by then.
    """
    _change(folder, names, lambda _, status: is_open(status), _close_file)


def sweep(folder: str, *names: str, now: float) -> None:
    """Remove temporary files of ours that are older than those anybody has in hand.

    Args:
        folder: the path of a folder.
        names: lead from there to the folder that they are in.
        now: seconds since the epoch.

    Raises:
        OSError: one of them cannot be removed; the others are by then.
    """

    def is_left(name: str, status: os.stat_result) -> bool:
        return is_temporary(name) is not None and now - last_change(status) > SWEEP_AGE

    _change(folder, names, is_left, lambda name, directory: os.unlink(name, dir_fd=directory))


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


def _change(
    folder: str,
    names: Iterable[str],
    is_meant: Callable[[str, os.stat_result], bool],
    change: Callable[[str, int], None],
) -> None:
    """Change the files in a folder that are meant; one that cannot be changed does not keep the others from it."""
    failed: OSError | None = None
    with suppress(FileNotFoundError), _inside(folder, names) as directory:
        for name, status in _files(directory):
            try:
                if is_meant(name, status):
                    change(name, directory)
            except FileNotFoundError:  # gone meanwhile
                pass
            except OSError as error:
                failed = failed or error
    if failed is not None:
        raise failed


def _files(directory: int) -> Iterator[tuple[str, os.stat_result]]:
    for entry in entries_of(directory):
        if (status := status_of(entry)) is not None and kind_of(entry) == "file":
            yield entry.name, status


def _close_file(name: str, directory: int) -> None:
    descriptor, there = _reach(name, directory)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and is_open(status):
            os.chmod(there, FILE_MODE)
    finally:
        os.close(descriptor)


def _reach(name: str, directory: int) -> tuple[int, int | str]:
    """Open a file so that no link that comes in its place is followed; also return by what its mode is changed."""
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except PermissionError:  # its own mode is in the way; what is opened like this has no use but to lead to it
        descriptor = os.open(name, _REACH, dir_fd=directory)
        return descriptor, f"/proc/self/fd/{descriptor}"
    return descriptor, descriptor
