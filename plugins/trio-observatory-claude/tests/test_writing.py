"""Writing that fails halfway, and people who write at the same time: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Connect = Callable[..., Any]

BEFORE = '{\n  "model": "opus"\n}\n'


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what has a call of the system fail for files of which a part of the name is given."""

    def refuse(call: str, error: int, part: str = "") -> None:
        real = getattr(os, call)

        def fails(path: Any, *args: Any, **options: Any) -> Any:
            if part in str(path):
                raise OSError(error, os.strerror(error), str(path))
            return real(path, *args, **options)

        monkeypatch.setattr(f"observatory_claude.files.os.{call}", fails)

    return refuse


@pytest.mark.parametrize(
    ("call", "error"), [("open", errno.EACCES), ("open", errno.EROFS), ("fsync", errno.ENOSPC), ("rename", errno.EIO)]
)
def test_cannot_be_written(
    connect: Connect, settings: Path, refuse: Callable[..., None], call: str, error: int
) -> None:
    """A folder that may not be written, and a disk that is full or broken, leave all as it was, and are named."""
    settings.write_text(BEFORE)
    refuse(call, error, ".settings.local.json." if call != "fsync" else "")
    result = connect()
    assert (result.code, f"{settings}: it cannot be written: {os.strerror(error)}" in result.err) == (1, True)
    assert settings.read_text() == BEFORE
    assert list(settings.parent.iterdir()) == [settings]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing holds the superuser back")
def test_folder_may_not_be_written(connect: Connect, settings: Path) -> None:
    """A folder that may not be written is named, and left alone."""
    settings.parent.chmod(0o500)
    try:
        assert "it cannot be written: Permission denied" in connect().err
    finally:
        settings.parent.chmod(0o700)
    assert list(settings.parent.iterdir()) == []


def test_no_such_project(connect: Connect, tmp_path: Path) -> None:
    """A project that is not there is named at once, and not made."""
    result = connect("--project", str(tmp_path / "none"))
    assert (result.code, result.out) == (2, "")
    assert f"there is no folder {tmp_path}/none" in result.err
    assert not (tmp_path / "none").exists()


def test_too_large(connect: Connect, settings: Path) -> None:
    """A file for which there is no room any more is written whole or not at all."""
    settings.write_text(BEFORE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        result = connect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (result.code, "it cannot be written: File too large" in result.err) == (1, True)
    assert (settings.read_text(), list(settings.parent.iterdir())) == (BEFORE, [settings])


@pytest.mark.usefixtures("with_mcp")
def test_the_second_fails(connect: Connect, settings: Path, project: Path, refuse: Callable[..., None]) -> None:
    """When the second file cannot be written, the first is, and all can be taken back, or done again."""
    settings.write_text(BEFORE)
    with pytest.MonkeyPatch.context() as patch:
        real = os.rename

        def fails(old: Any, new: Any) -> None:
            if str(new).endswith(".mcp.json"):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(old, new)

        patch.setattr("observatory_claude.files.os.rename", fails)
        result = connect()
    assert (result.code, f"{project}/.mcp.json: it cannot be written" in result.err) == (1, True)
    assert "SessionStart" in settings.read_text()
    assert connect().code == 0
    assert (project / ".mcp.json").exists()
    assert connect("--remove").code == 0
    assert (settings.read_text(), list(project.iterdir())) == (BEFORE, [settings.parent])


@pytest.mark.usefixtures("with_mcp")
def test_the_second_may_not_be_written(connect: Connect, settings: Path, project: Path) -> None:
    """What may not be written keeps the other file from being changed, too."""
    settings.write_text(BEFORE)
    servers = project / ".mcp.json"
    servers.write_text("{}")
    servers.chmod(0o400)
    result = connect()
    assert (result.code, f"{servers}: it may not be written" in result.err) == (1, True)
    assert (settings.read_text(), list(settings.parent.iterdir())) == (BEFORE, [settings])


def test_changed_while_it_is_asked(connect: Connect, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody writes while a person looks at the difference stays, and the person is told to look again."""
    settings.write_text(BEFORE)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)

    def answer(_: str) -> str:
        settings.write_text('{"model": "sonnet"}')
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    result = connect(yes=False)
    assert (result.code, "it has changed meanwhile; try again" in result.err) == (1, True)
    assert json.loads(settings.read_text()) == {"model": "sonnet"}
    assert list(settings.parent.iterdir()) == [settings]


def test_link_out_of_the_project(connect: Connect, settings: Path, tmp_path: Path) -> None:
    """Where the whole folder is a link to elsewhere, the difference says where, and all is done there."""
    (tmp_path / "shared").mkdir()
    settings.parent.rmdir()
    settings.parent.symlink_to(tmp_path / "shared")
    place = tmp_path / "shared" / "settings.local.json"
    place.write_text(BEFORE)
    assert f"+++ {place}" in connect().out
    assert connect("--remove").code == 0
    assert (place.read_text(), list(place.parent.iterdir())) == (BEFORE, [place])
