"""Files that others may change, or put something else in the place of, at any moment."""

from __future__ import annotations

import errno
import os
import stat
from typing import TypeAlias

from observatory import SKILL_FILE
from observatory_skills.frontmatter import MAX_FRONTMATTER

MAX_HEAD = MAX_FRONTMATTER
"""Bytes that a frontmatter has room in."""
MAX_SKILL = 16 * 1024 * 1024
"""Bytes of a SKILL.md."""
MAX_RESOURCE = 64 * 1024 * 1024
"""Bytes of another file."""
MAX_FILES = 10_000
"""Files of one skill."""
MAX_DEPTH = 32
"""How many folders may lie in each other."""

SKILL_FILES = (SKILL_FILE, SKILL_FILE.lower())
"""What makes a folder a skill: the first of these that is there."""

LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__", "__MACOSX", ".DS_Store", "Thumbs.db"})
"""What version control, Python and desktops leave behind: no part of a skill, wherever in it that lies.

A `.git` that comes with a package could also make git run what its author wants.
"""

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Open without following a link, and without ever waiting for what is no file."""

Stamp: TypeAlias = tuple[int, int, int, int]
"""Which file it was, and when it has changed."""

_MIB = 1024 * 1024
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_REASONS = {
    errno.ELOOP: "it is a link, and links within a skill are not followed: put the file itself there",
    errno.ENXIO: "it is no file",
}


def open_file(path: str, *, within: int | None = None) -> tuple[int, os.stat_result]:
    """Open a regular file, and say which it is; never wait, whatever lies there.

    Args:
        path: where.
        within: the folder that it is relative to, opened.

    Raises:
        OSError: it is missing, no regular file, a link, or cannot be read.
    """
    descriptor = os.open(path, READ, dir_fd=within)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENXIO, "no file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def read(descriptor: int, limit: int) -> bytes:
    """Read a file, as far as the limit, and close it."""
    with open(descriptor, "rb", buffering=0) as file:
        data = bytearray()
        while len(data) < limit and (more := file.read(min(limit - len(data), _MIB))):
            data += more
        return bytes(data)


def check_size(size: int, limit: int) -> None:
    """Refuse what is too large.

    Raises:
        OSError: it is.
    """
    if size > limit:
        raise OSError(errno.EFBIG, f"more than {limit // _MIB} MiB are too much: make it smaller")


def limit_of(path: str) -> int:
    """Return how many bytes that file of a skill may have."""
    return MAX_SKILL if path in SKILL_FILES else MAX_RESOURCE


def is_text(name: str) -> bool:
    """Tell whether a name is UTF-8, so that it can be told to others."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_resource(path: str) -> bool:
    """Tell whether a file of a skill can be asked for by that path."""
    parts = path.split("/")
    return (
        is_text(path)
        and not {"", ".", ".."}.intersection(parts)
        and not set("\0\\").intersection(path)
        and counts(parts)
    )


def counts(parts: list[str]) -> bool:
    """Tell whether a path belongs to a skill, by the folders on the way and its own name."""
    return LEFT_OUT.isdisjoint(parts)


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what is another one after every change."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def shown(path: str) -> str:
    """Return a path as it may stand in one line, whatever its folders are called."""
    return path if path.isprintable() else repr(path)


def why(error: OSError) -> str:
    """Say in words why something could not be done."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


def is_ours(error: OSError) -> bool:
    """Tell whether it is this process that has run out of something, so that nothing can be told of the file."""
    return error.errno in _OURS
