"""Skills for the agents of Observatory: loaded, found by name, checked, and given to them a tier at a time."""

# The house, from the ground up. Imports run up this list only.
#   values.py        skills, and what is known of them
#   errors.py        what is wrong with one skill, or one package
#   slow_parser.py   YAML without libyaml
#   frontmatter.py   from bytes to fields
#   places/          the files of one skill, in a folder or in a package
#   reading.py       from fields to skills, leniently; which of one name counts
#   validating.py    every rule of the format, strictly
#   cataloguing.py   what agents are told of skills before they ask for more
#   exchange.py, packing.py, unpacking.py    skills as packages
#   loading.py       skills without a registry
#   sources/         where a registry has skills from: folders
#   settings.py      what can be set
#   contents.py      what a registry holds at a time
#   news.py          when it loads again
#   registry.py      skills by name, for everybody in the program
#   flaws.py, commands/    the command line
#   group.py         how that is listed
#   plugin.py        what Observatory loads

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from observatory_skills.cataloguing import catalogue
    from observatory_skills.errors import InvalidSkillError, PackageError, RegistryNotRunningError
    from observatory_skills.loading import body, find, index, load, load_package, read_resource, resources
    from observatory_skills.packing import pack
    from observatory_skills.registry import SkillRegistry
    from observatory_skills.settings import RegistrySettings, SkillsSettings
    from observatory_skills.sources.folders import FolderSource
    from observatory_skills.sources.packages import PackageSource
    from observatory_skills.unpacking import unpack
    from observatory_skills.validating import validate
    from observatory_skills.values import Flaw, Loaded, Resource, Shadowed, Skill, SkillsUpdate

__all__ = [
    "Flaw",
    "FolderSource",
    "InvalidSkillError",
    "Loaded",
    "PackageError",
    "PackageSource",
    "RegistryNotRunningError",
    "RegistrySettings",
    "Resource",
    "Shadowed",
    "Skill",
    "SkillRegistry",
    "SkillsSettings",
    "SkillsUpdate",
    "body",
    "catalogue",
    "find",
    "index",
    "load",
    "load_package",
    "pack",
    "read_resource",
    "resources",
    "unpack",
    "validate",
]

# Everything is imported when it is asked for: Observatory loads this package for every command.
_LATE = {
    "Flaw": "values",
    "FolderSource": "sources.folders",
    "InvalidSkillError": "errors",
    "Loaded": "values",
    "PackageError": "errors",
    "PackageSource": "sources.packages",
    "RegistryNotRunningError": "errors",
    "RegistrySettings": "settings",
    "Resource": "values",
    "Shadowed": "values",
    "Skill": "values",
    "SkillRegistry": "registry",
    "SkillsSettings": "settings",
    "SkillsUpdate": "values",
    "body": "loading",
    "catalogue": "cataloguing",
    "find": "loading",
    "index": "loading",
    "load": "loading",
    "load_package": "loading",
    "pack": "packing",
    "read_resource": "loading",
    "resources": "loading",
    "unpack": "unpacking",
    "validate": "validating",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
