"""What lies in the inbox: kinds of entries, and queue statistics. Blocking code, for a worker thread."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

import attrs

from observatory_inbox.files.access import close, open_directory
from observatory_inbox.files.format import is_file_name, is_name

is_temporary = re.compile(r"\.[0-9a-f]{8}-[0-9]+\.tmp").fullmatch
"""Match the names of our temporary files; others' are none of ours, and may hold what somebody still needs."""


@attrs.frozen
class QueueStats:
    """What waits in one recipient's inbox."""

    session_id: str
    """The recipient."""
    pending_count: int
    """Files that nobody has acknowledged."""
    oldest_age_sec: float
    """Seconds since the oldest of them was written."""


def kind_of(entry: os.DirEntry[str]) -> str:
    """Return `file`, `directory`, `symlink` or `special` (FIFOs, sockets, devices)."""
    if entry.is_file(follow_symlinks=False):
        return "file"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "symlink" if entry.is_symlink() else "special"


def last_change(status: os.stat_result) -> float:
    """Return when somebody last had a file in hand: a name that it was given tells of that, too, as its time does."""
    return max(status.st_mtime, status.st_ctime)


def entries_of(directory: int) -> Iterator[os.DirEntry[str]]:
    """Go through a directory's entries without holding them all."""
    with os.scandir(directory) as entries:
        yield from entries


def queue_stats(folder: str, now: float) -> tuple[QueueStats, ...]:
    """Return the statistics of every recipient with at least one pending file, by name.

    Args:
        folder: the path of the inbox.
        now: seconds since the epoch.

    Raises:
        OSError: when the inbox is there and cannot be listed.
    """
    try:
        inbox = open_directory(folder)
    except FileNotFoundError:
        return ()
    try:
        names = sorted(entry.name for entry in entries_of(inbox) if is_name(entry.name))
        found = (_queue_stats(name, inbox, now) for name in names)
        return tuple(stats for stats in found if stats is not None)
    finally:
        close(inbox)


def _queue_stats(name: str, inbox: int, now: float) -> QueueStats | None:
    try:
        directory = open_directory(name, inbox)
    except OSError:
        return None  # no directory of a recipient, or gone meanwhile: recovery and delivery name it
    try:
        times = list(_pending_times(directory))
    finally:
        close(directory)
    return QueueStats(name, len(times), max(0.0, now - min(times))) if times else None


def _pending_times(directory: int) -> Iterator[float]:
    with suppress(OSError):  # it cannot be listed: recovery and the doctor name it
        for entry in entries_of(directory):
            if is_file_name(entry.name):
                with suppress(OSError):  # removed meanwhile, or nobody may look at it
                    if kind_of(entry) == "file":
                        yield entry.stat(follow_symlinks=False).st_mtime
