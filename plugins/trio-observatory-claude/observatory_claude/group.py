"""`observatory connect`, as the command line lists it: what it needs is imported when it is made, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App


def connect() -> App:
    """Let programs that run agents talk with Observatory."""
    from observatory_claude.command import app

    return app
