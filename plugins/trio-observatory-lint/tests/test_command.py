"""The command, its formats, and the extension of flake8."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any, NoReturn

import pytest
from observatory_lint import CATALOGUE, check
from observatory_lint.command import main


def test_text_is_flake8s_and_shows_the_chain(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each finding, with the way of imports in it."""
    assert main(["."]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "house/table.py:1:1: OBS102 reaches redis through house.a.run: house/a.py:1 imports redis"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["house/table.py:2:10:", "OBS106"],
        ["house/table.py:3:14:", "OBS902"],
    ]


def test_github_is_told_where(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a workflow command, where some letters stand for others."""
    assert main(["--format", "github", "--select", "OBS106", "."]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    where = "file=house/table.py,line=2,endLine=2,endColumn=24,col=10"
    assert line.startswith(f"::error {where},title=OBS106::OBS106 writes")


def test_github_is_told_of_many_lines_and_of_strange_names(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column where it ends would be refused of what has many lines."""
    (house / "house/table.py").write_text("open(\n'a', 'w')\n", encoding="utf-8")
    (house / "a,b:c%.py").write_text("def :\n", encoding="utf-8")
    assert main(["--format", "github", "."]) == 1
    name, many = capsys.readouterr().out.splitlines()
    assert name.startswith("::error file=a%2Cb%3Ac%25.py,line=1,endLine=1,endColumn=1,col=1,title=OBS900::")
    assert many.startswith("::error file=house/table.py,line=1,endLine=2,col=1,title=OBS106::")


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
    assert all(
        part in text for part in (entry.why, indent(entry.wrong, "    "), indent(entry.right, "    "), entry.mend)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name files or folders to look at"),
        (["missing"], "missing does not exist"),
        (["house", ""], "'' does not exist"),
        (["nowhere"], "nowhere does not exist"),
        (["--explain", "OBS11"], "'OBS11' is no code; did you mean OBS1"),
        (["--explain", "OBS20"], "'OBS20' is no code; did you mean OBS201, OBS202, OBS203, OBS204, OBS205?"),
        (["--explain", ""], "'' is no code; did you mean OBS101,"),
        (["--select", "OBS11", "."], "'OBS11' is no code, nor what one begins with; did you mean OBS1"),
        (["--ignore", "E501", "."], "'E501' is no code, nor what one begins with; known are OBS101,"),
    ],
)
def test_what_cannot_run_says_why(
    house: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """In one line, and the command ends with 2."""
    (house / "nowhere").symlink_to("nowhere")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"observatory-lint: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("codes", ["OBS106,OBS102", "obs106, obs102", "OBS106 OBS102", ",OBS106,,OBS102,"])
def test_codes_are_a_list_as_people_write_them(house: Path, codes: str) -> None:
    """With commas or blanks, in any case."""
    assert _run("observatory_lint", "--select", codes, ".").stdout.count("\n") == 2


def test_where_there_is_nothing_to_read_that_is_said(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is a little wrong looks like a clean project otherwise."""
    (house / "empty/deep").mkdir(parents=True)
    assert main(["empty", "empty/deep"]) == 0
    assert capsys.readouterr() == ("", "observatory-lint: no Python files in empty, empty/deep\n")
    assert main(["empty", "house/a.py"]) == 0
    assert capsys.readouterr() == ("", "")


def test_wrong_settings_end_with_2(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the path."""
    (house / "pyproject.toml").write_text("[tool.observatory.lint]\nx = 1\n", encoding="utf-8")
    assert main(["."]) == 2
    assert "$.tool.observatory.lint.x: unknown key" in capsys.readouterr().err


def _run(*command: str, environment: Mapping[str, str] = os.environ, **how: Any) -> subprocess.CompletedProcess[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.run([sys.executable, "-m", *command], env=environment, text=True, check=False, **streams)


def _refused(run: subprocess.CompletedProcess[str], message: str) -> bool:
    return run.returncode == 2 and run.stderr.startswith(f"observatory-lint: {message}") and run.stderr.count("\n") == 1


def test_the_module_runs_too(house: Path) -> None:
    """As `python -m observatory_lint`."""
    run = _run("observatory_lint", "--select", "OBS106", ".")
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout.startswith("house/table.py:2:10: OBS106 ")


def test_it_needs_nothing_but_python(house: Path) -> None:
    """No package from elsewhere is imported."""
    program = "import sys, observatory_lint.command; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"attr", "attrs", "observatory", "trio", "flake8", "pluggy", "rich"}


@pytest.mark.parametrize("arguments", [["."], ["--format", "sarif", "."], ["--explain", "OBS101"]])
def test_a_reader_that_has_seen_enough_is_no_failure(house: Path, arguments: list[str]) -> None:
    """A pipe that is closed changes neither what the command ends with, nor does it leave a trace."""
    reads, writes = os.pipe()
    os.close(reads)
    run = _run("observatory_lint", *arguments, stdout=writes)
    os.close(writes)
    assert (run.returncode, run.stderr) == (int("." in arguments), "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no file that is always full")
@pytest.mark.parametrize("arguments", [["."], ["--format", "json", "."], ["--explain", "OBS101"]])
def test_what_cannot_be_written_is_a_failure(house: Path, arguments: list[str]) -> None:
    """A full disk must not look like a run without findings."""
    with open("/dev/full", "wb") as full:
        run = _run("observatory_lint", *arguments, stdout=full)
        assert _refused(run, "the standard output cannot be written to: No space left on device")
        assert _run("observatory_lint", "missing", stderr=full).returncode == 2


def test_a_closed_output_is_a_failure(house: Path) -> None:
    """Nobody would learn of the findings."""
    command = f"{shlex.quote(sys.executable)} -m observatory_lint . >&-"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert _refused(run, "the standard output is closed")


@pytest.mark.parametrize("form", ["text", "github", "json", "sarif"])
def test_letters_that_an_output_lacks_are_written_otherwise(house: Path, form: str) -> None:
    """Also in names of files that are no text at all."""
    for name in ("ä.py".encode(), b"\xff.py"):
        Path(os.fsdecode(name)).write_text("def :\n", encoding="utf-8")
    for encoding in ("ascii", "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
        run = _run("observatory_lint", "--select", "OBS900", "--format", form, ".", environment=environment)
        assert (run.returncode, run.stderr) == (1, "")
        assert run.stdout.count("OBS900") >= 2
        if form in ("json", "sarif"):
            json.loads(run.stdout)


def test_a_working_folder_that_is_gone_is_told(house: Path) -> None:
    """In one line."""
    (house / "gone").mkdir()
    os.chdir(house / "gone")
    (house / "gone").rmdir()
    assert _refused(_run("observatory_lint", "."), "the working folder: No such file")
    assert _refused(_run("observatory_lint", "--format", "sarif", str(house)), "the working folder: No such file")
    os.chdir(house)


def test_ctrl_c_ends_it_quietly(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the number that shells know."""

    def interrupt(*args: object, **words: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("observatory_lint.command.check", interrupt)
    assert main(["."]) == 130


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that was named; others below are passed over."""
    (house / "closed").mkdir(mode=0)
    assert main(["closed"]) == 2
    assert capsys.readouterr().err == "observatory-lint: closed: Permission denied\n"
    assert main(["."]) == 1


def test_many_runs_at_once_do_not_disturb_each_other(house: Path) -> None:
    """They share the cache, and each finds all."""
    command = [sys.executable, "-m", "observatory_lint", "."]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)]
    assert len({run.communicate()[0] for run in runs}) == 1
    assert {run.returncode for run in runs} == {1}
    assert sorted(path.name for path in house.iterdir()) == [".observatory_lint_cache", "house", "pyproject.toml"]
