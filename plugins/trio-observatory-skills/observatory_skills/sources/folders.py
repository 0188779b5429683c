"""The source of skills that are folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from observatory import Problem, SkillFile, SkillScope
from observatory_skills.places import scan_folder
from observatory_skills.places.access import LEFT_OUT, MAX_DEPTH, SKILL_FILES
from observatory_skills.sources.files import FilesSource


class FolderSource(FilesSource):
    """Skills that are folders: each path is one, or has some in it."""

    def _scan(self, path: str, known: Sequence[SkillFile], scope: SkillScope) -> list[SkillFile | Problem]:
        return scan_folder(path, known, scope=scope)

    def _place(self, file: SkillFile) -> str:
        return os.path.dirname(file.location)

    def _folders(self, path: str) -> Iterator[str]:
        yield path
        entries = _entries(path)
        if _is_skill(entries):
            yield from _below(entries)
            return
        for entry in entries:
            if not entry.name.startswith(".") and _is_folder(entry):
                folder = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                yield folder
                inside = _entries(folder)
                if _is_skill(inside):
                    yield from _below(inside)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # whoever looks for skills says so


def _is_skill(entries: list[os.DirEntry[str]]) -> bool:
    return any(entry.name in SKILL_FILES for entry in entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads round in a circle


def _below(entries: list[os.DirEntry[str]], depth: int = MAX_DEPTH) -> Iterator[str]:
    """Return the folders in the folder of a skill; those are no links."""
    for entry in entries if depth else ():
        if entry.name not in LEFT_OUT and entry.is_dir(follow_symlinks=False):
            yield entry.path
            yield from _below(_entries(entry.path), depth - 1)
