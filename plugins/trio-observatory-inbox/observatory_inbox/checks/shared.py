"""What the checks of the inbox, the outbox and the team inboxes share: going through folders, and what is found there.

Looking opens directories and reads files, and changes nothing. Most is blocking code, for a worker thread: a look is
one entry of a folder, and a step is a bounded number of looks, so that whoever waits can be cancelled in between.
"""

from __future__ import annotations

import errno
import hashlib
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import attrs
import trio

from observatory import Check, Context, Finding, quoted
from observatory_inbox.checks.mending import (
    FILE_MODE,
    FOLDER_MODE,
    close_files,
    close_folder,
    is_open,
    mode_of,
    sweep,
)
from observatory_inbox.files.access import explain, open_directory
from observatory_inbox.files.listing import entries_of, last_change
from observatory_inbox.mail.recovery import STEP_BYTES, STEP_LOOKS, SWEEP_AGE
from observatory_inbox.settings import InboxSettings

AHEAD = 60.0
"""Seconds that something may be ahead of the clock: two clocks never agree wholly."""
NEARLY = 0.9
"""The part of a bound at which it is nearly reached."""

_OUR_TEMPORARY = f"-name '.{'[0-9a-f]' * 8}-[0-9]*.tmp' ! -name '.*-*[!0-9]*.tmp'"
"""How `find` tells our temporary files from others'."""

_LISTED = 1_000  # findings of a kind; what is beyond is counted
_LONGEST = 255  # bytes of a name
_STRAY = {
    "symlink": "is a symbolic link, and none is followed",
    "special": "is no regular file",
    "directory": "is a folder where a file belongs",
    "file": "is a file where a folder belongs",
}


@attrs.define
class Some:
    """Files of which the same is to be said: how many, and the first by name."""

    count: int = 0
    name: str = ""

    def add(self, name: str) -> None:
        """Count one more."""
        self.name = min(self.name, name) if self.count else name
        self.count += 1

    def __str__(self) -> str:
        return repr(self.name) if self.count == 1 else f"{self.count:,} files such as {self.name!r}"


