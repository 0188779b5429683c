"""`observatory skills`, as the command line lists it: what it needs is imported when it is made, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App


def skills() -> App:
    """List skills, check them, pack them, and tell agents of them."""
    from observatory_skills.commands import app

    return app
