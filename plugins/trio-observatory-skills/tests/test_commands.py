"""The commands, as somebody at a terminal and a program use them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

_COMMAND = [sys.executable, "-m", "observatory"]


@pytest.fixture
def run(tmp_path: Path, skills: Any) -> Run:
    """Return what runs a command of skills, where the skills of the fixture are those of a project that is trusted."""
    file = tmp_path / "observatory.toml"
    paths = {"project": [str(skills.root)], "user": [], "trusted": True}
    written = "\n".join(f"{name} = {json.dumps(value)}" for name, value in paths.items())
    file.write_text(f'root = "{tmp_path}/root"\n[plugins.skills]\n{written}\n')

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*_COMMAND, "skills", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)

    return run


@contextmanager
def _serving(folder: Path) -> Iterator[None]:
    """Run the service there for the time of a block."""
    with subprocess.Popen([*_COMMAND, "serve"], cwd=folder, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline().startswith("ready")
        yield
        service.terminate()


def test_list(run: Run, skills: Any) -> None:
    """What counts is listed; what is left out stands on standard error with file and line."""
    skills.write("pdf")
    file = skills.write("csv", "name: csv\n")
    done = run("list")
    assert done.stdout == "pdf\tcounts\tproject\tWhat it does.\n"
    assert done.stderr.startswith(f"left out: {file}:1: description: there is no description")
    assert done.returncode == 0
    as_json = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [(one["state"], one.get("name"), one.get("line")) for one in as_json] == [
        ("counts", "pdf", None),
        ("flaw", None, 1),
    ]


def test_a_project_that_is_not_trusted(run: Run, skills: Any, tmp_path: Path) -> None:
    """Its skills are listed as such, and how to trust it is said."""
    skills.write("pdf")
    file = tmp_path / "observatory.toml"
    file.write_text(file.read_text().replace("trusted = true", "trusted = false"))
    done = run("list")
    assert done.stdout.startswith("pdf\tnot trusted\t")
    assert "set trusted = true in [plugins.skills]" in done.stderr


def test_show(run: Run, skills: Any) -> None:
    """The fields, the body, and the paths of files; then one of those as it is; a name that is near is named."""
    folder = skills.write("pdf", body="Look at forms.md.\n").parent
    (folder / "forms.md").write_text("# Forms\n")
    (folder / "logo.png").write_bytes(b"\xff\x00")
    shown = run("show", "pdf").stdout
    assert "description\tWhat it does.\n" in shown
    assert shown.endswith("\nLook at forms.md.\n\nforms.md\nlogo.png\n")
    assert run("show", "pdf", "forms.md").stdout == "# Forms\n"
    raw = subprocess.run([*_COMMAND, "skills", "show", "pdf", "logo.png"], capture_output=True, cwd=folder.parents[1])
    assert raw.stdout == b"\xff\x00"
    found = json.loads(run("show", "pdf", "--json").stdout)
    assert (found["name"], found["body"], found["resources"]) == (
        "pdf",
        "Look at forms.md.\n",
        ["forms.md", "logo.png"],
    )
    wrong = run("show", "pfd")
    assert (wrong.returncode, wrong.stderr) == (1, "observatory: there is no skill 'pfd'; did you mean 'pdf'?\n")


def test_catalogue(run: Run, skills: Any) -> None:
    """What an agent is told, as XML or JSON, within a budget."""
    skills.write("pdf")
    assert "<name>pdf</name>" in run("catalogue").stdout
    assert json.loads(run("catalogue", "--json").stdout)["skills"][0]["name"] == "pdf"
    refused = run("catalogue", "--max-chars", "5")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "at least" in refused.stderr


def test_validate(run: Run, skills: Any) -> None:
    """What is wrong, with file and line; the exit code says whether all are valid."""
    good, bad = skills.write("pdf").parent, skills.write("csv", "name: xls\ndescription: Tables.\n")
    assert run("validate", str(good)).returncode == 0
    done = run("validate", str(good), str(bad.parent))
    assert done.returncode == 1
    assert done.stdout.startswith(f"{bad}:2: name: ")
    assert done.stderr == "observatory: 1 skill of 2 is not valid\n"
    assert run("validate", "nowhere", str(bad.parent)).stdout.splitlines()[1:] == done.stdout.splitlines()
    assert run("validate").returncode == 2
    [flaw] = [json.loads(line) for line in run("validate", str(bad.parent), "--json").stdout.splitlines()]
    assert (flaw["where"], flaw["line"], flaw["field"], flaw["fatal"]) == (str(bad), 2, "name", True)


def test_pack_and_unpack(run: Run, skills: Any, tmp_path: Path) -> None:
    """A package is made where one is, and is the skill again where it is put."""
    folder = skills.write("pdf").parent
    packed = run("pack", str(folder))
    assert packed.stdout == "pdf.skill\n"
    (tmp_path / "there").mkdir()
    unpacked = run("unpack", "pdf.skill", "there")
    assert unpacked.stdout == "there/pdf\n"
    assert (tmp_path / "there/pdf/SKILL.md").read_bytes() == (folder / "SKILL.md").read_bytes()
    again = run("unpack", "pdf.skill", "there")
    assert again.returncode == 1
    assert run("unpack", "pdf.skill", "there", "--replace").returncode == 0
    assert json.loads(run("pack", str(folder), "--json").stdout) == {"path": "pdf.skill"}
    assert json.loads(run("unpack", "pdf.skill", "here", "--json").stdout) == {"path": "here/pdf"}


def test_without_a_service(run: Run) -> None:
    """There is nobody to load skills again, and it says so."""
    done = run("reload")
    assert done.returncode == 2
    assert "start one with `observatory serve`" in done.stderr


@pytest.mark.parametrize("serving", [False, True])
def test_watch(run: Run, skills: Any, tmp_path: Path, serving: bool) -> None:
    """What is added is printed as it happens, with a service that runs and without."""
    pytest.importorskip("observatory_websocket", reason="needs trio-observatory-websocket")
    skills.write("pdf")
    with _serving(tmp_path) if serving else _nothing():
        if serving:
            assert run("list").stdout.startswith("pdf\tcounts")
            assert run("reload").stderr == "nothing has changed\n"
        with subprocess.Popen(
            [*_COMMAND, "skills", "watch"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as watch:
            assert watch.stdout is not None
            assert watch.stderr is not None
            assert watch.stderr.readline() == "watching; Ctrl-C ends it\n"
            skills.write("csv")
            assert watch.stdout.readline() == "added\tcsv\n"
            watch.terminate()


@contextmanager
def _nothing() -> Iterator[None]:
    yield
