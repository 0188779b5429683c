"""Where the files of skills are, and nothing else: what lies outside of a skill cannot be reached."""

# packages   a skill that is a zip
# entries    what the entries of a zip say of themselves
# folders    a skill that is a folder
# scanning   looking through a folder for either
# whole      one skill by its path
# access     files that others may change at any moment

from typing import Protocol

from observatory_skills.places.access import MAX_HEAD as MAX_HEAD
from observatory_skills.places.folders import FolderPlace, scan_folder as scan_folder
from observatory_skills.places.packages import SUFFIX as SUFFIX, PackagePlace, scan_packages as scan_packages
from observatory_skills.places.whole import present as present, read_whole as read_whole


class Place(Protocol):
    """The files of one skill; reading them blocks."""

    def names(self) -> list[str]:
        """Return the paths of all files but SKILL.md, relative, with `/` between, in order."""

    def read(self, path: str) -> bytes:
        """Return what stands in one of these, or in SKILL.md."""

    def read_head(self, limit: int) -> bytes:
        """Return the beginning of SKILL.md, as many bytes as that."""


def open_place(location: str) -> Place:
    """Return the files of a skill; nothing is looked at yet.

    Args:
        location: the path of its SKILL.md, or of its package.
    """
    return PackagePlace(location) if location.endswith(SUFFIX) else FolderPlace(location)
