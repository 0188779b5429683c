"""Which files of a folder there are to read."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import attrs
import trio

from observatory.cli.output import shorten

MAX_FILES = 1_000
"""Files that one run reads."""

_MAX_LEFT_OUT = 100
_SHOWN = 200
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "venv"}


@attrs.frozen
class Found:
    """The files of a folder."""

    files: tuple[str, ...]
    """Paths below the folder, in order."""
    left_out: tuple[tuple[str, str], ...]
    """What is not read, and why; the first hundred."""


async def find_files(folder: Path) -> Found:
    """Look for files, but not behind symbolic links and not behind names that begin with a dot."""
    return await trio.to_thread.run_sync(_find_files, folder)


def _find_files(folder: Path) -> Found:
    search = _Search(folder)
    search.run()
    return Found(tuple(search.files), tuple(search.left_out))


class _Search:
    """A walk through a folder, level by level, so that a bound on it leaves out what is deepest."""

    def __init__(self, folder: Path) -> None:
        self.files: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self._folder = folder
        self._folders = deque([""])

    def run(self) -> None:
        """Walk."""
        while self._folders and len(self.files) <= MAX_FILES:
            self._look_into(self._folders.popleft())
        if len(self.files) > MAX_FILES:
            del self.files[MAX_FILES:]
            self._leave_out("…", f"only the first {MAX_FILES:,} files are read")

    def _look_into(self, below: str) -> None:
        try:
            with os.scandir(self._folder / below) as entries:
                visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=_name)
        except OSError as error:
            self._leave_out(below or ".", error.strerror or str(error))
            return
        for entry in visible:
            self._consider(entry, os.path.join(below, entry.name))

    def _consider(self, entry: os.DirEntry[str], path: str) -> None:
        if not _is_text(path):
            self._leave_out(os.fsencode(path).decode("utf-8", "backslashreplace"), "its name is not UTF-8")
        elif entry.is_symlink():
            self._leave_out(path, "a symbolic link")
        elif entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED_FOLDERS:
                self._folders.append(path)
        elif entry.is_file(follow_symlinks=False):
            self.files.append(path)
        else:
            self._leave_out(path, "neither a file nor a folder")

    def _leave_out(self, path: str, reason: str) -> None:
        if len(self.left_out) < _MAX_LEFT_OUT:
            self.left_out.append((shorten(path, _SHOWN), reason))


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
