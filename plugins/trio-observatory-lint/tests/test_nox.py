"""Sessions of nox, this project's own and the one that others can copy; and the hook of pre-commit."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from flake8.main import cli
from observatory_lint.command import main

HERE = Path(__file__).parents[3]
MAILBOX = "observatory/modules/mailbox.py"
HOW_TO = HERE / "docs/how-to/hold-the-plain-module-rule.md"

Status = Callable[[Path], dict[str, int]]


class Session:
    """What a session is handed here: it installs nothing, and runs in this process what can break the rule."""

    def __init__(self) -> None:
        self.ended: dict[str, int] = {}
        """What commands ended with."""

    def install(self, *packages: str) -> None:
        """Everything is installed."""

    def run(self, command: str, *arguments: str) -> None:
        """Run a command of ours."""
        if command == "observatory-lint":
            self.ended[command] = main(arguments)
        elif "OBS" in "".join(arguments):
            self.ended[command] = cli.main(["--isolated", "-j1", *arguments])


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> Status:
    """Return what runs the session `lint` of a noxfile, and returns what its commands ended with."""

    def run(noxfile: Path) -> dict[str, int]:
        nox: Any = ModuleType("nox")
        nox.options, nox.Session = SimpleNamespace(), Session
        nox.session = lambda function: function
        nox.project = SimpleNamespace(load_toml=dict, dependency_groups=lambda *arguments: ())
        monkeypatch.setitem(sys.modules, "nox", nox)
        session = Session()
        runpy.run_path(str(noxfile))["lint"](session)
        return session.ended

    return run


@pytest.mark.parametrize(
    "files",
    [
        {},
        {MAILBOX: "from sqlalchemy.orm import Session\n"},
        {
            MAILBOX: "from observatory.modules.one import first\n",
            "observatory/modules/one.py": "from observatory.modules.two import first\n",
            "observatory/modules/two.py": "from .three import first\n",
            "observatory/modules/three.py": "def first():\n    from sqlmodel import Session\n",
        },
    ],
    ids=["as it is", "an object mapper", "an object mapper three modules away"],
)
def test_lint_fails_when_the_mailbox_is_not_plain(copy: Path, status: Status, files: dict[str, str]) -> None:
    """`nox -s lint`, on a copy of this project."""
    for path, text in files.items():
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(text)
    assert status(copy / "noxfile.py") == {"observatory-lint": bool(files)}


def test_the_session_for_others_fails_when_a_module_is_not_plain(here: Path, status: Status) -> None:
    """As it stands in the how-to; it tells of files that cannot be read, too."""
    (example,) = re.findall(r"```py\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    (here / "noxfile.py").write_text(example, encoding="utf-8")
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["house.notes"]\n', encoding="utf-8")
    (here / "src/house").mkdir(parents=True)
    (here / "src/house/__init__.py").touch()
    notes, helpers = here / "src/house/notes.py", here / "src/house/helpers.py"
    notes.write_text("from house.helpers import save\n", encoding="utf-8")
    for text, ended in [("def save(): ...\n", 0), ("import redis\ndef save(): ...\n", 1), ("def save(:\n", 1)]:
        helpers.write_text(text, encoding="utf-8")
        assert status(here / "noxfile.py") == {"flake8": ended}


def test_the_hook_of_pre_commit_installs_what_there_is_and_looks_at_all() -> None:
    """A change in one file can break the rule in another, so that the names of changed files are not enough."""
    hook = (HERE / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (folder,) = re.findall(r"additional_dependencies: \[(.*)\]", hook)
    assert (HERE / folder / "pyproject.toml").is_file()
    for text in (hook, HOW_TO.read_text(encoding="utf-8")):
        assert "id: observatory-lint\n" in text
        assert "pass_filenames: false" in text