class Findings:
    """What has been found so far, a bounded number of each kind.

    Args:
        folder: where.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._found: list[Finding] = []
        self._kinds: Counter[str] = Counter()

    def add(self, kind: str, subject: str, problem: str, remedy: str, fix: Callable[[], Any] | None = None) -> None:
        """Note a finding.

        Args:
            kind: what there may be many of, in the plural.
            subject: what it is about.
            problem: what is wrong.
            remedy: what mends it.
            fix: mends it; blocking code.
        """
        self._kinds[kind] += 1
        if self._kinds[kind] <= _LISTED:
            mend = None if fix is None else partial(trio.to_thread.run_sync, fix)
            self._found.append(Finding(subject, problem, remedy, mend))

    def all(self) -> Sequence[Finding]:
        """Return all, and how many more there are."""
        more = {kind: count - _LISTED for kind, count in self._kinds.items() if count > _LISTED}
        remedy = "mend those that are listed, and ask again: observatory doctor"
        rest = [Finding(self._folder, f"{count:,} more {kind} are not listed", remedy) for kind, count in more.items()]
        return [*self._found, *rest]


class FolderCheck(Check):
    """Goes through a folder below the root.

    Args:
        context: what the doctor hands to a check.
        folder: the folder's name.
    """

    def __init__(self, context: Context, folder: str) -> None:
        self._clock = context.clock
        self.settings: InboxSettings = context.settings or InboxSettings()
        self.root = str(context.root)
        self.folder = os.path.join(self.root, folder)

    async def run(self) -> Sequence[Finding]:
        """Look, and return what is wrong."""
        self.now = self._clock.now().timestamp()
        self.found = Findings(self.folder)
        with closing(self.looks()) as looks:
            while await trio.to_thread.run_sync(_take_step, looks):
                pass
        return self.found.all()

    @abstractmethod
    def looks(self) -> Generator[int, None, None]:
        """Look at one thing after the other, and yield the bytes that were read."""

    @contextmanager
    def opened(self, name: str, parent: int | None, path: str) -> Iterator[int | None]:
        """Open a directory; None when it is gone, or cannot be opened, which is noted."""
        directory = None
        try:
            directory = open_directory(name, parent)
        except OSError as error:
            self.note_closed(error, path)
        try:
            yield directory
        finally:
            if directory is not None:
                os.close(directory)

    def listed(self, directory: int, path: str) -> Iterator[os.DirEntry[str]]:
        """Go through a directory's entries; where that, or looking at them, is not possible, it is noted."""
        try:
            os.stat(".", dir_fd=directory)  # fails where names can be listed and nothing be said of what they name
            yield from entries_of(directory)
        except OSError as error:
            self.note_closed(error, path)

    def note_closed(self, error: OSError, path: str) -> None:
        """Note a folder that cannot be looked into, unless it is gone meanwhile."""
        if not isinstance(error, FileNotFoundError):
            self.found.add("folders that cannot be opened", path, explain(error, path), self._remedy_of(error, path))

    def look_at_mode(self, directory: int, *names: str) -> None:
        """Note a folder that not only its owner can use; `names` lead there."""
        mode = mode_of(os.fstat(directory))
        if mode != FOLDER_MODE:
            path = os.path.join(self.folder, *names)
            problem = f"has the mode {mode:04o} instead of {FOLDER_MODE:04o}"
            fix = partial(close_folder, self.folder, *names)
            self.found.add("folders of another mode", path, problem, f"chmod 700 {quoted(path)}", fix)

    def look_at_file(self, status: os.stat_result, open: Some, *names: str) -> None:
        """Count a file that not only its owner can read and write; one that has other names, too, is noted."""
        mode = mode_of(status)
        if is_open(status):
            open.add(names[-1])
        elif mode != FILE_MODE:
            path = os.path.join(self.folder, *names)
            problem = f"has the mode {mode:04o} instead of {FILE_MODE:04o}, and so has what else it is named"
            remedy = f"see what that is, and decide: find / -xdev -samefile {quoted(path)}"
            self.found.add("files of another mode that have other names", path, problem, remedy)

    def note_modes(self, files: Some, *names: str) -> None:
        """Note files that not only their owner can read and write."""
        if files.count:
            path = os.path.join(self.folder, *names)
            remedy = f"find {quoted(path)} -maxdepth 1 -type f -links 1 ! -perm 600 -exec chmod 600 {{}} +"
            fix = partial(close_files, self.folder, *names)
            self.found.add(
                "folders with files of another mode", path, f"another mode than {FILE_MODE:04o}: {files}", remedy, fix
            )

    def note_leftovers(self, files: Some, *names: str) -> None:
        """Note temporary files of ours that a crash has left."""
        if files.count:
            path = os.path.join(self.folder, *names)
            age = f"-mmin +{SWEEP_AGE / 60:.0f} -cmin +{SWEEP_AGE / 60:.0f}"
            remedy = f"find {quoted(path)} -maxdepth 1 -type f {_OUR_TEMPORARY} {age} -delete"
            fix = partial(sweep, self.folder, *names, now=self.now)
            problem = f"temporary, and left by a crash more than {SWEEP_AGE / 3600:.0f} h ago: {files}"
            self.found.add("folders with temporary files", path, problem, remedy, fix)

    def note_future(self, files: Some, *names: str) -> None:
        """Note what is of a time to come."""
        if files.count:
            self.found.add(
                "folders with files of a time to come",
                os.path.join(self.folder, *names),
                f"of a time to come: {files}; the clock was ahead when that was written, or is behind now",
                "see by date -u whether the clock is right, and set it; what was written while it was ahead may stay",
            )

    def note_stray(self, kind: str, *names: str, why: str | None = None) -> None:
        """Note what does not belong where it is."""
        path = os.path.join(self.folder, *names)
        self.found.add("things that do not belong there", path, why or _STRAY[kind], self.aside(path))

    def aside(self, path: str) -> str:
        """Return the command that moves something out of the way, and nothing over something else."""
        folder = os.path.join(self.root, "observatory", "aside")
        name = _shortened(os.path.relpath(path, self.root).replace(os.sep, "-"))
        return f"(umask 077; mkdir -p {quoted(folder)} && mv -n {quoted(path)} {quoted(os.path.join(folder, name))})"

    def is_ahead(self, seconds: float) -> bool:
        """Return whether a time lies clearly in the future."""
        return seconds > self.now + AHEAD

    def is_left(self, status: os.stat_result) -> bool:
        """Return whether a temporary file is in nobody's hands any more."""
        return self.now - last_change(status) > SWEEP_AGE

    def _remedy_of(self, error: OSError, path: str) -> str:
        if isinstance(error, PermissionError):
            return f"chmod u+rwx {quoted(path)}"
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            return self.aside(path)
        return "see what the system says of the disk, and ask again: observatory doctor"  # what is in it stays there


def _shortened(name: str) -> str:
    """Return a name that is not too long for a file, and another for each."""
    raw = os.fsencode(name)
    if len(raw) <= _LONGEST:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return f"{raw[: _LONGEST - 1 - len(digest)].decode(errors='ignore')}-{digest}"


def _take_step(looks: Iterator[int]) -> bool:
    """Take a bounded number of looks, and return whether there may be more."""
    size = 0
    for count, read in enumerate(looks, start=1):
        size += read
        if count >= STEP_LOOKS or size >= STEP_BYTES:
            return True
    return False
