"""Errors about settings files."""

from __future__ import annotations

from observatory import ObservatoryError


class SettingsFileError(ObservatoryError):
    """Raised when a settings file of a program is left as it is.

    Attributes:
        where: its path.
        reason: what is wrong, where in it, and what to do.
    """

    where: str
    reason: str

    def __init__(self, where: str, reason: str) -> None:
        shown = where if where.isprintable() else repr(where)
        super().__init__(f"{shown}: {reason}")
        self.where = where
        self.reason = reason
