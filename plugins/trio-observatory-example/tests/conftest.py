"""Fixtures of `observatory.testing` that the tests use, and an Observatory with the plugin in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import pytest

from observatory import Observatory, Settings, TrioClock, open_observatory
from observatory.testing.fixtures import (
    observatory_root as observatory_root,
    observatory_settings as observatory_settings,
    wall_clock as wall_clock,
)


@pytest.fixture
def open_example(
    observatory_settings: Settings, wall_clock: TrioClock
) -> Callable[..., AbstractAsyncContextManager[Observatory]]:
    """Return what opens an Observatory, with settings of the plugin."""

    def open_with(**settings: Any) -> AbstractAsyncContextManager[Observatory]:
        return open_observatory(attrs.evolve(observatory_settings, plugins={"example": settings}), clock=wall_clock)

    return open_with
