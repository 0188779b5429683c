"""The check `sqlite`: what is wrong with the database, as far as that can be seen without opening it for use.

It is read as if nothing could change it (`immutable`): SQLite then takes no lock, which would keep a process from
opening it meanwhile, and makes no file beside it. While a process has it open, or one that did was ended, there is a
log beside it, and what is in the file alone says nothing: then only the files themselves are looked at.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import trio

from observatory import Check, Context, Finding, quoted
from observatory_sqlite.faults import fault
from observatory_sqlite.hop import interruptible_hop
from observatory_sqlite.opening import SMALLEST
from observatory_sqlite.schema import APPLICATION, MIGRATIONS
from observatory_sqlite.settings import SqliteSettings

_AHEAD = 60.0  # seconds; two clocks never agree wholly
_OLD = 60.0  # seconds that nobody takes to make a database
_ABANDONED = 36 * 3600.0  # seconds
_NEWEST = """SELECT max(timestamp), sum(typeof(timestamp) != 'integer')
    FROM (SELECT timestamp FROM messages ORDER BY place DESC LIMIT 1000)"""
_FORGET = "put a copy back in its place, or move it away to begin with an empty one"


class DatabaseCheck(Check):
    """Looks at the database and the files beside it.

    Args:
        context: what the doctor hands to a check.
    """

    def __init__(self, context: Context) -> None:
        settings: SqliteSettings = context.settings or SqliteSettings()
        self._path = settings.path or context.root / "observatory" / "observatory.db"
        self._log = Path(f"{self._path}-wal")
        self._lock = Path(f"{self._path}-lock")
        self._folder = None if settings.path else self._path.parent  # one that is not ours has the mode it has
        self._clock = context.clock
        self._connection: sqlite3.Connection | None = None

    async def run(self) -> Sequence[Finding]:
        """Look, and return what is wrong."""
        self._now = self._clock.now().timestamp()
        return await interruptible_hop(lambda: list(self._look()), self._interrupt)

    def _look(self) -> Iterator[Finding]:
        yield from self._look_at_modes()
        yield from self._look_for_leftovers()
        found = _status_of(self._path, follow=True)
        if found is None:
            yield from self._look_where_it_is_missing()
        elif not stat.S_ISREG(found.st_mode):
            yield self._finding("is no file", _aside(self._path))
        elif not self._log.exists():
            problems = list(self._read(found.st_size))
            if _mark_of(_status_of(self._path, follow=True)) == _mark_of(found) and not self._log.exists():
                yield from problems  # nobody has changed it meanwhile

    def _look_at_modes(self) -> Iterator[Finding]:
        wanted = [(path, 0o600, stat.S_ISREG) for path in (self._path, self._log, self._lock)]
        if self._folder is not None:
            wanted.append((self._folder, 0o700, stat.S_ISDIR))
        for path, mode, is_kind in wanted:
            status = _status_of(path)
            if status is not None and is_kind(status.st_mode) and status.st_mode & 0o777 != mode:
                problem = f"has the mode {status.st_mode & 0o777:04o} instead of {mode:04o}"
                fix = partial(trio.to_thread.run_sync, _set_mode, path, mode, is_kind)
                yield Finding(str(path), problem, f"chmod {mode:o} {quoted(path)}", fix)

    def _look_for_leftovers(self) -> Iterator[Finding]:
        """Find folders in which a database was being made."""
        is_ours = re.compile(rf"\.{re.escape(self._path.name)}-[a-z0-9_]{{8}}").fullmatch
        with suppress(FileNotFoundError):
            for path in sorted(self._path.parent.iterdir()):
                status = _status_of(path) if is_ours(path.name) else None
                if status is not None and stat.S_ISDIR(status.st_mode) and self._now - status.st_mtime > _ABANDONED:
                    problem = "was left by a crash that came while a database was made: nothing was in that yet"
                    yield Finding(str(path), problem, f"rm -r {quoted(path)}")

    def _look_where_it_is_missing(self) -> Iterator[Finding]:
        lock = _status_of(self._lock)
        if self._log.exists():
            problem = f"is missing, and {self._log.name!r} holds what was committed: put it back, or move that away too"
            yield self._finding(problem, _aside(self._log))
        elif lock is not None and self._now - lock.st_mtime > _OLD:
            remedy = "put a copy back in its place; without one, the next start makes an empty one"
            yield self._finding("is missing, though it was opened here before", remedy)

    def _read(self, size: int) -> Iterator[Finding]:
        if size < SMALLEST:
            yield self._finding(f"is damaged (it has {size} bytes): {_FORGET}", _aside(self._path))
            return
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
                self._connection = connection
                yield from self._read_from(connection)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes what it has found in a damaged schema
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                raise fault(self._path, "was being looked at") from error
            yield self._finding(f"cannot be read ({str(error)!r}): {_FORGET}", _aside(self._path))
        finally:
            self._connection = None

    def _read_from(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        ((application,),) = connection.execute("PRAGMA application_id")
        ((version,),) = connection.execute("PRAGMA user_version")
        ((damage,),) = connection.execute("PRAGMA quick_check(1)")
        if application != APPLICATION:
            yield self._finding("is one of another program", _aside(self._path))
        elif damage != "ok":
            yield self._finding(f"is damaged ({damage!r}): {_FORGET}", _aside(self._path))
        elif version > len(MIGRATIONS):
            problem = f"is of version {version}, and versions up to {len(MIGRATIONS)} are known here"
            yield self._finding(problem, "python3 -m pip install --upgrade trio-observatory-sqlite")
        else:
            ((newest, strange),) = connection.execute(_NEWEST)
            if strange:
                yield self._finding(f"is damaged (a time is no number): {_FORGET}", _aside(self._path))
            elif newest is not None and newest > (self._now + _AHEAD) * 1_000_000:
                yield self._finding(
                    "holds messages of a time to come: the clock was ahead when they were sent, or is behind now",
                    "see by date -u whether the clock is right, and set it; until then, times creep on",
                )

    def _finding(self, problem: str, remedy: str) -> Finding:
        return Finding(str(self._path), problem, remedy)

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it has just been closed there
                connection.interrupt()


def _status_of(path: Path, *, follow: bool = False) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return path.stat(follow_symlinks=follow)
    return None


def _mark_of(status: os.stat_result | None) -> tuple[int, ...] | None:
    return None if status is None else (status.st_ino, status.st_size, status.st_mtime_ns)


def _set_mode(path: Path, mode: int, is_kind: Callable[[int], bool]) -> None:
    """Set a mode by name: to open and close a database here would give up a lock that this process may have."""
    status = _status_of(path)
    if status is not None and is_kind(status.st_mode) and status.st_mode & 0o777 != mode:
        path.chmod(mode)


def _aside(path: Path) -> str:
    return f"mv -n {quoted(path)} {quoted(f'{path}.aside')}"
