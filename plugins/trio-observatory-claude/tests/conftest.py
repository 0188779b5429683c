"""A project and a person of the test's own, and commands that are run there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

from observatory.commands import main


@attrs.frozen
class Result:
    """What a command left."""

    code: int
    out: str
    err: str


Connect: TypeAlias = Callable[..., Result]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project, in which all is run, by somebody whose folders are the test's own."""
    for name in os.environ:
        if name.startswith("OBSERVATORY_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "project"
    for path in (folder, tmp_path / "home", tmp_path / "claude"):
        path.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root, which is the folder of the person's settings, too."""
    return tmp_path / "claude"


@pytest.fixture
def settings(project: Path) -> Path:
    """Return where hooks of the project stand; there is a folder for it."""
    (project / ".claude").mkdir()
    return project / ".claude" / "settings.local.json"


@pytest.fixture
def connect(capsys: pytest.CaptureFixture[str]) -> Connect:
    """Run `observatory connect claude`, without a question."""

    def connect(*arguments: str, yes: bool = True) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main(["connect", "claude", *arguments, *(["--yes"] if yes else [])])
        captured = capsys.readouterr()
        assert isinstance(ending.value.code, int)
        return Result(ending.value.code, captured.out, captured.err)

    return connect


@pytest.fixture
def load() -> Callable[[Path], Any]:
    """Return what reads a file of JSON."""
    return lambda path: json.loads(path.read_bytes().decode("utf-8-sig"))


@pytest.fixture
def with_mcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a plugin be there that is an MCP server."""
    monkeypatch.setattr("observatory_claude.entries.entry_points", lambda **_: _Installed({"claude", "mcp"}))


@pytest.fixture
def without_mcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no plugin be there that is one."""
    monkeypatch.setattr("observatory_claude.entries.entry_points", lambda **_: _Installed({"claude"}))


@attrs.frozen
class _Installed:
    """Plugins, as far as they are asked for."""

    names: set[str]
