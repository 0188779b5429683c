"""Fixtures for pytest; a `conftest.py` imports those that it wants: `from observatory.testing.fixtures import …`."""

from __future__ import annotations

from pathlib import Path

import pytest

from observatory import DeliverySettings, Settings, TrioClock


@pytest.fixture
def observatory_root(tmp_path: Path) -> Path:
    """Return a root of the test's own; it is made when an Observatory opens."""
    return tmp_path / "root"


@pytest.fixture
def observatory_settings(observatory_root: Path) -> Settings:
    """Return settings for memory only: of what is installed or in the box, no delivery channel takes part."""
    return Settings(root=observatory_root, delivery=DeliverySettings(disabled=("inbox", "log")))


@pytest.fixture
def wall_clock() -> TrioClock:
    """Return a wall clock that begins on 1 January 2026 and that a mock clock moves."""
    return TrioClock()
