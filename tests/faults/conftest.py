"""How much is done in a run, from which seed, and the lines that say what was hit.

`FAULTS_SEED` repeats a run, `FAULTS_EXTENT=whole` makes it as long as the session `faults` does.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import attrs
import pytest

_SEED = pytest.StashKey[int]()
_RAN = pytest.StashKey[bool]()
_LINES = pytest.StashKey[list[str]]()


@attrs.frozen
class Extent:
    """How much is done at least; only what really hit counts."""

    kills: int
    """Processes killed at a random moment, in the middle of a send."""
    call_points: int
    """Processes killed at a system call."""
    cuts: int
    """Power cuts on a file system of its own."""
    states: int
    """States a power cut may leave, made from recorded system calls."""
    histories: int
    """Histories of concurrent clients."""
    operations: int
    """Operations of each client in a history."""


EXTENTS = {
    "brief": Extent(kills=400, call_points=300, cuts=30, states=2_000, histories=4, operations=300),
    "whole": Extent(kills=5_000, call_points=3_000, cuts=2_000, states=50_000, histories=50, operations=2_000),
}


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of this run."""
    config.stash[_SEED] = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
    config.stash[_RAN] = False
    config.stash[_LINES] = []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note that a test runs: whatever becomes of it, before it has counted anything, is to be repeated."""
    item.config.stash[_RAN] = True


@pytest.fixture(scope="session")
def extent() -> Extent:
    """Return how much is to be done."""
    return EXTENTS[os.environ.get("FAULTS_EXTENT", "brief")]


@pytest.fixture(scope="module")
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Return random numbers that depend on the run's seed and the module only."""
    return random.Random(f"{request.config.stash[_SEED]} {request.node.name}")


@pytest.fixture(scope="session")
def count(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Return what notes a line that says what was hit; all are printed at the end of the run."""
    return pytestconfig.stash[_LINES].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed that repeats what ran, and what was hit."""
    if config.stash[_RAN]:
        terminalreporter.section("faults")
        terminalreporter.write_line(f"FAULTS_SEED={config.stash[_SEED]}")
        for line in config.stash[_LINES]:
            terminalreporter.write_line(line)
