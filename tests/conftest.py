"""What all tests of the core share."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory import Settings

MakeSettings: TypeAlias = Callable[..., Settings]


@pytest.fixture
def bare_settings(tmp_path: Path) -> MakeSettings:
    """Return what makes settings for a root of the test's own, with nothing but the core, whatever is installed."""
    installed = tuple(point.name for point in entry_points(group="observatory"))

    def bare_settings(*, disabled_plugins: tuple[str, ...] = (), **tables: Any) -> Settings:
        return Settings(disabled_plugins=installed + disabled_plugins, **{"root": tmp_path / "root"} | tables)

    return bare_settings
