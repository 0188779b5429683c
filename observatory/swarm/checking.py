"""What callers hand over about tasks, checked; and what only the service's owner may do."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from observatory.arguments import shorten
from observatory.errors import ForbiddenError, InvalidInputError
from observatory.kinds import kind_of
from observatory.security import Identity
from observatory.swarm.values import StoppedStatus

_LONGEST = 1e9  # seconds that a timedelta can hold without doubt


def seconds(threshold: object) -> timedelta:
    """Return a threshold as a length of time.

    Raises:
        InvalidInputError: it is no number of seconds.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold < _LONGEST:
        raise InvalidInputError("threshold", f"expected a number of seconds of at least 0, got {threshold!r:.80}")
    return timedelta(seconds=threshold)


def check_path(path: object) -> None:
    """Check the path of a project.

    Raises:
        InvalidInputError: it is none.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        got = shorten(path) if isinstance(path, str) else kind_of(path)
        raise InvalidInputError("project", f"expected the path of a folder, got {got}")


def check_owner(identity: Identity | None) -> None:
    """Check that somebody may say which folders are looked into, and what is put aside.

    Raises:
        ForbiddenError: it is an agent.
    """
    if identity is not None and identity.name is not None:
        raise ForbiddenError("only the holder of the service's own token may say where tasks are, and put teams aside")


def check_stopped(status: object) -> None:
    """Check that a task can be stopped in such a way.

    Raises:
        InvalidInputError: it cannot.
    """
    if status not in get_args(StoppedStatus):
        raise InvalidInputError("status", f"expected 'failed' or 'blocked', got {status!r:.80}")


def acting_as(identity: Identity | None, owner: str | None) -> str | None:
    """Return in whose name a task is claimed or completed: of an agent its own.

    Raises:
        ForbiddenError: an agent acts as somebody else.
    """
    if identity is None or identity.name is None:
        return owner
    if owner is not None:
        identity.check_acts_as(owner)
    return identity.name
