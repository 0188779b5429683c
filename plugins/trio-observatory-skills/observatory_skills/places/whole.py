"""One skill by the path that somebody gives."""

from __future__ import annotations

import os

from observatory import SKILL_FILE, SkillFile, SkillSourceError
from observatory_skills.places.access import SKILL_FILES, why
from observatory_skills.places.folders import FolderPlace
from observatory_skills.places.packages import SUFFIX, open_package


def present(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of what is there.

    Raises:
        SkillSourceError: nothing is, or it cannot be looked at.
    """
    where = os.path.abspath(path)
    try:
        os.stat(where)
    except OSError as error:
        raise SkillSourceError(where, f"cannot be read: {why(error)}") from error
    except ValueError as error:
        raise SkillSourceError(where, "no file can have that path") from error
    return where


def read_whole(path: str | os.PathLike[str]) -> SkillFile:
    """Find one skill, with all of its SKILL.md as its head.

    It reads files: in a task, call it in a worker thread.

    Args:
        path: its folder, its SKILL.md, or its package.

    Raises:
        SkillSourceError: it has no SKILL.md, or that cannot be read; a `PackageError`: the package is not safe.
    """
    location = present(path)
    if location.endswith(SUFFIX) and not os.path.isdir(location):
        with open_package(location) as package:
            return SkillFile(package.folder, location, b"".join(package.chunks(package.skill_file)))
    if os.path.basename(location) not in SKILL_FILES:
        location = _skill_file(location)
    folder = os.path.basename(os.path.dirname(location))
    return SkillFile(folder, location, FolderPlace(location).read(SKILL_FILE))


def _skill_file(folder: str) -> str:
    for name in SKILL_FILES:
        location = os.path.join(folder, name)
        if os.path.lexists(location):
            return location
    if os.path.isdir(folder):
        raise SkillSourceError(folder, f"has no {SKILL_FILE}: give the folder of one skill")
    raise SkillSourceError(folder, f"is neither the folder of a skill, nor its {SKILL_FILE}, nor its package")
