"""Writing commands that can be pasted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from observatory import Finding, quoted

NAMES = ["plain", "two words", "-x", "it's", "$(touch owned)", "`touch owned`", "*", "ü", "a\\b", '"']
UNPRINTABLE = ["\x1b[2J", "line\nline", "it's\ta\\b", "\u202e", "\udcff", "\u2028 \U000e0001", ""]


def printed_by(shell: str, word: str) -> str:
    """Return what a shell makes of a word."""
    done = subprocess.run([shell, "-c", f"printf %s {word}"], capture_output=True, check=True, cwd="/")
    return os.fsdecode(done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_any_shell_reads_it_as_it_is(name: str) -> None:
    """As long as it can be printed."""
    assert printed_by("sh", quoted(f"folder/{name}")) == f"folder/{name}"


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_bash_reads_it_as_it_is(name: str) -> None:
    """What cannot be printed is written with characters that can."""
    assert quoted(name).isprintable()
    assert printed_by("bash", quoted(name)) == name


def test_paths_are_quoted() -> None:
    """As their text is."""
    assert quoted(Path("two words")) == "'two words'"


def test_findings_are_equal_whatever_mends_them() -> None:
    """So that one can be found again."""

    async def fix() -> None: ...

    assert Finding("a", "b", "c", fix) == Finding("a", "b", "c")
    assert Finding("a", "b", "c") != Finding("a", "b", "d")
