"""Finding unread files again. What is not ours stays where it is, counted and named in the log.

Blocking code, for a worker thread: a generator whose every step looks at a bounded number of files, so that the
task that drives it can be cancelled in between.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import TypeAlias

import attrs

from observatory import MESSAGE_OVERHEAD, Message
from observatory_inbox.files.access import close, explain, open_directory, read_listed
from observatory_inbox.files.format import SUFFIX, DamagedError, ForeignError, decode, is_file_name, is_name
from observatory_inbox.files.listing import entries_of, is_temporary, kind_of, last_change

_Look: TypeAlias = tuple[Message | None, int]
"""A look at a file: the message that is to be adopted, and the bytes that were read."""

STEP_LOOKS = 500
"""Looks at files after which a step ends."""

_LOOKS = 1_000  # of a step at the start; going to a thread and back for each takes as long as 30 looks

STEP_BYTES = 16 * 1024 * 1024
"""Bytes read after which a step ends."""

MOST_HELD = 64 * 1024 * 1024
"""Bytes of a recipient's messages that are held until all of them are in order."""

SWEEP_AGE = 36 * 3600.0
"""Seconds after which a temporary file is in nobody's hands any more."""

_ORDER = itemgetter(0, 1)

_NOTHING: _Look = None, 0

_log = logging.getLogger("observatory.inbox")


@attrs.frozen
class Refusal:
    """Why a file is not adopted."""

    reason: str
    """In one word, for the statistics."""
    why: str | None
    """In a line, for the log."""


class _Step:
    """What has been looked at since the task that drives the generator had its turn."""

    def __init__(self) -> None:
        self.found: list[Message] = []
        self._looks = 0
        self._size = 0

    def is_over(self, size: int) -> bool:
        """Count a look, and the bytes that were read; tell whether it was the last one."""
        self._looks += 1
        self._size += size
        return self._looks >= _LOOKS or self._size >= STEP_BYTES

    def end(self) -> list[Message]:
        """Return what was found, and begin the next one."""
        found, self.found = self.found, []
        self._looks = self._size = 0
        return found


