"""What lies in the inbox now: directories listed, strangers read. Blocking code, for a worker thread."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

import attrs

from observatory import Message
from observatory_inbox.files.access import open_directory
from observatory_inbox.files.format import SUFFIX, is_name
from observatory_inbox.files.listing import entries_of
from observatory_inbox.mail.recovery import STEP_BYTES, STEP_LOOKS, Recovery, Refusal

GRACE = 1.0
"""Seconds for which a file that cannot be read must stay as it is before it counts as left: it may be half written."""

_FS_IOC_GETVERSION = 0x80087601  # on 64 bit

_Identity: TypeAlias = tuple[int, int, bytes]
Signature: TypeAlias = tuple[int, int, int]
"""A file's inode, size and time of change: while they stay, so does what is in it."""


@attrs.frozen
class Listing:
    """A directory of the inbox as it was found."""

    to: str
    """The recipient."""
    ids: frozenset[str] | None
    """What is named like a message; None when the directory could not be listed."""
    same: bool
    """Whether it is the directory that was listed before, and still there afterwards."""


@attrs.define
class _Refused:
    """A file that was looked at and not adopted."""

    signature: Signature
    since: float
    refusal: Refusal
    named: bool = False

    @property
    def passing(self) -> bool:
        """Whether the file may be read the next time although it is the same, such as after too many were open."""
        return self.refusal.reason == "unreadable"


