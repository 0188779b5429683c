"""Putting a file where it belongs, whole or not at all: blocking code, for a worker thread.

Where the file system can, a file is made without a name, written, and then linked under its own: nothing is left
behind by a crash, and the directory is changed once instead of three times (measured on ext4: a fifth less time).
Elsewhere it is made under a temporary name in the same directory and renamed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

import attrs

from observatory_inbox.files.access import close

_WRITE = os.O_WRONLY | os.O_CLOEXEC
_NAMED = _WRITE | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_UNNAMED = _WRITE | getattr(os, "O_TMPFILE", 0)
_MODE = 0o600


@attrs.define
class Staged:
    """A file that is written, and not yet under its own name."""

    descriptor: int
    """It stays open until then: without a name it would be gone."""
    temporary: str | None = None
    """Its name meanwhile, when it has one."""


class Placer:
    """Writes files for one delivery channel.

    Args:
        temporary_names: names for temporary files, each given once.
    """

    def __init__(self, temporary_names: Iterator[str]) -> None:
        self._temporary_names = temporary_names
        self._descriptors = _open_descriptors() if hasattr(os, "O_TMPFILE") else None
        self._unnamed = self._descriptors is not None
        self._umask_interferes: bool | None = None

    def close(self) -> None:
        """Give back what it holds."""
        if self._descriptors is not None:
            close(self._descriptors)
            self._descriptors = None

    def begin_batch(self) -> None:
        """Look at the umask again: with the mode of the first file of each batch."""
        self._umask_interferes = None

    def place(self, data: bytes, name: str, directory: int) -> None:
        """Write a file with mode 0600, over one of the same name.

        Raises:
            OSError: it is not there, or as it was; or only closing it failed, which on some file systems, such as NFS,
                is what tells that data have not arrived. Placed again, it is replaced by a new one. It is not removed
                meanwhile: others may have adopted it, and would take that for its reader.
        """
        descriptor = self._open_unnamed(directory) if self._unnamed else None
        if descriptor is not None:
            try:
                self._fill(descriptor, data)
                self._link(descriptor, name, directory)
                return
            except FileExistsError:
                pass  # delivered again: only a rename replaces what is there
            finally:
                os.close(descriptor)
        self._place_named(data, name, directory)

    def stage(self, data: bytes, directory: int) -> Staged:
        """Write a file with mode 0600 that is published later; in any case it must be discarded in the end.

        Raises:
            OSError: nothing is left of it.
        """
        descriptor = self._open_unnamed(directory) if self._unnamed else None
        staged = self._stage_named(directory) if descriptor is None else Staged(descriptor)
        try:
            self._fill(staged.descriptor, data)
        except OSError:
            self.discard(staged, directory)
            raise
        return staged

    def publish(self, staged: Staged, name: str, directory: int) -> None:
        """Give a file its name, over one of the same name.

        Raises:
            OSError: it has not got it.
        """
        if staged.temporary is None:
            try:
                self._link(staged.descriptor, name, directory)
                return
            except FileExistsError:  # delivered again: only a rename replaces what is there
                temporary = next(self._temporary_names)
                self._link(staged.descriptor, temporary, directory)
                staged.temporary = temporary
        os.rename(staged.temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        staged.temporary = None

    def discard(self, staged: Staged, directory: int) -> None:
        """Close a file, and remove it if it was not published; whether its data have arrived its sync has told."""
        close(staged.descriptor)
        if staged.temporary is not None:
            _remove(staged.temporary, directory)

    def _place_named(self, data: bytes, name: str, directory: int) -> None:
        temporary = next(self._temporary_names)
        descriptor = os.open(temporary, _NAMED, _MODE, dir_fd=directory)
        try:
            try:
                self._fill(descriptor, data)
            finally:
                os.close(descriptor)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            _remove(temporary, directory)
            raise

    def _stage_named(self, directory: int) -> Staged:
        temporary = next(self._temporary_names)
        return Staged(os.open(temporary, _NAMED, _MODE, dir_fd=directory), temporary)

    def _open_unnamed(self, directory: int) -> int | None:
        """Make a file without a name, or return None where that cannot be, now and later."""
        try:
            return os.open(".", _UNNAMED, _MODE, dir_fd=directory)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
                raise
            self._unnamed = False
            return None

    def _link(self, descriptor: int, name: str, directory: int) -> None:
        os.link(str(descriptor), name, src_dir_fd=self._descriptors, dst_dir_fd=directory, follow_symlinks=True)

    def _fill(self, descriptor: int, data: bytes) -> None:
        if self._umask_interferes is not False:
            self._set_mode(descriptor)
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])

    def _set_mode(self, descriptor: int) -> None:
        """Look at the first file of the batch; if the umask took from its mode, correct it and all later ones."""
        if self._umask_interferes is None:
            self._umask_interferes = stat.S_IMODE(os.fstat(descriptor).st_mode) != _MODE
        if self._umask_interferes:
            os.fchmod(descriptor, _MODE)


def _remove(temporary: str, directory: int) -> None:
    with suppress(OSError):  # what is reported is the first failure; recovery sweeps what remains
        os.unlink(temporary, dir_fd=directory)


def _open_descriptors() -> int | None:
    """Open the directory of this process's descriptors, through which a file without a name is given one."""
    try:
        return os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
