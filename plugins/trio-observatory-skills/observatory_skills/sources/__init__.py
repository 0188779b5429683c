"""Where skills come from: folders. What blocks runs in worker threads."""

# folders    skills that are folders
# packages   skills that are packages
# files      what both are
# asking     several of them
# watching   the system's news of what has changed in folders

import os
from collections.abc import Sequence

from observatory import InvalidInputError, SkillScope, SkillSource
from observatory_skills.sources.asking import Found as Found, ask as ask
from observatory_skills.sources.folders import FolderSource as FolderSource
from observatory_skills.sources.packages import PackageSource as PackageSource


def sources_of(paths: Sequence[tuple[str | os.PathLike[str], SkillScope]]) -> dict[str, SkillSource]:
    """Return the sources of all skills that lie in folders, by name; none where there are no folders."""
    return {"folders": FolderSource(paths), "packages": PackageSource(paths)} if paths else {}


def sources_of_user(paths: Sequence[str | os.PathLike[str]]) -> dict[str, SkillSource]:
    """Return the same for folders all of whose skills are the user's.

    Raises:
        InvalidInputError: one path stands where several do: its letters would be taken for paths.
    """
    if isinstance(paths, str | bytes | os.PathLike):
        raise InvalidInputError("paths", f"expected paths, got one; give [{paths!r}]")
    return sources_of([(path, "user") for path in paths])
