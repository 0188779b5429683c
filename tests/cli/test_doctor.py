"""`observatory doctor`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

Install = Callable[[str, str], None]

PLUGIN = """
import trio
from observatory import Check, Finding, ObservatoryError, hookimpl

class Litter(Check):
    def __init__(self, context):
        self.root = context.root

    async def run(self):
        await trio.lowlevel.checkpoint()
        names = sorted(path.name for path in self.root.iterdir()) if self.root.exists() else []
        return [Finding(name, "somebody has dropped it", f"rm {name}", self.fix(name)) for name in names]

    def fix(self, name):
        async def remove():
            await trio.lowlevel.checkpoint()
            if "rock" in name:
                raise ObservatoryError("too heavy")
            if "ghost" not in name:
                (self.root / name).unlink()

        return None if "stone" in name else remove

@hookimpl
def observatory_register_checks(registrar):
    registrar.register("litter", Litter)
"""


@pytest.fixture
def drop(install: Install, root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a check, as the only one, that finds whatever is dropped into the root."""
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", '["inbox", "sqlite", "example"]')
    install("litter", PLUGIN)

    def drop(*names: str) -> None:
        root.mkdir()
        for name in names:
            (root / name).touch()

    return drop


def test_nothing_is_wrong(run: Any, drop: Any) -> None:
    """The exit code is 0, and standard output stays empty for scripts."""
    drop()
    result = run("doctor")
    assert (result.code, result.out, result.err) == (0, "", "nothing is wrong\n")


def test_nothing_is_made(run: Any, root: Path) -> None:
    """To look is not to open: a root that is not there is said to be missing."""
    result = run("doctor")
    assert result.code == 1
    assert result.out.startswith(f"found\tobservatory\t{root}\tthe root is not there")
    assert not root.exists()


def test_findings_are_one_line_each(run: Any, drop: Any) -> None:
    """The exit code is 1, and nothing is mended that was not to be."""
    drop("crumb", "stone")
    result = run("doctor")
    assert result.code == 1
    assert result.out.splitlines() == [
        "found\tlitter\tcrumb\tsomebody has dropped it\trm crumb",
        "found\tlitter\tstone\tsomebody has dropped it\trm stone",
    ]
    assert result.err == "2 findings; `observatory doctor --fix` mends 1 of them\n"
    assert run("doctor").out == result.out


def test_what_can_be_mended_is(run: Any, drop: Any, root: Path) -> None:
    """It says what, and the exit code tells of what is left."""
    drop("crumb", "stone")
    result = run("doctor", "--fix")
    assert result.code == 1
    assert result.out.splitlines() == [
        "mended\tlitter\tcrumb\tsomebody has dropped it\trm crumb",
        "found\tlitter\tstone\tsomebody has dropped it\trm stone",
    ]
    assert result.err == "1 finding mended\n1 finding left\n"
    assert os.listdir(root) == ["stone"]


def test_everything_is_mended(run: Any, drop: Any) -> None:
    """The exit code is 0 then."""
    drop("crumb")
    result = run("doctor", "--fix")
    assert (result.code, result.err) == (0, "1 finding mended\nnothing is wrong\n")


def test_what_cannot_be_mended_after_all(run: Any, drop: Any) -> None:
    """It says why, and goes on; what is still there afterwards was not mended."""
    drop("crumb", "ghost", "rock")
    result = run("doctor", "--fix")
    assert result.code == 1
    assert [line.split("\t")[:3:2] for line in result.out.splitlines()] == [
        ["mended", "crumb"],
        ["found", "ghost"],
        ["found", "rock"],
    ]
    assert "observatory: rock: it cannot be mended: too heavy\n" in result.err
    assert "--fix" not in result.err


def test_nothing_can_be_mended(run: Any, drop: Any) -> None:
    """Then it looks once."""
    drop("stone")
    result = run("doctor", "--fix")
    assert (result.code, result.err) == (1, "1 finding\n")