class Recovery:
    """One pass over the inbox; watching goes on with it, so that nothing is counted and named twice.

    Attributes:
        recovered: messages found so far.
        swept: old temporary files removed so far.
        left: what was left where it is so far, by reason.

    Args:
        folder: the path of the inbox.
        max_file_bytes: larger files are left.
        now: seconds since the epoch.
    """

    def __init__(self, folder: str, max_file_bytes: int, now: float) -> None:
        self.recovered = 0
        self.swept = 0
        self.left: Counter[str] = Counter()
        self._named: dict[str, set[str]] = {}
        self._folder = folder
        self._limit = max_file_bytes
        self._now = now

    def steps(self, agents: Collection[str] | None) -> Generator[list[Message], None, None]:
        """Yield the messages, oldest first per recipient; each step gives what it has found, which may be nothing.

        Args:
            agents: whose; None for everybody's.
        """
        step = _Step()
        for _ in self._inbox(agents, step):
            yield self._hand_over(step)
        yield self._hand_over(step)

    def _hand_over(self, step: _Step) -> list[Message]:
        found = step.end()
        self.recovered += len(found)
        return found

    def _inbox(self, agents: Collection[str] | None, step: _Step) -> Iterator[None]:
        """Look at everything; yield whenever a step is over."""
        inbox = self._open(self._folder, None, self._folder)
        if inbox is None:
            return
        try:
            for name in sorted(self._all_agents(inbox) if agents is None else agents):
                if is_name(name):
                    yield from self._directory(name, inbox, step)
                else:
                    self.leave("invalid_name", os.path.join(self._folder, name), "no name of a recipient")
                if step.is_over(0):
                    yield
        finally:
            close(inbox)

    def _all_agents(self, inbox: int) -> Iterator[str]:
        for entry in self._entries(inbox, self._folder):
            kind = kind_of(entry)
            if kind == "directory":
                yield entry.name
            else:
                reason = "foreign" if kind == "file" else kind
                self.leave(reason, os.path.join(self._folder, entry.name), "not the directory of a recipient")

    def _directory(self, to: str, inbox: int, step: _Step) -> Iterator[None]:
        path = os.path.join(self._folder, to)
        directory = self._open(to, inbox, path)
        if directory is None:
            return
        try:
            # To put them in order takes a look into each; what memory should not hold until then is read once more.
            order: list[tuple[datetime, str, Message | None]] = []
            held = 0
            for entry in self._entries(directory, path):
                id = self.candidate(entry, directory, path)
                message, size = self._read(id, to, directory) if id else _NOTHING
                if message is not None:
                    held += size + MESSAGE_OVERHEAD
                    order.append((message.timestamp, message.id, message if held <= MOST_HELD else None))
                if step.is_over(size):
                    yield
            order.sort(key=_ORDER)
            for _, id, held_message in order:
                if held_message is not None:
                    step.found.append(held_message)
                    continue
                message, size = self._read(id, to, directory)
                if message is not None:
                    step.found.append(message)
                if step.is_over(size):
                    yield
        finally:
            close(directory)

    def _entries(self, directory: int, path: str) -> Iterator[os.DirEntry[str]]:
        """Go through a directory; what cannot be listed of it is left where it is."""
        try:
            yield from entries_of(directory)
        except OSError as error:
            self.leave_closed(path, error)

    def candidate(self, entry: os.DirEntry[str], directory: int, path: str) -> str | None:
        """Return the id of a regular file that is named like a message; sweep or leave anything else."""
        name = entry.name
        if is_file_name(name) and entry.is_file(follow_symlinks=False):
            return name.removesuffix(SUFFIX)
        kind = kind_of(entry)
        if kind != "file":
            self.leave(kind, os.path.join(path, name), "no regular file")
        elif name.startswith(".") and name.endswith(".tmp"):
            self._sweep(entry, directory)
        else:
            self.leave("foreign", os.path.join(path, name), "not named like a message")
        return None

    def _sweep(self, entry: os.DirEntry[str], directory: int) -> None:
        """Remove a temporary file that a crash has left; a young one may be in another process's hands."""
        if not is_temporary(entry.name):
            return  # another program's: a reader may have claimed mail by such a name
        with suppress(OSError):  # gone meanwhile, or not ours to remove; it is in nobody's way
            if self._now - last_change(entry.stat(follow_symlinks=False)) > SWEEP_AGE:
                os.unlink(entry.name, dir_fd=directory)
                self.swept += 1

    def _open(self, name: str, parent: int | None, path: str) -> int | None:
        try:
            return open_directory(name, parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.leave_closed(path, error)
            return None

    def _read(self, id: str, to: str, directory: int) -> _Look:
        """Read one file and return its message, or leave it where it is."""
        found, size = self.read(id, to, directory)
        if isinstance(found, Refusal):
            self.leave(found.reason, os.path.join(self._folder, to, id + SUFFIX), found.why)
            return _NOTHING
        return found, size

    def read(self, id: str, to: str, directory: int) -> tuple[Message | Refusal | None, int]:
        """Read one file and return its message, and the bytes that were read; None when it is gone."""
        try:
            raw = read_listed(id + SUFFIX, directory, self._limit)
            if raw is not None:
                return decode(raw, to=to, id=id), len(raw)
            return Refusal("huge", f"more than {self._limit:,} bytes"), 0
        except FileNotFoundError:
            return None, 0  # its recipient was faster
        except OSError as error:
            return Refusal("unreadable", error.strerror), 0
        except DamagedError as error:
            return Refusal("damaged", str(error)), 0
        except ForeignError as error:
            return Refusal("foreign", str(error)), 0

    def leave(self, reason: str, path: str, why: str | None) -> None:
        """Leave something where it is: count it, and name it in the log, once."""
        folder, name = os.path.split(path)
        named = self._named.setdefault(folder, set())
        if name not in named:
            named.add(name)
            self.left[reason] += 1
            _log.warning("left where it is (%s): %r: %s", reason, path, why)

    def leave_closed(self, path: str, error: OSError) -> None:
        """Leave what cannot be opened as a directory."""
        kind = "foreign" if isinstance(error, NotADirectoryError) else "unreadable"
        self.leave("symlink" if os.path.islink(path) else kind, path, explain(error, path))

    def forget_others(self, folder: str, present: Collection[str]) -> None:
        """Forget what was left in a directory, but for what is still there."""
        if folder in self._named:
            self._named[folder].intersection_update(present)
            if not self._named[folder]:
                del self._named[folder]