class Survey:
    """Lists and reads; remembers what is not worth another look.

    Attributes:
        recovery: reads, and counts and names what is left.

    Args:
        folder: the path of the inbox.
        recovery: the latest.
    """

    def __init__(self, folder: str, recovery: Recovery) -> None:
        self.recovery = recovery
        self._folder = folder
        self._identities: dict[str, _Identity] = {}
        self._refused: dict[str, dict[str, _Refused | None]] = {}  # None: not to be looked at

    def pass_over(self, to: str, ids: Iterable[str]) -> None:
        """Never look at these files."""
        self._refused.setdefault(to, {}).update(dict.fromkeys(ids))

    def refused(self) -> dict[str, set[str]]:
        """Return the files that may have become readable, by recipient."""
        every = {to: {id for id, refused in files.items() if refused} for to, files in self._refused.items()}
        return {to: ids for to, ids in every.items() if ids}

    def forget(self, to: str) -> None:
        """Forget a directory that is gone."""
        for memory in (self._identities, self._refused):
            memory.pop(to, None)
        self.recovery.forget_others(os.path.join(self._folder, to), ())

    def list_directories(self, names: Iterable[str]) -> list[Listing]:
        """List directories."""
        try:
            inbox = open_directory(self._folder)
        except OSError:
            return []  # the next sweep finds out
        try:
            return [self._list(name, inbox) for name in names]
        finally:
            os.close(inbox)

    def _list(self, to: str, inbox: int) -> Listing:
        path = os.path.join(self._folder, to)
        try:
            directory = open_directory(to, inbox)
        except FileNotFoundError:
            self.forget(to)
            return Listing(to, None, same=False)
        except OSError as error:
            self.recovery.leave_closed(path, error)
            return Listing(to, None, same=True)
        try:
            identity = _identity(directory)
            ids = self._ids(to, directory, path)
            there = _is_there(directory, to, inbox)
        except OSError as error:
            self.recovery.leave_closed(path, error)
            return Listing(to, None, same=True)
        finally:
            os.close(directory)
        same = self._identities.get(to, identity) == identity
        self._identities[to] = identity
        return Listing(to, ids if there else None, same and there)

    def _ids(self, to: str, directory: int, path: str) -> frozenset[str]:
        """Return the ids of a directory's files, and forget what was remembered of those that are gone."""
        ids: set[str] = set()
        names: set[str] = set()
        valid = is_name(to)
        if not valid:
            self.recovery.leave("invalid_name", path, "no name of a recipient")
        for entry in entries_of(directory):
            names.add(entry.name)
            if valid and (id := self.recovery.candidate(entry, directory, path)) is not None:
                ids.add(id)
        if to in self._refused:
            self._refused[to] = {id: refused for id, refused in self._refused[to].items() if id in ids}
        self.recovery.forget_others(path, names)
        return frozenset(ids)

    def read(self, wanted: Mapping[str, Collection[str]], now: float) -> Generator[list[Message], None, None]:
        """Yield the messages of files, oldest first, in batches that may be empty.

        Args:
            wanted: ids by recipient.
            now: seconds by a clock that only runs forward.
        """
        try:
            inbox = open_directory(self._folder)
        except OSError:
            return  # the next sweep finds out
        try:
            yield from self._read_in_steps(wanted, inbox, now)
        finally:
            os.close(inbox)

    def _read_in_steps(
        self, wanted: Mapping[str, Collection[str]], inbox: int, now: float
    ) -> Generator[list[Message], None, None]:
        batch: list[Message] = []
        looks = size = 0
        for to, ids in wanted.items():
            for message, read in self._read_directory(to, ids, inbox, now):
                looks, size = looks + 1, size + read
                if message is not None:
                    batch.append(message)
                if looks >= STEP_LOOKS or size >= STEP_BYTES:
                    yield _sorted(batch)
                    batch, looks, size = [], 0, 0
        yield _sorted(batch)

    def _read_directory(
        self, to: str, ids: Collection[str], inbox: int, now: float
    ) -> Generator[tuple[Message | None, int], None, None]:
        try:
            directory = open_directory(to, inbox)
        except OSError:
            return  # gone, or the next listing says what is wrong
        try:
            # In the order in which they were written: it takes a look into each to know better.
            found = sorted((status.st_mtime_ns, id, status) for id in ids if (status := _status(id, directory)))
            for _, id, status in found:
                yield self._read(to, id, status, directory, now)
        finally:
            os.close(directory)

    def _read(self, to: str, id: str, status: os.stat_result, directory: int, now: float) -> tuple[Message | None, int]:
        refused_here = self._refused.get(to, {})
        refused, signature = refused_here.get(id), signature_of(status)
        same = refused is not None and refused.signature == signature
        if refused is not None and same:
            self._name(to, id, refused, now)
        if id in refused_here and (refused is None or (same and not refused.passing)):
            return None, 0
        if not stat.S_ISREG(status.st_mode):
            return None, 0  # named when its directory was listed
        found, size = self.recovery.read(id, to, directory)
        if isinstance(found, Refusal):
            if not same:
                self._refused.setdefault(to, {})[id] = _Refused(signature, now, found)
            return None, size
        refused_here.pop(id, None)
        return found, size

    def _name(self, to: str, id: str, refused: _Refused, now: float) -> None:
        """Count and name a file that stayed as it was for long enough."""
        if not refused.named and now - refused.since >= GRACE:
            refused.named = True
            path = os.path.join(self._folder, to, id + SUFFIX)
            self.recovery.leave(refused.refusal.reason, path, refused.refusal.why)


def signature_of(status: os.stat_result) -> Signature:
    """Return what tells whether a file was changed."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sorted(batch: list[Message]) -> list[Message]:
    return sorted(batch, key=lambda message: (message.timestamp, message.id))


def _status(id: str, directory: int) -> os.stat_result | None:
    with suppress(OSError):  # gone meanwhile
        return os.stat(id + SUFFIX, dir_fd=directory, follow_symlinks=False)
    return None


def _identity(directory: int) -> _Identity:
    """Return what another directory of the same name does not have: an inode alone may be used again."""
    status = os.fstat(directory)
    generation = b""
    with suppress(OSError):  # not every file system counts
        generation = fcntl.ioctl(directory, _FS_IOC_GETVERSION, bytes(8))
    return status.st_dev, status.st_ino, generation


def _is_there(directory: int, name: str, parent: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(directory), os.stat(name, dir_fd=parent, follow_symlinks=False))
    return False
