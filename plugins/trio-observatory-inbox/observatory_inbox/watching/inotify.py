"""Linux's inotify: its three system calls, and the events as they come.

Our own binding, since to listen for what comes from elsewhere must not cost much while we write many files: watchfiles
asks for every kind of event and takes each in a thread of its own, which cost more than a third of the inbox's
throughput on two cores. Asked only for what is needed, the system tells once of each file, and Trio waits for it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from typing import TypeAlias

CLOSE_WRITE = 0x00000008
MOVED_FROM = 0x00000040
MOVED_TO = 0x00000080
CREATE = 0x00000100
DELETE = 0x00000200
DELETE_SELF = 0x00000400
MOVE_SELF = 0x00000800
OVERFLOW = 0x00004000
"""The system had to forget some events."""
IGNORED = 0x00008000
"""The watch has ended."""
ONLY_DIRECTORIES = 0x01000000
NO_LINKS = 0x02000000
NOT_UNLINKED = 0x04000000
"""Nothing of files that have no name any more, or none yet."""
IS_DIRECTORY = 0x40000000

Event: TypeAlias = tuple[int, int, str]
"""Watch, kind, and name in the watched directory."""

_HEADER = struct.Struct("iIII")  # watch, kind, cookie, bytes of the name with what pads it
_BUFFER = 1 << 18  # bytes, of 32 and more an event; the system keeps 16,384 events by default

_LIMITS = {errno.EMFILE: "fs.inotify.max_user_instances", errno.ENOSPC: "fs.inotify.max_user_watches"}

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """One queue of events.

    Attributes:
        descriptor: readable while there are events.

    Raises:
        OSError: such as at the system's limit of queues.
    """

    def __init__(self) -> None:
        self.descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), None)

    def add(self, path: str, kinds: int) -> int:
        """Watch a directory.

        Returns:
            Its watch: the same for the same directory while that is watched.

        Raises:
            OSError: such as at the system's limit of watches.
        """
        raw = os.fsencode(path)
        return _checked(_libc.inotify_add_watch(self.descriptor, raw, ctypes.c_uint32(kinds)), path)

    def remove(self, watch: int) -> None:
        """End a watch, if it has not ended by itself."""
        with suppress(OSError):
            _checked(_libc.inotify_rm_watch(self.descriptor, watch), None)

    def read(self) -> list[Event]:
        """Return the next events, as many as fit into a buffer; none when there are none. Never blocks."""
        with suppress(BlockingIOError):
            return _events(os.read(self.descriptor, _BUFFER))
        return []

    def close(self) -> None:
        """End all watches."""
        os.close(self.descriptor)


def _events(raw: bytes) -> list[Event]:
    events: list[Event] = []
    unpack, header = _HEADER.unpack_from, _HEADER.size
    end, size = 0, len(raw)
    while end < size:
        watch, kind, _, length = unpack(raw, end)
        begin = end + header
        end = begin + length
        events.append((watch, kind, raw[begin:end].rstrip(b"\0").decode(errors="surrogateescape")))
    return events


def _checked(result: int, path: str | None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        limit = _LIMITS.get(number)
        raise OSError(number, f"the system's limit {limit} is reached" if limit else os.strerror(number), path)
    return result
