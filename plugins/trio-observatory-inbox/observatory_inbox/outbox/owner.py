"""Which of the processes on one root does what only one of them may do. Blocking code, for a worker thread."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from observatory_inbox.files.access import ensure_directory

# Not for writing: while a file is open for that, its file system cannot be made read-only.
_HELD = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITTEN = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def own(root: str | os.PathLike[str]) -> int | None:
    """Take the lock of a root, the file `observatory/owner.lock` in it.

    The system gives it back when its process ends, whichever way. The file holds the number of the process that took
    it last, for people.

    Returns:
        The descriptor that holds it; None while another process does, or where it cannot be made.
    """
    folder = os.path.join(root, "observatory")
    path = os.path.join(folder, "owner.lock")
    try:
        ensure_directory(folder)
        descriptor = os.open(path, _HELD, 0o600)
    except OSError:
        return None  # such as no root yet, or no right to write: perhaps there is one later
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        pass  # a file system without locks: better several than none
    if not _is_at(descriptor, path):  # somebody has removed it meanwhile, and another one may be locked by now
        os.close(descriptor)
        return None
    with suppress(OSError):  # another user's: who may use that is not for us to say
        os.fchmod(descriptor, 0o600)  # whatever the umask
    with suppress(OSError), open(os.open(path, _WRITTEN), "w") as file:  # nobody depends on what is in it
        file.write(f"{os.getpid()}\n")
    return descriptor


def _is_at(descriptor: int, path: str) -> bool:
    """Return whether it is a file, and still the one of that name."""
    with suppress(OSError):
        status = os.fstat(descriptor)
        return stat.S_ISREG(status.st_mode) and os.path.samestat(status, os.stat(path, follow_symlinks=False))
    return False
