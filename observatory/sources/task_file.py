"""`tasks.jsonl` in the root of a project: read, and changed as one change."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress

from observatory.errors import ChangedMeanwhileError
from observatory.sources.access import check_size, explained, read_file, stamp_of
from observatory.swarm.source import Edit

TASKS = "tasks.jsonl"
MAX_SIZE = 128 * 1024 * 1024
"""Bytes of one file."""

_TEMPORARY = f".{TASKS}.observatory.tmp"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o600


def read_tasks(project: str) -> bytes:
    """Return the tasks of a project; nothing where there are none.

    Raises:
        SwarmSourceError: they cannot be read.
    """
    with explained(project, "read"):
        return _read(project)[0]


def stamp_of_tasks(project: str) -> str:
    """Return what changes when the tasks of a project, or what keeps them from being read, may have changed."""
    try:
        return stamp_of(os.stat(os.path.join(project, TASKS)))
    except OSError as error:
        return f"error {error.errno}"


def try_to_change(project: str, edit: Edit) -> bytes | None:
    """Change the tasks of a project as one change, unless somebody else is doing so.

    The lock is one on the folder of the file, so that nothing is left of it; the system gives it back with the process.

    Args:
        project: which.
        edit: is handed the bytes that are there, and returns those that shall be.

    Returns:
        What is there now; None while somebody else has the lock.

    Raises:
        SwarmSourceError: they cannot be read or written, or were changed meanwhile by somebody who takes no lock.
    """
    with ExitStack() as stack:
        with explained(project, "changed"):
            target = os.path.realpath(os.path.join(project, TASKS))  # a link goes on leading to it
            folder = os.open(os.path.dirname(target), _FOLDER)
            stack.callback(os.close, folder)  # gives the lock back, too
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            data, before = _read(project)
        changed = edit(data)
        if changed != data:
            with explained(project, "written"):
                _replace(os.path.basename(target), folder, changed, before, lambda: _check(project, before))
        return changed


def _read(project: str) -> tuple[bytes, os.stat_result | None]:
    """Return the bytes, and which file they are from; None where there is none."""
    try:
        return read_file(os.path.join(project, TASKS), MAX_SIZE)
    except FileNotFoundError:
        os.stat(os.path.join(project, ""))  # else it is the project that is missing
        return b"", None


def _replace(name: str, folder: int, data: bytes, before: os.stat_result | None, check: Callable[[], None]) -> None:
    check_size(len(data), MAX_SIZE)
    with suppress(FileNotFoundError):
        os.unlink(_TEMPORARY, dir_fd=folder)  # of a process that was killed: who has the lock is alone here
    with ExitStack() as undo:
        descriptor = os.open(_TEMPORARY, _NEW, _MODE, dir_fd=folder)
        undo.callback(os.unlink, _TEMPORARY, dir_fd=folder)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            _become(descriptor, before)
            os.fsync(descriptor)
        check()
        os.rename(_TEMPORARY, name, src_dir_fd=folder, dst_dir_fd=folder)
        undo.pop_all()
    with suppress(OSError):  # it has happened all the same; only a power cut could take it back, as a whole
        os.fsync(folder)


def _become(descriptor: int, before: os.stat_result | None) -> None:
    """Give a new file the owner, where that is allowed, and the rights of the old one, whatever the umask."""
    mode = _MODE
    if before is not None:
        mode = stat.S_IMODE(before.st_mode) & 0o777
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, mode)


def _check(project: str, before: os.stat_result | None) -> None:
    """Look whether the file is the one that was read.

    Raises:
        ChangedMeanwhileError: it is not.
    """
    try:
        now = os.stat(os.path.join(project, TASKS))
    except FileNotFoundError:
        now = None
    if _version(now) != _version(before):
        raise ChangedMeanwhileError(project)


def _version(status: os.stat_result | None) -> tuple[int, ...] | None:
    return status and (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
