"""Errors about one skill, or one package."""

from __future__ import annotations

from collections.abc import Iterable

from observatory import ObservatoryError, SkillSourceError
from observatory_skills.values import Flaw

_LONGEST = 200  # characters of an entry's name, which may have 65,535


class InvalidSkillError(ObservatoryError):
    """Raised when a skill cannot be used as it is.

    Attributes:
        where: its SKILL.md or its package.
        flaws: what is wrong with it; at least one of them is fatal.
    """

    where: str
    flaws: tuple[Flaw, ...]

    def __init__(self, where: str, flaws: Iterable[Flaw]) -> None:
        self.where = where
        self.flaws = tuple(flaws)
        told = [f"line {flaw.line}: {flaw.problem}" if flaw.line else flaw.problem for flaw in self.flaws if flaw.fatal]
        super().__init__(f"{_shown(where)}: {'; '.join(told)}")


class PackageError(SkillSourceError):
    """Raised when a package cannot be used, or is refused as it could do harm.

    Attributes:
        where: the package, or the folder that is to become one.
        entry: the name of the entry that is wrong, or None for the package as a whole.
        reason: what is wrong, what is allowed, and what to do; it begins with the entry.
    """

    entry: str | None

    def __init__(self, where: str, entry: str | None, reason: str) -> None:
        super().__init__(where, reason if entry is None else f"{_shown(entry[:_LONGEST])}: {reason}")
        self.entry = entry


class RegistryNotRunningError(ObservatoryError):
    """Raised when a registry is asked for skills before it was started, or after it was closed.

    Attributes:
        registry: its name.
        reason: which of both, and what to do.
    """

    registry: str
    reason: str

    def __init__(self, registry: str, reason: str) -> None:
        super().__init__(f"the skill registry {registry!r} {reason}")
        self.registry = registry
        self.reason = reason


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)
