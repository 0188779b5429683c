"""Directories and files of the inbox, each under one descriptor, never through a symbolic link."""

from __future__ import annotations

import errno
import os
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY_MODE = 0o700
_SMALL = 4096  # bytes; most messages are smaller
_HOPELESS = frozenset((errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EPERM, errno.EROFS))


def open_directory(name: str, parent: int | None = None) -> int:
    """Open a directory that is no symbolic link.

    Args:
        name: its path, or its name below `parent`.
        parent: a directory's descriptor, or None.

    Raises:
        OSError: when it is missing, a symbolic link or no directory, or may not be opened.
    """
    return os.open(name, _DIRECTORY, dir_fd=parent)


def make_directory(name: str, parent: int | None = None) -> int:
    """Make a directory that was found missing, with mode 0700 whatever the umask, and open it.

    Raises:
        OSError: when it cannot be made or opened.
    """
    try:
        os.mkdir(name, _DIRECTORY_MODE, dir_fd=parent)
        # By name: under a umask such as 777 nobody but root could open it to change it by descriptor.
        os.chmod(name, _DIRECTORY_MODE, dir_fd=parent)
    except FileExistsError:
        pass  # another process was faster
    return open_directory(name, parent)


def close(descriptor: int) -> None:
    """Close what nothing was written through, or was synced: that this fails is nothing that anybody has to hear of.

    What was done below a directory, and what was read, stays done. To fail with it would fail those of a batch that
    were carried out. It is not tried again: the descriptor is given back all the same, and may be another file's now.
    """
    try:  # noqa: SIM105 -- once for each message, and `suppress` takes as long as closing
        os.close(descriptor)
    except OSError:
        pass


def ensure_directory(path: str) -> None:
    """Make a directory where there is none; its parent must be there.

    Raises:
        OSError: when it cannot be made, or something else is in its place.
    """
    try:
        descriptor = open_directory(path)
    except FileNotFoundError:
        descriptor = make_directory(path)
    close(descriptor)


def read_file(name: str, directory: int, limit: int) -> bytes | None:
    """Read a regular file; never wait, whatever lies there.

    Returns:
        The bytes, or None when it is no regular file of at most `limit` bytes.

    Raises:
        OSError: when it is missing or may not be read.
    """
    return read_with_status(name, directory, limit)[0]


def read_listed(name: str, directory: int, limit: int) -> bytes | None:
    """Read a file that was just seen to be a regular one; a small one without asking for its size first.

    Returns:
        The bytes, or None when there are more than `limit`.

    Raises:
        OSError: when it is missing or may not be read.
    """
    descriptor = os.open(name, _READ, dir_fd=directory)
    try:
        data = os.read(descriptor, _SMALL)
        if len(data) == _SMALL:
            size = os.fstat(descriptor).st_size
            if size > limit:
                return None
            data += os.read(descriptor, max(size - _SMALL, 0))
        return data if len(data) <= limit else None
    finally:
        close(descriptor)


def read_with_status(name: str, directory: int, limit: int) -> tuple[bytes | None, os.stat_result]:
    """Read a file as `read_file` does, and say which file it was that was read.

    Raises:
        OSError: when it is missing or may not be read.
    """
    descriptor = os.open(name, _READ, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return None, status
        return os.read(descriptor, status.st_size), status
    finally:
        close(descriptor)


def explain(error: OSError, path: str) -> str:
    """Say in one line what is wrong with a path, and what to do about what stands in the way of a directory."""
    if os.path.islink(path):
        return f"{path!r} is a symbolic link, and the inbox follows none: remove it"
    if isinstance(error, NotADirectoryError):
        return f"{path!r} is not a directory: move it away"
    return f"{path!r}: {error.strerror}"


def is_hopeless(error: OSError) -> bool:
    """Return whether trying again is in vain until somebody has put it right, as with a missing permission.

    What may pass is not: a full disk, too many open files, a disk that fails.
    """
    return error.errno in _HOPELESS
