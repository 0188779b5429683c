"""Files of the outbox: read, removed once published, put aside. Blocking code, for a worker thread."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections import Counter
from collections.abc import Container, Generator, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import TypeAlias

import attrs

from observatory_inbox.adopting.survey import GRACE, Signature, signature_of
from observatory_inbox.files.access import explain, make_directory, open_directory, read_with_status
from observatory_inbox.files.format import SUFFIX, is_name
from observatory_inbox.files.listing import entries_of, kind_of
from observatory_inbox.mail.recovery import STEP_BYTES, STEP_LOOKS
from observatory_inbox.outbox.responses import CommandResponse, decode_response

QUARANTINE = ".quarantine"
"""The folder in the outbox where what does not decode is put."""

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_unsafe = re.compile(r"[^A-Za-z0-9._@+-]")

_log = logging.getLogger("observatory.outbox")

_Place: TypeAlias = tuple[str, str]
"""Session and name of the file."""


@attrs.frozen
class Taken:
    """A response that was read and not yet removed."""

    response: CommandResponse
    """The response."""
    place: _Place
    """Where its file is."""
    signature: Signature
    """Which file was read."""
    size: int
    """Its bytes."""


class Tray:
    """The files of one outbox.

    Attributes:
        quarantined: files put aside so far.
        left: what was left where it is so far, by reason.

    Args:
        folder: the path of the outbox.
        max_file_bytes: larger files are put aside unread.
    """

    def __init__(self, folder: str, max_file_bytes: int) -> None:
        self.quarantined = 0
        self.left: Counter[str] = Counter()
        self._folder = folder
        self._limit = max_file_bytes
        self._doubts: dict[_Place, tuple[Signature, float]] = {}  # may be half written
        self._published: dict[_Place, Signature] = {}  # could not be removed
        self._unread: set[str] = set()  # sessions of which not everything could be read
        self._named: dict[str, set[tuple[str, str]]] = {}  # names and reasons, by session

    def unfinished(self) -> set[str]:
        """Return the sessions with files that need another look although nothing has changed."""
        return self._unread.union(session for session, _ in (*self._doubts, *self._published))

    def forget(self, session: str) -> None:
        """Forget a directory that is gone."""
        self._unread.discard(session)
        self._forget_others(session, ())

    def take(self, sessions: Iterable[str], now: float) -> Generator[list[Taken], None, None]:
        """Yield the responses in these directories, in each by time of writing and name, in batches that may be empty.

        Args:
            sessions: names of directories.
            now: seconds by a clock that only runs forward.
        """
        try:
            outbox = open_directory(self._folder)
        except OSError:
            self._unread.update(sessions)
            return
        batch: list[Taken] = []
        looks = size = 0
        try:
            for session in sorted(sessions):
                for taken in self._take(session, outbox, now):
                    looks += 1
                    if taken is not None:
                        batch.append(taken)
                        size += taken.size
                    if looks >= STEP_LOOKS or size >= STEP_BYTES:
                        yield batch
                        batch, looks, size = [], 0, 0
            yield batch
        finally:
            os.close(outbox)

    def _take(self, session: str, outbox: int, now: float) -> Generator[Taken | None, None, None]:
        self._unread.discard(session)
        try:
            directory = open_directory(session, outbox)
        except FileNotFoundError:
            self.forget(session)
            return
        except OSError as error:
            self._leave_unread(session, "", explain(error, os.path.join(self._folder, session)))
            return
        try:
            for _, name in self._candidates(session, directory):
                yield self._look(session, name, directory, outbox, now)
        finally:
            os.close(directory)

    def _candidates(self, session: str, directory: int) -> list[tuple[int, str]]:
        """Return time and name of every file that may be a response, and forget what was remembered of others."""
        valid = is_name(session)
        if not valid and session != QUARANTINE:
            self._leave("invalid_name", session, "", "no name of a session")
        try:
            # Without the writer's temporary files, and what is none of ours.
            entries = [entry for entry in entries_of(directory) if valid and is_response(entry.name)]
        except OSError as error:
            self._leave_unread(session, "", error.strerror)
            return []
        self._forget_others(session, {"", *(entry.name for entry in entries)})
        times = ((self._time_of(session, entry), entry.name) for entry in entries)
        return sorted((time, name) for time, name in times if time is not None)

    def _time_of(self, session: str, entry: os.DirEntry[str]) -> int | None:
        """Return when a file was written; None for what is no file or cannot be looked at."""
        try:
            if (kind := kind_of(entry)) == "file":
                return entry.stat(follow_symlinks=False).st_mtime_ns
            self._leave(kind, session, entry.name, "no regular file")
        except FileNotFoundError:
            pass  # gone meanwhile
        except OSError as error:
            self._leave_unread(session, entry.name, error.strerror)
        return None

    def _look(self, session: str, name: str, directory: int, outbox: int, now: float) -> Taken | None:
        place = session, name
        try:
            raw, status = read_with_status(name, directory, self._limit)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave_unread(session, name, error.strerror)
            return None
        signature = signature_of(status)
        if self._published.get(place) == signature:
            self._remove(place, signature, directory)
            return None
        try:
            if raw is None:
                raise ValueError(f"more than {self._limit:,} bytes")
            response = decode_response(raw, session_id=session, name=name, written=status.st_mtime)
        except ValueError as error:
            self._doubt(place, signature, str(error), directory, outbox, now)
            return None
        self._doubts.pop(place, None)
        return Taken(response, place, signature, len(raw))

    def remove(self, batch: Sequence[Taken]) -> None:
        """Remove the files of responses that were published; one that cannot be removed is not published again."""
        for taken in batch:
            self._published[taken.place] = taken.signature
        with suppress(OSError):  # it is gone, and all that was in it
            outbox = open_directory(self._folder)
            try:
                for session, files in groupby(batch, key=lambda taken: taken.place[0]):
                    self._remove_all(session, files, outbox)
            finally:
                os.close(outbox)

    def _remove_all(self, session: str, files: Iterable[Taken], outbox: int) -> None:
        with suppress(OSError):  # as above
            directory = open_directory(session, outbox)
            try:
                for taken in files:
                    self._remove(taken.place, taken.signature, directory)
            finally:
                os.close(directory)

    def _remove(self, place: _Place, signature: Signature, directory: int) -> None:
        """Remove the file that was read, and no other that has come in its place since."""
        session, name = place
        mine = f".{secrets.token_hex(8)}{SUFFIX}"
        try:
            os.rename(name, mine, src_dir_fd=directory, dst_dir_fd=directory)
            if signature_of(os.stat(mine, dir_fd=directory, follow_symlinks=False)) == signature:
                os.unlink(mine, dir_fd=directory)
            else:
                os.rename(mine, mine[1:], src_dir_fd=directory, dst_dir_fd=directory)  # read under this name
        except FileNotFoundError:
            pass
        except OSError as error:
            self._leave("not_removed", session, name, error.strerror)
            return
        self._published.pop(place, None)

    def _doubt(self, place: _Place, signature: Signature, why: str, directory: int, outbox: int, now: float) -> None:
        """Put a file aside when it stayed as it is for long enough; before, its writer may be at it."""
        before, since = self._doubts.get(place, (None, now))
        if before != signature:
            self._doubts[place] = signature, now
        elif now - since >= GRACE:
            self._put_aside(place, signature, why, directory, outbox)

    def _put_aside(self, place: _Place, signature: Signature, why: str, directory: int, outbox: int) -> None:
        session, name = place
        path = os.path.join(self._folder, session, name)
        safe = f"{session}-{_unsafe.sub('-', name.removesuffix(SUFFIX))[:64]}-{secrets.token_hex(4)}{SUFFIX}"
        try:
            quarantine = _open_or_make(QUARANTINE, outbox)
            try:
                moved = _move(name, safe, signature, directory, quarantine)
                if moved:  # not before: what cannot be moved is tried again and again
                    _write_reason(safe, f"{path!r}: {why}", quarantine)
            finally:
                os.close(quarantine)
        except FileNotFoundError:
            return  # gone meanwhile: forgotten at the next look
        except OSError as error:
            self._leave("not_quarantined", session, name, f"{why}; it cannot be moved: {error.strerror}")
            return
        del self._doubts[place]
        if moved:
            self.quarantined += 1
            _log.warning("quarantined as %s: %r: %s", safe, path, why)

    def _leave_unread(self, session: str, name: str, why: str | None) -> None:
        """Leave what cannot be read, and look again: when it can be read, nothing tells of it."""
        self._unread.add(session)
        self._leave("unreadable", session, name, why)

    def _leave(self, reason: str, session: str, name: str, why: str | None) -> None:
        """Leave something where it is: count it, and name it in the log, once for each reason."""
        named = self._named.setdefault(session, set())
        if (name, reason) not in named:
            named.add((name, reason))
            self.left[reason] += 1
            _log.warning("left where it is (%s): %r: %s", reason, os.path.join(self._folder, session, name), why)

    def _forget_others(self, session: str, present: Container[str]) -> None:
        """Forget what was remembered of a session's files, but for those that are present."""
        gone = [place for place in (*self._doubts, *self._published) if place[0] == session and place[1] not in present]
        for place in gone:
            self._doubts.pop(place, None)
            self._published.pop(place, None)
        if session in self._named:
            self._named[session] = {named for named in self._named[session] if named[0] in present}
            if not self._named[session]:
                del self._named[session]


def is_response(name: str) -> bool:
    """Return whether a file is named like a response; what begins with a dot is a temporary file."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def _open_or_make(name: str, parent: int) -> int:
    try:
        return open_directory(name, parent)
    except FileNotFoundError:
        return make_directory(name, parent)


def _move(name: str, safe: str, signature: Signature, directory: int, quarantine: int) -> bool:
    """Move a file to the quarantine, give back another one that came in its place, and return whether one is there."""
    os.rename(name, safe, src_dir_fd=directory, dst_dir_fd=quarantine)
    if signature_of(os.stat(safe, dir_fd=quarantine, follow_symlinks=False)) != signature:
        with suppress(OSError):  # what cannot go back stays, and is named
            os.rename(safe, f"{secrets.token_hex(8)}{SUFFIX}", src_dir_fd=quarantine, dst_dir_fd=directory)
            return False
    return True


def _write_reason(safe: str, text: str, quarantine: int) -> None:
    """Write beside a file in the quarantine why it is there."""
    try:
        descriptor = os.open(f"{safe}.reason", _NEW_FILE, 0o600, dir_fd=quarantine)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()} {text}\n")
    except OSError as error:  # the log says it, too
        _log.warning("%s.reason cannot be written: %s", safe, error.strerror)
