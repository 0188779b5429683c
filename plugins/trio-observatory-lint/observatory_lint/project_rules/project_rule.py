"""What a rule on the whole project is, and what it looks at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

from observatory_lint.facts import Registration
from observatory_lint.graph import Graph
from observatory_lint.hierarchy import Hierarchy, Kind
from observatory_lint.libraries import Libraries
from observatory_lint.looking import Look
from observatory_lint.project import Module, Project
from observatory_lint.values import Raw, Step


class View(NamedTuple):
    """A project as rules see it."""

    project: Project
    """Its modules."""
    graph: Graph
    """What they import."""
    hierarchy: Hierarchy
    """Their classes."""
    libraries: Libraries
    """What means persistence."""
    kinds: tuple[Kind, ...]
    """Every ephemeral module."""
    ephemeral: Mapping[str, Look]
    """What a close look at ephemeral files has shown, by path."""
    applications: Mapping[str, tuple[Registration, ...]]
    """What files hold that may have the application's list, by path."""


class Told(NamedTuple):
    """A finding of a rule on the project."""

    module: Module
    """The file."""
    raw: Raw
    """What is wrong there."""
    chain: tuple[Step, ...] = ()
    """The imports that lead there."""


class ProjectRule(ABC):
    """A rule that needs the whole project."""

    codes: ClassVar[tuple[str, ...]]
    """What it finds."""

    @abstractmethod
    def check(self, view: View) -> Iterator[Told]:
        """Return what is wrong."""
