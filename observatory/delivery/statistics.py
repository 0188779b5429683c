"""The figures of a lane."""

from __future__ import annotations

import attrs


@attrs.frozen
class LaneStatistics:
    """Figures of one lane."""

    required: bool
    """Whether sends wait for it."""
    capacity: int
    """Jobs it holds."""
    queued: int
    """Jobs that wait for their first attempt, the batch in hand included."""
    backing_off: int
    """Jobs that wait for another attempt, or behind one."""
    delivered: int
    """Jobs carried out."""
    failures: int
    """Jobs that failed at an attempt, each attempt counted."""
    dropped: int
    """Posts that were dropped because the lane was full, or the message was acknowledged first."""
    dead: int
    """Deliveries given up."""
    owed: int
    """Retractions that could not be carried out yet; they are tried again for as long as Observatory runs."""
    forgotten: int
    """Owed retractions that had to go at the bound: what they should take back may stay where it is."""
    error: str | None
    """The last failure, one line, or None."""
