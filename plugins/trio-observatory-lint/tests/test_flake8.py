"""The extension of flake8 and the command find the same."""

from __future__ import annotations

import inspect
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flake8.main import cli
from flake8.utils import stdin_get_value
from observatory_lint import check


class Shape(NamedTuple):
    """A project, and what of it may be named."""

    body: str
    """Its files."""
    named: tuple[tuple[str, ...], ...]
    """What is named in one go."""


SHAPES = {
    "flat": Shape(
        """
--- pyproject.toml
[tool.observatory.lint]
ephemeral = ["house.table"]
--- house/__init__.py
--- house/table.py
from .a import run
import sqlite3
--- house/a.py
from house.b import run
--- house/b.py
import redis
def run(): ...
""",
        ((".",), ("house",), ("house/table.py",), ("./house/a.py", "house/table.py"), ("house/b.py",)),
    ),
    "src, and tests beside it": Shape(
        """
--- pyproject.toml
[tool.observatory.lint]
per-file-ignores = { "tests" = ["OBS"] }
--- src/house/__init__.py
from house.helpers import save
--- src/house/helpers.py
def save():
    import sqlalchemy
--- src/house/notes.py
from observatory import Module
from house import save
class AgentNotes(Module):
    def __init__(self): self.table = {}
    async def run(self): ...
--- tests/test_notes.py
import sqlite3
from observatory import Module
class Mine(Module): ...
""",
        ((".",), ("src",), ("src/house/notes.py", "tests"), ("tests/test_notes.py",)),
    ),
    "two distributions and a registration": Shape(
        """
--- pyproject.toml
[tool.observatory.lint]
--- app/__init__.py
--- app/application.py
from observatory import Mailbox, Notes
modules = [Mailbox, Notes]
--- plugins/one/pyproject.toml
[project]
--- plugins/one/one/__init__.py
--- plugins/one/one/plugin.py
from observatory import hookimpl
from one.table import Table
@hookimpl
def observatory_register_modules(registrar):
    registrar.register("Table", Table)
    registrar.register("Nothing", dict)
--- plugins/one/one/table.py
from observatory import Module
from app.store import store
class Table(Module):
    def __init__(self): self.table = {}
    async def run(self): ...
--- app/store.py
import shelve
store = shelve
""",
        ((".",), ("plugins/one",), ("plugins/one/one/table.py",), ("app", "plugins")),
    ),
    "no settings, in a namespace package": Shape(
        """
--- space/house/table.py
from observatory import Module
from space.house import other
class Table(Module): ...
--- space/house/other.py
from pymongo import MongoClient
""",
        ((".",), ("space",), ("space/house",), ("space/house/table.py",)),
    ),
    "comments": Shape(
        """
--- pyproject.toml
[tool.observatory.lint]
ephemeral = ["*"]
--- house.py
import sqlite3  # noqa
import sqlite3  # noqa: OBS101
import sqlite3  # noqa: OBS101 -- why
import sqlite3  # noqa: E501,OBS1 -- why
import sqlite3  # noqa:OBS106 -- why
import sqlite3  # NOQA : OBS106
import sqlite3  #noqa
import json  # noqa: OBS9
import json  # noqa: OBS101, OBS902 -- some Pythons need it
import mmap \\
    as m  # noqa: OBS101 -- in the second line
import dbm; x = '''
'''  # noqa: OBS101 -- behind all of it
import dbm; x = '''
'''  # noqa: OBS102 -- of another
--- whole.py
import json  # noqa: OBS101
# flake8: noqa
import sqlite3
""",
        ((".",), ("house.py",), ("whole.py",)),
    ),
}


Run = Callable[..., list[str]]


