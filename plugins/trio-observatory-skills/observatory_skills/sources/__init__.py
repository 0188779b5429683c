"""Where skills come from: folders. What blocks runs in worker threads."""

# folders    skills that are folders
# packages   skills that are packages
# files      what both are
# watching   the system's news of what has changed in folders

from collections.abc import Sequence

from observatory import SkillScope, SkillSource
from observatory_skills.sources.folders import FolderSource as FolderSource
from observatory_skills.sources.packages import PackageSource as PackageSource


def sources_of(paths: Sequence[tuple[str, SkillScope]]) -> dict[str, SkillSource]:
    """Return the sources of all skills that lie in folders, by name; none where there are no folders."""
    return {"folders": FolderSource(paths), "packages": PackageSource(paths)} if paths else {}
