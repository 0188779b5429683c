"""What can be set under `[plugins.skills]`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from observatory import SettingsError, SkillScope


def _switch(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise SettingsError(f"$.{attribute.name}", f"expected true or false, got {value!r:.80}")


def _seconds(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 1e9:
        raise SettingsError(f"$.{attribute.name}", f"expected a number of seconds of at least 1, got {value!r:.80}")


def _folders(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    for index, path in enumerate(value):
        if not isinstance(path, str) or not path or "\0" in path:
            raise SettingsError(f"$.{attribute.name}[{index}]", f"expected the path of a folder, got {path!r:.80}")


def _names(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, RegistrySettings]) -> None:
    if "skills" in value:
        why = "is the registry that is always there; choose another name"
        raise SettingsError(f"$.{attribute.name}.skills", why)


@attrs.frozen(kw_only=True)
class RegistrySettings:
    """`[plugins.skills.registries.NAME]`: one more registry, with paths of its own."""

    paths: tuple[str, ...] = attrs.field(default=(), validator=_folders)
    """Folders with skills, the first one before the others; skills there are the user's."""
    watch: bool = attrs.field(default=True, validator=_switch)
    """Whether skills are loaded again when a file changes."""
    reload_interval: float | None = attrs.field(default=None, validator=_seconds)
    """Seconds after which they are loaded again at the latest; without it only when something changes."""


@attrs.frozen(kw_only=True)
class SkillsSettings:
    """`[plugins.skills]`: where skills are looked for, and whose count."""

    project: tuple[str, ...] = attrs.field(default=(".claude/skills", ".agents/skills"), validator=_folders)
    """Folders with skills of the project, from the current directory on; they come before the user's."""
    user: tuple[str, ...] = attrs.field(default=("~/.claude/skills", "~/.agents/skills"), validator=_folders)
    """Folders with skills of the user."""
    trusted: bool = attrs.field(default=False, validator=_switch)
    """Whether skills of the project count: they are instructions to whoever reads them."""
    watch: bool = attrs.field(default=True, validator=_switch)
    """Whether skills are loaded again when a file changes."""
    reload_interval: float | None = attrs.field(default=None, validator=_seconds)
    """Seconds after which they are loaded again at the latest; without it only when something changes."""
    registries: Mapping[str, RegistrySettings] = attrs.field(default=MappingProxyType({}), validator=_names)
    """More registries, by the name of their service."""

    def paths(self) -> list[tuple[str, SkillScope]]:
        """Return the folders in order of precedence, each with whose skills it has."""
        project: list[tuple[str, SkillScope]] = [(path, "project") for path in self.project]
        return [*project, *((path, "user") for path in self.user)]
