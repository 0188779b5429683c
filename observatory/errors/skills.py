"""Errors about skills."""

from __future__ import annotations

from observatory.errors.tree import ObservatoryError


class SkillSourceError(ObservatoryError):
    """Raised when skills, or a file of one, cannot be read; what was known of them still holds.

    Attributes:
        where: the path, or what else the source calls it.
        reason: what is wrong, and what to do.
    """

    where: str
    reason: str

    def __init__(self, where: str, reason: str) -> None:
        shown = where if where.isprintable() else repr(where)
        super().__init__(f"{shown}: {reason}")
        self.where = where
        self.reason = reason