@pytest.fixture
def flake8(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs flake8 with a text on its standard input, and returns its lines."""

    def run(*arguments: str, stdin: bytes = b"") -> list[str]:
        monkeypatch.setattr("flake8.utils.stdin_get_value", inspect.unwrap(stdin_get_value))  # it remembers
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = cli.main(["--isolated", "-j1", "--select", "OBS", *arguments])
        out, err = capsys.readouterr()
        assert (bool(status), err) == (bool(out), "")
        return [line.removeprefix("./") for line in out.splitlines()]

    return run


def _in_two_processes(*paths: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", "flake8", "--isolated", "--select", "OBS", "-j2", *paths]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (bool(run.stdout), "")
    return [line.removeprefix("./") for line in run.stdout.splitlines()]


def _command(*paths: str) -> list[str]:
    """Return the lines of the command; what is no Python is told by flake8 itself."""
    return [f"{f.path}:{f.line}:{f.column}: {f.code} {f.message}" for f in check(paths) if f.code != "OBS900"]


@pytest.fixture
def shape(request: pytest.FixtureRequest, here: Path, project: Callable[[str], Any]) -> Shape:
    """Return a shape that is written into the working folder."""
    found = SHAPES[request.param]
    project(found.body)
    return found


@pytest.mark.parametrize("shape", SHAPES, indirect=True)
def test_what_is_named_is_checked_the_same(shape: Shape, flake8: Run) -> None:
    """Files alone, and folders; also what needs files that were not named."""
    assert _command(".")
    for named in shape.named:
        assert flake8(*named) == _command(*named), named


@pytest.mark.parametrize("shape", SHAPES, indirect=True)
def test_two_processes_find_the_same(shape: Shape) -> None:
    """Each of them looks at what was named as a whole."""
    assert _in_two_processes(".") == _command(".")


@pytest.mark.parametrize("shape", SHAPES, indirect=True)
def test_an_editor_finds_the_same(shape: Shape, flake8: Run) -> None:
    """It writes the text to the standard input and names the file, as flake8 is called by editors."""
    for path in sorted(Path().rglob("*.py")):
        assert flake8("--stdin-display-name", str(path), "-", stdin=path.read_bytes()) == _command(str(path))


def test_an_editor_is_told_of_what_is_not_saved(house: Path, flake8: Run) -> None:
    """Also of what the rest of the project has to do with it, and in a file that does not exist yet."""
    text = b"from house.a import run\nimport sqlite3\n"
    for path in ("house/table.py", str(house / "house/table.py")):
        found = flake8("--stdin-display-name", path, "-", stdin=text)
        assert [line.removeprefix(path).split()[:2] for line in found] == [[":1:1:", "OBS102"], [":2:1:", "OBS101"]]
    (house / "house/table.py").unlink()
    assert len(flake8("--stdin-display-name", "house/table.py", "-", stdin=text)) == 2
    assert flake8("--stdin-display-name", "house/other.py", "-", stdin=text) == []


def test_a_text_without_a_name_is_a_file_of_the_working_folder(house: Path, flake8: Run) -> None:
    """A module of Observatory is ephemeral wherever it stands."""
    found = flake8("-", stdin=b"from observatory import Module\nimport house.a\nclass A(Module): ...\n")
    assert [line.split()[:2] for line in found] == [
        ["stdin:2:1:", "OBS102"], ["stdin:3:1:", "OBS202"], ["stdin:3:1:", "OBS205"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "x = 'ä'; import dbm\n".encode(),
        b"\xef\xbb\xbfx = '\xc3\xa4'; import dbm\r\n",
        b"# coding: latin-1\nx = '\xe4'; import dbm\n",
        "# coding: nonsense\nx = 'ä'; import dbm\n".encode(),
    ],
)
def test_a_text_is_read_in_the_encoding_that_it_declares(house: Path, flake8: Run, text: bytes) -> None:
    """So columns are right; that there is no such encoding is a finding."""
    (house / "house/table.py").write_bytes(text)
    expected = [f"{f.path}:{f.line}:{f.column}: {f.code} {f.message}" for f in check(["house/table.py"])]
    assert len(expected) == 1
    assert flake8("--stdin-display-name", "house/table.py", "-", stdin=text) == expected


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], ["OBS102", "OBS106", "OBS902"]),
        (["--select", "OBS1"], ["OBS102", "OBS106"]),
        (["--ignore", "OBS106"], ["OBS102", "OBS902"]),
        (["--extend-ignore", "OBS9,OBS102"], ["OBS106"]),
        (["--select", "E999", "--extend-select", "OBS9"], ["OBS902"]),
        (["--per-file-ignores", "house/*:OBS1"], ["OBS902"]),
        (["--exclude", "house/table.py"], []),
    ],
)
def test_flake8s_own_options_choose_among_them(house: Path, flake8: Run, options: list[str], codes: list[str]) -> None:
    """As among those of any extension."""
    assert [line.split()[1] for line in flake8(*options, ".")] == codes


def test_what_the_settings_of_the_lint_leave_out_is_left_out(house: Path, flake8: Run) -> None:
    """They count in both."""
    with (house / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('ignore = ["OBS106"]\nper-file-ignores = { "house/table.py" = ["OBS9"] }\n')
    assert [line.split()[1] for line in flake8(".")] == ["OBS102"]


def test_what_is_wrong_with_settings_is_a_finding(house: Path, flake8: Run) -> None:
    """In each file, without a traceback."""
    (house / "pyproject.toml").write_text("[tool.observatory.lint]\nx = 1\n", encoding="utf-8")
    for found in (flake8("."), _in_two_processes("."), flake8("house/__init__.py", "house/a.py", "house/table.py")):
        assert len(found) == 3
        assert all("OBS900 cannot be checked: " in line for line in found)
        assert all("$.tool.observatory.lint.x: unknown key" in line for line in found)


def test_the_same_cases_through_flake8(case_texts: Callable[[], list[tuple[str, Path]]], flake8: Run) -> None:
    """Every case is a project in one folder; command and extension agree on all of them."""
    case_texts()
    assert sorted(flake8(".")) == sorted(_command("."))
    assert len(_command(".")) > 300
