"""When an agent is active, idle or gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from observatory.presence.register import status_of


@pytest.mark.parametrize(
    ("silence", "heard", "ended", "kept", "status"),
    [
        (0, True, False, False, "active"),
        (59.9, True, False, True, "active"),
        (0, False, False, False, "idle"),
        (60, True, False, False, "idle"),
        (599.9, True, False, False, "idle"),
        (600, True, False, False, "gone"),
        (600, False, False, False, "gone"),
        (600, True, False, True, "idle"),
        (0, True, True, False, "gone"),
        (0, True, True, True, "idle"),
    ],
)
def test_status(silence: float, heard: bool, ended: bool, kept: bool, status: str) -> None:
    """A status follows from the silence, and from what else is known."""
    after = timedelta(seconds=60), timedelta(seconds=600)
    assert status_of(timedelta(seconds=silence), *after, heard=heard, ended=ended, kept=kept) == status
