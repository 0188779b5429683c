"""Who the sessions of a project are, where they do not say so themselves."""

from __future__ import annotations

import re
from pathlib import Path

from observatory_claude.connecting import Places
from observatory_claude.entries import hooks_in, told_by
from observatory_claude.files import read

OF_USER = "claude"
"""Who all sessions of a person are."""

_MAX = 64

_other = re.compile(r"[^A-Za-z0-9_@+-]+").sub


def agent_of(folder: Path) -> str:
    """Return the name that a project's folder suggests: that, as far as a mailbox may be called so."""
    return _other("-", folder.name).strip("-")[:_MAX] or OF_USER


def connected_agent(places: Places, root: Path) -> str | None:
    """Return the agent that hooks name already which tell the service of a root; None where there are none.

    Raises:
        SettingsFileError: the file cannot be read.
    """
    for _, _, hook, _ in hooks_in(read(places.hooks).value().get("hooks")):
        named = told_by(hook)
        if named is not None and named[0] == str(root) and named[1]:
            return named[1]
    return None
