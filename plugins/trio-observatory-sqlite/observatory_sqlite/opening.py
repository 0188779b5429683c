"""What is looked at before a database is used, and making a new one."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from observatory_sqlite.faults import DAMAGED, IN_USE, fault
from observatory_sqlite.schema import APPLICATION, migrate

_LOG_LIMIT = 64 * 1024 * 1024
"""Bytes that the log is cut to after a commit that was larger."""
SMALLEST = 512
"""Bytes of the smallest page of a database."""


def lock(path: Path) -> int:
    """Take the lock of a database, and make its folder where it is missing; return what is to be closed in the end.

    Two processes that number the messages of one recipient would use a number twice, so there is only one. The lock
    that SQLite takes itself is not enough: a process loses it as soon as anything in it closes the database's file, if
    only after making a copy. This one is of another kind and on a file of its own; it too ends with its process.

    Raises:
        StorageError: somebody else has it.
        OSError: it cannot be made.
    """
    _make_folder(path.parent)
    descriptor = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise fault(path, IN_USE) from error
        raise
    return descriptor


def prepare_file(path: Path) -> None:
    """See that there is a file that may be a database, and make a new one where there is none.

    Raises:
        StorageError: there is something else.
        OSError: it cannot be used, or not be made.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        _make_new(path)
        return
    if not stat.S_ISREG(found.st_mode):
        raise fault(path, "is no file: move that away, or name another with plugins.sqlite.path")
    if found.st_size < SMALLEST:  # SQLite would take some of these for databases that are new
        raise fault(path, f"{DAMAGED} (it has {found.st_size} bytes)")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Make a connection the only one, and see that the database is ours and undamaged, before anything is changed.

    Raises:
        StorageError: it is damaged, or of another program.
        sqlite3.Error: it is in use, or not even that can be seen.
    """
    _set_up(connection)
    ((application,),) = connection.execute("PRAGMA application_id")
    if application != APPLICATION:
        raise fault(path, "is one of another program: move it away, or name another with plugins.sqlite.path")
    ((finding,),) = connection.execute("PRAGMA quick_check(1)")
    if finding != "ok":
        raise fault(path, f"{DAMAGED} ({' '.join(finding.split())})")
    connection.execute("PRAGMA journal_mode = WAL")


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection to a file that there is; it can be used in any thread, by one at a time.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # holds off every other program that uses SQLite
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # on a Mac, fsync alone does not survive a power cut
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")


def _make_new(path: Path) -> None:
    """Make a database beside its place and move it there whole, so that a file of ours is never an empty one."""
    log = Path(f"{path}-wal")
    if log.exists():
        raise fault(path, f"is missing, and {log.name!r} holds what was committed: put it back, or move that away too")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        new = Path(folder, path.name)
        new.touch()
        with closing(connect(new)) as connection:
            _set_up(connection)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            # No log yet: where closing cannot move what is in it, it does not say so, and the log stays behind here.
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            migrate(connection, path)
        new.chmod(0o600)
        new.rename(path)
    _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o700)  # whatever the umask
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
