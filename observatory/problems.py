"""What is wrong with a file that somebody else wrote, as a value."""

from __future__ import annotations

import attrs


@attrs.frozen(weakref_slot=False)
class Problem:
    """Something that is wrong with a file."""

    where: str
    """The file."""
    line: int | None
    """Which line of it, counted from 1; None for the file as a whole."""
    problem: str
    """What is wrong, in one line."""
