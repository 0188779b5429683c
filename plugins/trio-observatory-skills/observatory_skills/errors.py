"""Errors about skills."""

from __future__ import annotations

from observatory import SkillSourceError

_SHOWN = 200


class PackageError(SkillSourceError):
    """Raised for a package that is not safe, not whole, or not a package; nothing was written.

    Attributes:
        where: the package, or what should become one.
        entry: which of its entries is wrong; None for the package as a whole.
        reason: what is wrong, with the entry.
    """

    entry: str | None

    def __init__(self, where: str, entry: str | None, reason: str) -> None:
        super().__init__(where, reason if entry is None else f"{entry[:_SHOWN]!r} {reason}")
        self.entry = entry
