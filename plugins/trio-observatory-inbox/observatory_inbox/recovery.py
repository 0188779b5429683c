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
from typing import TypeAlias

from observatory import Message
from observatory_inbox.files import explain, open_directory, read_file
from observatory_inbox.format import SUFFIX, DamagedError, ForeignError, decode, is_id, is_name
from observatory_inbox.listing import entries_of, kind_of

_Look: TypeAlias = tuple[Message | None, int]
"""One look at something: the message that is to be adopted, and the bytes that were read."""

_SWEEP_AGE = 36 * 3600.0  # seconds
_STEP_LOOKS = 500
_STEP_BYTES = 16 * 1024 * 1024
_NOTHING: _Look = None, 0

_log = logging.getLogger("observatory.inbox")


class Recovery:
    """One pass over the inbox.

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
        self._folder = folder
        self._limit = max_file_bytes
        self._now = now

    def batches(self, agents: Collection[str] | None) -> Generator[list[Message], None, None]:
        """Yield the messages, oldest first per recipient, in batches that may be empty.

        Args:
            agents: whose; None for everybody's.
        """
        batch: list[Message] = []
        looks = size = 0
        for message, read in self._inbox(agents):
            looks, size = looks + 1, size + read
            if message is not None:
                batch.append(message)
                self.recovered += 1
            if looks >= _STEP_LOOKS or size >= _STEP_BYTES:
                yield batch
                batch, looks, size = [], 0, 0
        yield batch

    def _inbox(self, agents: Collection[str] | None) -> Iterator[_Look]:
        inbox = self._open(self._folder, None, self._folder)
        if inbox is None:
            return
        try:
            for name in sorted(self._all_agents(inbox) if agents is None else agents):
                if is_name(name):
                    yield from self._directory(name, inbox)
                else:
                    self._leave("invalid_name", os.path.join(self._folder, name), "no name of a recipient")
                yield _NOTHING
        finally:
            os.close(inbox)

    def _all_agents(self, inbox: int) -> Iterator[str]:
        for entry in entries_of(inbox):
            kind = kind_of(entry)
            if kind == "directory":
                yield entry.name
            else:
                reason = "foreign" if kind == "file" else kind
                self._leave(reason, os.path.join(self._folder, entry.name), "not the directory of a recipient")

    def _directory(self, to: str, inbox: int) -> Iterator[_Look]:
        path = os.path.join(self._folder, to)
        directory = self._open(to, inbox, path)
        if directory is None:
            return
        try:
            # Twice over the files: to put them in order takes a look into each, and memory may not hold them all.
            order: list[tuple[datetime, str]] = []
            for entry in entries_of(directory):
                id = self._candidate(entry, directory, path)
                message, size = self._read(id, to, directory) if id else _NOTHING
                if message is not None:
                    order.append((message.timestamp, message.id))
                yield None, size
            for _, id in sorted(order):
                yield self._read(id, to, directory)
        finally:
            os.close(directory)

    def _candidate(self, entry: os.DirEntry[str], directory: int, path: str) -> str | None:
        """Return the id of a regular file that is named like a message; sweep or leave anything else."""
        name, kind = entry.name, kind_of(entry)
        if kind != "file":
            self._leave(kind, os.path.join(path, name), "no regular file")
        elif name.startswith(".") and name.endswith(".tmp"):
            self._sweep(entry, directory)
        elif name.endswith(SUFFIX) and is_id(name.removesuffix(SUFFIX)):
            return name.removesuffix(SUFFIX)
        else:
            self._leave("foreign", os.path.join(path, name), "not named like a message")
        return None

    def _sweep(self, entry: os.DirEntry[str], directory: int) -> None:
        """Remove a temporary file that a crash has left; a young one may be in another process's hands."""
        with suppress(OSError):  # gone meanwhile, or not ours to remove; it is in nobody's way
            if self._now - entry.stat(follow_symlinks=False).st_mtime > _SWEEP_AGE:
                os.unlink(entry.name, dir_fd=directory)
                self.swept += 1

    def _open(self, name: str, parent: int | None, path: str) -> int | None:
        try:
            return open_directory(name, parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            kind = "foreign" if isinstance(error, NotADirectoryError) else "unreadable"
            self._leave("symlink" if os.path.islink(path) else kind, path, explain(error, path))
            return None

    def _read(self, id: str, to: str, directory: int) -> _Look:
        """Read one file and return its message, or leave it where it is."""
        path = os.path.join(self._folder, to, id + SUFFIX)
        try:
            raw = read_file(id + SUFFIX, directory, self._limit)
            if raw is not None:
                return decode(raw, to=to, id=id), len(raw)
            self._leave("huge", path, f"more than {self._limit:,} bytes")
        except FileNotFoundError:
            pass  # its recipient was faster
        except OSError as error:
            self._leave("unreadable", path, error.strerror)
        except DamagedError as error:
            self._leave("damaged", path, str(error))
        except ForeignError as error:
            self._leave("foreign", path, str(error))
        return _NOTHING

    def _leave(self, reason: str, path: str, why: str | None) -> None:
        self.left[reason] += 1
        _log.warning("left where it is (%s): %r: %s", reason, path, why)
