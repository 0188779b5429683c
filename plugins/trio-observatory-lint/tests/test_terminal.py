"""What people see on a terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from observatory_lint import check
from observatory_lint.formats.plain import write_plain

COLOURS = ("NO_COLOR", "FORCE_COLOR", "TERM")


class Terminal(io.StringIO):
    """A text that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said anything about colours."""
    for name in COLOURS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def seen(here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return what writes an ephemeral file, and returns what is seen of its findings, without colours."""
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["table"]\n', encoding="utf-8")

    def write_and_see(text: str) -> list[str]:
        (here / "table.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("NO_COLOR", "1")
        out = Terminal()
        write_plain(check(["table.py"], cached=False), out)
        return out.getvalue().splitlines()

    return write_and_see


Seen = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("text", "source", "caret"),
    [
        ("import dbm\n", "import dbm", "^^^^^^^^^^"),
        ("if x:\n\t\timport dbm; y = 1\n", "        import dbm; y = 1", "        ^^^^^^^^^^"),
        ("x\t=\t1; import dbm\n", "x    =    1; import dbm", "             ^^^^^^^^^^"),
        ("x = '漢字'; import dbm\n", "x = '漢字'; import dbm", "            ^^^^^^^^^^"),
        ("x = 'e\u0301\u200d'; import dbm\n", "x = 'e\u0301\u200d'; import dbm", "         ^^^^^^^^^^"),
        ("x = '\x1b[2J\x7f'; import dbm\n", "x = '�[2J�'; import dbm", "             ^^^^^^^^^^"),
        ("open(  # many lines\n    'a', 'w')\n", "open(  # many lines", "^^^^^^^^^^^^^^^^^^^"),
        ("\x0cimport dbm\r\n", "�import dbm", " ^^^^^^^^^^"),
        ("def :\n", "def :", "^"),
    ],
)
def test_the_caret_stands_below_what_is_meant(seen: Seen, text: str, source: str, caret: str) -> None:
    """Whatever widths its letters have; what would move the cursor is drawn as a mark."""
    assert seen(text)[1:] == [f"  | {source}", f"  | {caret}", "1 finding in 1 file"]


def test_people_are_told_how_much_there_is(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what the command can mend."""
    (house / "house/b.py").write_text("def :\n", encoding="utf-8")
    out = Terminal()
    write_plain(check(["."]), out)
    assert out.getvalue().splitlines()[-2:] == ["4 findings in 2 files", "--fix-noqa mends 1 comment"]
    out = Terminal()
    write_plain([], out)
    assert out.getvalue() == "nothing found\n"


@pytest.mark.parametrize(
    ("environment", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_colours_are_for_terminals_and_for_who_wants_them(
    house: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], terminal: bool, coloured: bool
) -> None:
    """By the names that other commands know."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = Terminal() if terminal else io.StringIO()
    write_plain(check(["."]), out)
    assert ("\033[31mOBS106\033[0m" in out.getvalue()) == coloured
    assert ("\033[" in out.getvalue()) == coloured


def test_a_file_that_is_gone_by_now_has_no_line(house: Path) -> None:
    """The finding is told all the same."""
    findings = check(["house/table.py"])
    (house / "house/table.py").unlink()
    out = Terminal()
    write_plain(findings, out)
    assert len(out.getvalue().splitlines()) == len(findings) + 2


def test_on_a_real_terminal(house: Path) -> None:
    """The same, through the command."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "observatory_lint", "--select", "OBS106", "."]
    run = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert (run.returncode, run.stderr) == (1, b"")
    assert "\033[31m^^^^^^^^^^^^^^\033[0m\r\n1 finding in 1 file\r\n" in text
