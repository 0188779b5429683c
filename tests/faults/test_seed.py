"""The seed that repeats a run is printed, whatever becomes of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = "pytester"
pytestmark = pytest.mark.faults

FAILS = "def test_that_fails(chance):\n    assert not chance.random()\n"


@pytest.fixture
def conftest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run of its own have this folder's conftest, and a seed."""
    monkeypatch.setenv("FAULTS_SEED", "42")
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())


@pytest.mark.usefixtures("conftest")
def test_a_failure_before_anything_was_counted(pytester: pytest.Pytester) -> None:
    """It can be repeated."""
    pytester.makepyfile(FAILS)
    pytester.runpytest_inprocess().stdout.fnmatch_lines(["*= faults =*", "FAULTS_SEED=42"])


@pytest.mark.usefixtures("conftest")
def test_nothing_ran(pytester: pytest.Pytester) -> None:
    """There is nothing to repeat."""
    pytester.makepyfile(FAILS)
    pytester.runpytest_inprocess("--deselect=test_nothing_ran.py::test_that_fails").stdout.no_fnmatch_line(
        "FAULTS_SEED*"
    )
