"""The source of skills that are folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from observatory import Problem, SkillFile, SkillScope
from observatory_skills.places import scan_folder
from observatory_skills.places.access import LEFT_OUT, MAX_DEPTH, SKILL_FILES
from observatory_skills.sources.files import FilesSource


class FolderSource(FilesSource):
    """Skills that are folders: each path is one, or has some in it."""

    def _scan(self, path: str, known: Sequence[SkillFile], scope: SkillScope) -> list[SkillFile | Problem]:
        return scan_folder(path, known, scope=scope)

    def _folders(self, path: str) -> Iterable[str]:
        yield path
        if _is_skill(path):
            yield from _below(path)
        else:
            for folder in _folders_in(path):
                if not os.path.basename(folder).startswith("."):
                    yield folder
                    if _is_skill(folder):
                        yield from _below(folder)


def _is_skill(folder: str) -> bool:
    return any(os.path.lexists(os.path.join(folder, name)) for name in SKILL_FILES)


def _below(folder: str, depth: int = MAX_DEPTH) -> Iterator[str]:
    """Return the folders in the folder of a skill; those are no links."""
    for path in _folders_in(folder) if depth else ():
        if os.path.basename(path) not in LEFT_OUT and not os.path.islink(path):
            yield path
            yield from _below(path, depth - 1)


def _folders_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return []  # whoever looks for skills says so
