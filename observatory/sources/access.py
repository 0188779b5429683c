"""Files that somebody else may change, or put something else in the place of, at any moment."""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from observatory.errors import SwarmSourceError

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MIB = 1024 * 1024
_FOLDER_MODE = 0o700

_REASONS = {
    errno.ELOOP: "symbolic links lead round in a circle: remove them",
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "its folder is no folder",
}


def read_file(path: str, limit: int) -> tuple[bytes, os.stat_result]:
    """Read a regular file, and say which file it was; never wait, whatever lies there.

    Args:
        path: where.
        limit: bytes, whole MiB.

    Raises:
        OSError: it is missing, no regular file, larger than the limit, or cannot be read.
    """
    descriptor = os.open(path, _READ)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "something that is no file has its name: move that away")
        check_size(status.st_size, limit)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(status.st_size), status
    finally:
        os.close(descriptor)


def check_size(size: int, limit: int) -> None:
    """Refuse what is too large.

    Raises:
        OSError: it is.
    """
    if size > limit:
        raise OSError(errno.EFBIG, f"more than {limit // _MIB} MiB are too much: make it smaller")


def make_folder(path: str) -> None:
    """Make a folder, with mode 0700 whatever the umask.

    Raises:
        OSError: it is there, or cannot be made.
    """
    os.mkdir(path, _FOLDER_MODE)
    os.chmod(path, _FOLDER_MODE)


def folders_in(path: str, limit: int) -> tuple[list[str], bool]:
    """Return the names of the folders in a folder, the first ones by name, and whether there are more than the limit.

    Raises:
        OSError: it cannot be listed.
    """
    try:
        with os.scandir(path) as entries:
            folders = (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
            names = heapq.nsmallest(limit + 1, folders)
    except FileNotFoundError:
        return [], False
    return names[:limit], len(names) > limit


def stamp_of(status: os.stat_result) -> str:
    """Return what changes when a file does, or when somebody may read it who could not."""
    return f"{status.st_mtime_ns}.{status.st_ctime_ns}.{status.st_size}.{status.st_ino}"


def is_path(text: str) -> bool:
    """Tell whether a file can have that path; one that JSON cannot hold is none here."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def is_name(text: str) -> bool:
    """Tell whether a folder can have that name."""
    return text not in ("", ".", "..") and "/" not in text and is_path(text)


def shown(path: str) -> str:
    """Return a path as it may stand in one line, whatever its folders are called."""
    return path if path.isprintable() else repr(path)


def why(error: OSError) -> str:
    """Say in words why something could not be done."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


@contextmanager
def explained(project: str, done: str) -> Iterator[None]:
    """Turn the system's errors into one that names the project.

    Args:
        project: whose tasks.
        done: what should have been done with them, such as `read`.

    Raises:
        SwarmSourceError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise SwarmSourceError(project, f"cannot be {done}: {why(error)}") from error