def test_as_json(run: Any, drop: Any) -> None:
    """One object a line."""
    drop("crumb", "stone")
    mended, found = map(json.loads, run("doctor", "--fix", "--json").out.splitlines())
    assert mended == {
        "state": "mended",
        "check": "litter",
        "subject": "crumb",
        "problem": "somebody has dropped it",
        "remedy": "rm crumb",
        "fixable": True,
    }
    assert (found["state"], found["fixable"]) == ("found", False)


def test_names_are_harmless(run: Any, drop: Any) -> None:
    """Whatever somebody has called a file."""
    drop("\x1b[2J\nstone")
    result = run("doctor")
    assert "\\x1b[2J\\nstone" in result.out
    assert len(result.out.splitlines()) == 1


def test_on_a_terminal(drop: Any, root: Path) -> None:
    """Each has its command on a line of its own, in one piece however long it is."""
    long = "stone-" + "x" * 200
    drop("crumb", long)
    shown = on_terminal("doctor", "--fix", "--root", str(root))
    lines = [line.rstrip() for line in shown.splitlines()]
    assert "crumb  litter" in lines
    assert lines[lines.index("crumb  litter") + 1 :][:2] == ["  somebody has dropped it", "  mended"]
    assert f"  rm {long}" in lines


def on_terminal(*arguments: str) -> str:
    """Return what a command prints on a terminal without colours."""
    ours, theirs = pty.openpty()
    environ = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}
    command = [sys.executable, "-m", "observatory", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environ):
        os.close(theirs)
        shown = b""
        while chunk := read(ours):
            shown += chunk
    os.close(ours)
    return shown.decode()


def read(terminal: int) -> bytes:
    """Read from a terminal until the other end is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_a_broken_plugin_is_a_finding(run: Any, install: Install) -> None:
    """Beside what the checks have found."""
    install("bad", "raise RuntimeError('no luck')")
    result = run("doctor")
    assert result.code == 1
    assert "found\tobservatory\tplugin bad\tit is left out: it cannot be imported: RuntimeError: no luck" in result.out


def test_an_inbox_is_mended(run: Any, root: Path) -> None:
    """With what is installed: a file that others can read, and a lock that nobody holds any more."""
    assert run("send", "bob", "hello", "--from", "ann").code == 0
    (path,) = (root / "inbox" / "bob").iterdir()
    path.chmod(0o644)
    team = root / "teams" / "night"
    (lock := team / "inboxes" / "bob.json.lock").mkdir(parents=True)
    (team / "config.json").write_text('{"name": "night", "members": [{"name": "bob"}]}')
    os.utime(lock, (time.time() - 60,) * 2)
    assert run("doctor").code == 1
    assert run("doctor", "--fix").code == 0
    assert (path.stat().st_mode & 0o777, lock.exists()) == (0o600, False)
    assert run("inbox", "bob").out.split("\t")[-1] == "hello\n"


def test_beside_a_service_that_holds_the_database(
    run: Any, start: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be asked while others cannot open it, and finds nothing wrong."""
    pytest.importorskip("observatory_sqlite", reason="needs trio-observatory-sqlite")
    monkeypatch.setenv("OBSERVATORY_STORAGE__BACKEND", "sqlite")
    if find_spec("observatory_websocket"):  # else `stats` asks the service
        monkeypatch.setenv("OBSERVATORY_PLUGINS__WEBSOCKET__ENABLED", "false")
    service = start("serve", stdout=subprocess.PIPE)
    assert service.stdout.readline().startswith(b"ready")
    assert run("stats").code == 1
    assert run("doctor").out == ""


def test_what_a_service_has_found(
    run: Any, serve: Callable[[], Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a service the doctor shows what the checks have found there."""
    found = json.dumps([{"subject": "the disk", "problem": "it is full", "remedy": "empty it"}])
    script = root.parent / "check.sh"
    script.write_text(f"#!/bin/sh\necho '{found}'\n")
    script.chmod(0o700)
    monkeypatch.setenv("OBSERVATORY_SWARM__CHECKS", f'{{ disk = ["{script}"] }}')
    serve()
    deadline = time.monotonic() + 30
    while (result := run("doctor")).code == 0 and time.monotonic() < deadline:
        pass
    assert result.out == "found\tdisk\tthe disk\tit is full\tempty it\n"
