"""Fixtures for pytest; a `conftest.py` imports those that it wants: `from observatory.testing.fixtures import …`."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from observatory import Settings, SwarmSettings, TrioClock


@pytest.fixture
def observatory_root(tmp_path: Path) -> Path:
    """Return a root of the test's own; it is made when an Observatory opens."""
    return tmp_path / "root"


@pytest.fixture
def observatory_settings(observatory_root: Path) -> Settings:
    """Return settings for memory only: no message becomes a file, although the inbox may be installed."""
    inbox = tuple(found.name for found in entry_points(group="observatory") if found.name == "inbox")
    return Settings(root=observatory_root, disabled_plugins=inbox, swarm=SwarmSettings(follow=False))


@pytest.fixture
def wall_clock() -> TrioClock:
    """Return a wall clock that begins on 1 January 2026 and that a mock clock moves."""
    return TrioClock()
