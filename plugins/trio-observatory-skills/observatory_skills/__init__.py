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
#   loading.py       skills without a registry

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from observatory_skills.cataloguing import catalogue
    from observatory_skills.errors import InvalidSkillError, PackageError
    from observatory_skills.loading import body, find, index, load, load_package, read_resource, resources
    from observatory_skills.validating import validate
    from observatory_skills.values import Flaw, Loaded, Shadowed, Skill

__all__ = [
    "Flaw",
    "InvalidSkillError",
    "Loaded",
    "PackageError",
    "Shadowed",
    "Skill",
    "body",
    "catalogue",
    "find",
    "index",
    "load",
    "load_package",
    "read_resource",
    "resources",
    "validate",
]

# Everything is imported when it is asked for: Observatory loads this package for every command.
_LATE = {
    "Flaw": "values",
    "InvalidSkillError": "errors",
    "Loaded": "values",
    "PackageError": "errors",
    "Shadowed": "values",
    "Skill": "values",
    "body": "loading",
    "catalogue": "cataloguing",
    "find": "loading",
    "index": "loading",
    "load": "loading",
    "load_package": "loading",
    "read_resource": "loading",
    "resources": "loading",
    "validate": "validating",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
