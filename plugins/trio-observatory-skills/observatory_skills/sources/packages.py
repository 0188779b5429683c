"""The source of skills that are packages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from observatory import Problem, SkillFile, SkillScope
from observatory_skills.places import scan_packages
from observatory_skills.sources.files import FilesSource


class PackageSource(FilesSource):
    """Skills that are packages: each path is one, or has some in it."""

    def _scan(self, path: str, known: Sequence[SkillFile], scope: SkillScope) -> list[SkillFile | Problem]:
        return scan_packages(path, known, scope=scope)

    def _place(self, file: SkillFile) -> str:
        return file.location

    def _folders(self, path: str) -> Iterable[str]:
        return [path if os.path.isdir(path) else os.path.dirname(path)]
