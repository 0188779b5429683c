"""The suite for sources of skills passes those that keep the laws."""

from __future__ import annotations

import pytest

from observatory import (
    SkillSource,
    SkillSourceFactory,
)
from tests.testing.shelves import Exact, Shelf, Sound, Suite, Told, clear as clear


class TestShelf(Suite):
    """A source that has all that there may be."""


class TestTold(Told):
    """A source that looks at everything, although it is told what has changed."""


class TestExact(Told):
    """A source that looks at what has changed."""

    @pytest.fixture
    def source_factory(self) -> SkillSourceFactory:
        """Return what makes a source."""
        return Exact


class Silent(Shelf):
    """Never tells of changes."""

    watch = SkillSource.watch


class TestSilent(Sound):
    """A source without news, and without problems."""

    @pytest.fixture
    def source_factory(self) -> SkillSourceFactory:
        """Return what makes a source."""
        return Silent
