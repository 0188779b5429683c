"""What the help lists of groups of commands that plugins announce."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Install: TypeAlias = Callable[..., None]


@pytest.fixture
def library(install: Install) -> None:
    """Install a plugin that announces a group."""
    install("library", "def make(): 'Look after books.'", library="plugin_library:make")


def listed_in(out: str) -> set[str]:
    """Return what a help lists."""
    return set(re.findall(r"^│ ([a-z][a-z-]*) +", out, re.M))


def test_next_to_nothing_is_imported() -> None:
    """The help needs neither Trio nor what commands and plugins need."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from observatory.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(*sys.modules.keys() - before, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stderr.split())
    assert not imported & {"trio", "cattrs", "pluggy", "orjson", "structlog", "mcp", "starlette", "importlib.metadata"}
    assert not {name for name in imported if name.endswith(".plugin")} | (imported & {"observatory.usual"})


@pytest.mark.parametrize(
    ("settings", "listed"),
    [("disabled_plugins = ['library']", False), ("disabled_plugins = ['http']", True), ("", True)],
)
@pytest.mark.usefixtures("library")
def test_disabled(run: Any, elsewhere: Path, settings: str, listed: bool) -> None:
    """One of a plugin that is disabled is not listed."""
    (elsewhere / "observatory.toml").write_text(settings)
    assert ("library" in listed_in(run("--help", root="").out)) is listed


@pytest.mark.usefixtures("library")
def test_disabled_by_a_variable(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However that is said."""
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", "['library']")
    assert "library" not in listed_in(run("--help", root="").out)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_package:make", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("plugin_broken:made", "AttributeError: module 'plugin_broken' has no attribute 'made'"),
        ("plugin_exits:make", "SystemExit: 3"),
    ],
)
def test_a_group_that_cannot_be_listed(run: Any, install: Install, path: str, reason: str) -> None:
    """The help is there, and says which one it is."""
    install("broken", "", broken=path)
    install("exits", "raise SystemExit(3)")
    result = run("--help", root="")
    assert (result.code, "broken" in listed_in(result.out), "send" in result.out) == (0, False, True)
    told = " ".join(result.err.split())
    assert told == f"the group of commands 'broken' is left out: {path} cannot be imported: {reason}"


def test_a_group_without_a_text(run: Any, install: Install, tmp_path: Path) -> None:
    """It is listed by its name alone; so is one whose distribution has no plugin, and no folder of its own."""
    install("broken", "def make(): ...", silent="plugin_broken:make")
    info = tmp_path / "site" / "alone.egg-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[observatory.commands]\nalone=plugin_broken:make\n")
    (tmp_path / "site" / "odd.dist-info").mkdir()
    (tmp_path / "site" / "odd.dist-info" / "entry_points.txt").write_bytes(b"\xff")
    assert {"silent", "alone"} <= set(re.findall(r"^│ ([a-z]+) +│$", run("--help", root="").out, re.M))


@pytest.mark.parametrize("command", [["--help"], []])
def test_broken_settings(run: Any, elsewhere: Path, command: list[str]) -> None:
    """They leave out what plugins add, and a note says why."""
    (elsewhere / "observatory.toml").write_text("rot = 1\n")
    result = run(*command, root="")
    assert result.code == 0
    assert "send" in result.out
    assert result.err.startswith("commands of plugins are left out: unknown key; did you mean 'root'? @ $.rot in ")
