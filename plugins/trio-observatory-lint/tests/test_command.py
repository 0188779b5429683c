"""The command, its formats, and the extension of flake8."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from observatory_lint import CATALOGUE, check
from observatory_lint.command import main
from observatory_lint.formats.plain import write_plain


class Terminal(io.StringIO):
    """A text that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_text_is_flake8s_and_shows_the_chain(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each finding, with the way of imports in it."""
    assert main(["."]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "house/table.py:1:1: OBS102 reaches redis through house.a.run: house/a.py:1 imports redis"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["house/table.py:2:10:", "OBS106"],
        ["house/table.py:3:14:", "OBS902"],
    ]


def test_people_see_the_line_and_a_caret(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In colour, unless they want none."""
    findings = [finding for finding in check(["."]) if finding.code == "OBS106"]
    out = Terminal()
    write_plain(findings, out)
    assert "\033[31mOBS106\033[0m" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    write_plain(findings, out)
    assert out.getvalue().splitlines()[1:] == ["  | x = 'ä'; open('a', 'w')", "  |          ^^^^^^^^^^^^^^"]


def test_github_is_told_where(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a workflow command, where some letters stand for others."""
    assert main(["--format", "github", "--select", "OBS106", "."]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    where = "file=house/table.py,line=2,endLine=2,endColumn=24,col=10"
    assert line.startswith(f"::error {where},title=OBS106::OBS106 writes")


def test_json_holds_everything(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the library gives it."""
    assert main(["--format", "json", "."]) == 1
    values = json.loads(capsys.readouterr().out)
    assert [(value["path"], value["line"], value["code"]) for value in values] == [
        (finding.path, finding.line, finding.code) for finding in check(["."])
    ]
    assert values[0]["chain"][1] == {"path": "house/a.py", "line": 1, "imports": "redis"}


def test_nothing_found_is_nothing_said(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the command succeeds."""
    assert main(["house/a.py"]) == 0
    assert capsys.readouterr().out == ""


def test_statistics_count_by_code(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the findings."""
    assert main([".", "--statistics", "--ignore", "OBS9"]) == 1
    assert capsys.readouterr().err == "     1 OBS102 reaches-persistence\n     1 OBS106 writes-files\n"


@pytest.mark.parametrize("code", [entry.code for entry in CATALOGUE])
def test_every_code_is_explained(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its name, why, a wrong and a right example, and how to mend it."""
    assert main(["--explain", code]) == 0
    entry = next(entry for entry in CATALOGUE if entry.code == code)
    text = capsys.readouterr().out
    assert text.startswith(f"{code} {entry.name}\n")
    assert all(part.replace("\n", "\n    ") in text for part in (entry.why, entry.wrong, entry.right, entry.mend))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name files or folders to look at"),
        (["missing"], "missing does not exist"),
        (["--explain", "OBS11"], "'OBS11' is no code; did you mean OBS1"),
        (["--select", "OBS11", "."], "'OBS11' is no code, nor what one begins with; did you mean OBS1"),
        (["--ignore", "E501", "."], "'E501' is no code, nor what one begins with; known are OBS101,"),
    ],
)
def test_what_cannot_run_says_why(
    house: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """In one line, and the command ends with 2."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"observatory-lint: {message}")
    assert err.count("\n") == 1


def test_wrong_settings_end_with_2(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the path."""
    (house / "pyproject.toml").write_text("[tool.observatory.lint]\nx = 1\n", encoding="utf-8")
    assert main(["."]) == 2
    assert "$.tool.observatory.lint.x: unknown key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import json  # noqa: OBS101 -- why\n", "import json\n"),
        ("import json  # noqa: OBS101, E501 -- why\n", "import json  # noqa: E501 -- why\n"),
        ("import json  # noqa: OBS101,OBS301,OBS102 -- why\n", "import json\n"),
        ("import sqlite3  # noqa: OBS101, OBS102 -- why\n", "import sqlite3  # noqa: OBS101 -- why\n"),
        ("import json  # why not # noqa: OBS101 -- why\n", "import json  # why not\n"),
        ("x = 'äö'  # noqa: OBS101 -- why\r\ny = 1\r\n", "x = 'äö'\r\ny = 1\r\n"),
        ("import sqlite3  # noqa: OBS101 -- why\n", "import sqlite3  # noqa: OBS101 -- why\n"),
    ],
)
def test_comments_without_effect_are_removed(house: Path, before: str, after: str) -> None:
    """What they suppress besides stays, and so do ends of lines."""
    file = house / "house/table.py"
    file.write_bytes(before.encode())
    assert main([".", "--fix-noqa"]) == 0
    assert file.read_bytes() == after.encode()


def _run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_module_runs_too(house: Path) -> None:
    """As `python -m observatory_lint`."""
    run = _run("observatory_lint", "--select", "OBS106", ".", folder=house)
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout.startswith("house/table.py:2:10: OBS106 ")


def test_it_needs_nothing_but_python(house: Path) -> None:
    """No package from elsewhere is imported."""
    program = "import sys, observatory_lint.command; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"attr", "attrs", "observatory", "trio", "flake8", "pluggy", "rich"}
