"""SQLite's errors, and those of files, as `StorageError`: what is wrong, where, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from observatory import StorageError

IN_USE = (
    "is in use by another Observatory or another program: end that; or, to send, list and acknowledge beside it "
    "through the inbox, set OBSERVATORY_STORAGE__BACKEND=memory; or give this one a file of its own with "
    "plugins.sqlite.path"
)
DAMAGED = (
    "is damaged, and was left as it is: put a copy back in its place, or move it away together with the file of the "
    "same name that ends with -wal, to begin with an empty one"
)
_FAULTS = {
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_LOCKED: IN_USE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: "is no database, and was left as it is: move it away, or name another with "
    "plugins.sqlite.path",
    sqlite3.SQLITE_FULL: "has no room: make some on its file system; the next commit tries again",
    sqlite3.SQLITE_IOERR: "cannot be read or written: look after its disk; the next commit tries again",
    sqlite3.SQLITE_READONLY: "cannot be written: see that it, its folder and its file system can be",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: see that it is a file that can be read and written, and so its folder",
    sqlite3.SQLITE_INTERRUPT: "was interrupted",
}


def fault(path: Path, text: str) -> StorageError:
    """Make the error that something is wrong with the database.

    Args:
        path: the database's file.
        text: what it is or does, and what to do.
    """
    return StorageError(f"the database {str(path)!r} {text}")


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Raise `StorageError` in place of what SQLite and the file system raise.

    Args:
        path: the database's file.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what SQLite knows beyond the kind of error
        undecodable = "decode to UTF-8" in str(error)  # the module's own error, with no code
        text = DAMAGED if undecodable else _FAULTS.get(code, "could not do that")
        raise fault(path, f"{text} ({error})") from error
    except UnicodeDecodeError as error:  # SQLite quotes what it has found in a damaged schema
        raise fault(path, f"{DAMAGED} (its schema is no text)") from error
    except OSError as error:
        text = _FAULTS[sqlite3.SQLITE_CANTOPEN]
        raise fault(path, f"{text} ({error.strerror})") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise `StorageError` where a row has a value that nobody can have written.

    Args:
        path: the database's file.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise fault(path, f"{DAMAGED} ({error})") from error
