"""Settings files of every awkward kind: what cannot be changed safely is left as it is, and said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from observatory_claude.connecting import Wanted, carry_out, changes, of_project, of_user
from observatory_claude.entries import wanted_hooks
from observatory_claude.errors import SettingsFileError

Connect = Callable[..., Any]


def state_of(path: Path) -> tuple[int, ...]:
    """Return what a change of a file would change."""
    status = path.stat()
    return status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{\n  "a": 1,\n}', "it is no JSON: line 3 column 1: "),
        (b'\n\n{"a": }', "it is no JSON: line 3 column 7: "),
        (b'{\n  // why\n  "a": 1\n}', "it is no JSON: line 2 column 3: "),
        (b'{"a": 1, "a": 2}', "it is no JSON: line 1 column 10: the key 'a' stands there twice"),
        (b"[]", "it is no JSON object"),
        (b'{"a": "\xff"}', "it is not UTF-8: byte 8"),
        (b"\xff\xfe{\x00}\x00", "it is not UTF-8: byte 1"),
        (b'{"hooks": []}', "$.hooks: expected an object"),
        (b'{"hooks": {"Stop": {}}}', "$.hooks.Stop: expected an array"),
        (b"{" + b" " * (16 * 1024 * 1024) + b"}", "it has more than 16,777,216 bytes"),
        (b"[" * 100_000, "it is no JSON: line 1 column 1: it nests too deep"),
    ],
)
def test_refused(connect: Connect, settings: Path, data: bytes, problem: str) -> None:
    """It is refused with where and why, in one line, and nothing is touched."""
    settings.write_bytes(data)
    before = state_of(settings)
    result = connect()
    assert (result.code, result.out) == (1, "")
    assert f"{settings}: {problem}" in result.err
    assert result.err.count("\n") == 1
    assert (settings.read_bytes(), state_of(settings)) == (data, before)
    assert list(settings.parent.iterdir()) == [settings]


def test_one_is_broken(connect: Connect, settings: Path, project: Path) -> None:
    """When one of the files is broken, the other one is left alone, too."""
    (project / ".mcp.json").write_text("{")
    assert connect().code == 1
    assert not settings.exists()


def test_others_shapes(connect: Connect, settings: Path) -> None:
    """Entries that are none, of events and kinds that we do not know, are left as they are."""
    odd = {"Stop": [7, None, {"hooks": 7}, {"hooks": [7, {"command": 7}]}, {}], "Odd": 7, "Odder": {"hooks": []}}
    settings.write_text(json.dumps({"hooks": odd}))
    assert connect().code == 0
    hooks = json.loads(settings.read_text())["hooks"]
    assert (hooks["Stop"][:-1], hooks["Odd"], hooks["Odder"]) == (odd["Stop"], 7, {"hooks": []})


def test_symlink(connect: Connect, settings: Path, tmp_path: Path) -> None:
    """A symbolic link stays one: what it leads to is written, and shown before."""
    target = tmp_path / "dotfiles.json"
    target.write_text("{}")
    settings.symlink_to(target)
    assert f"+++ {target}" in connect().out
    assert settings.is_symlink()
    assert "SessionStart" in target.read_text()
    connect("--remove")
    assert (settings.is_symlink(), target.read_text()) == (True, "{}")


def test_links_to_nowhere(connect: Connect, settings: Path, tmp_path: Path) -> None:
    """A link to what is not there, or in a circle, is refused, and nothing is made."""
    settings.symlink_to(tmp_path / "nowhere.json")
    assert "nowhere.json, which is not there" in connect().err
    assert not (tmp_path / "nowhere.json").exists()
    settings.unlink()
    settings.symlink_to(settings)
    assert "it cannot be read" in connect().err


def test_no_file(connect: Connect, settings: Path) -> None:
    """What is no file is refused, and nobody waits for a pipe."""
    os.mkfifo(settings)
    assert "it is no file" in connect().err
    settings.unlink()
    settings.mkdir()
    assert "it is no file" in connect().err


def test_read_only(connect: Connect, settings: Path) -> None:
    """A file that may not be written is not replaced, though its folder would let one."""
    settings.write_text("{}")
    settings.chmod(0o444)
    result = connect()
    assert (result.code, f"chmod u+w {settings}" in result.err) == (1, True)
    assert (settings.read_text(), list(settings.parent.iterdir())) == ("{}", [settings])


def test_folder_is_none(connect: Connect, project: Path) -> None:
    """Where the folder is a file, that is said."""
    (project / ".claude").write_text("")
    assert "it cannot be read" in connect().err


def test_mode(connect: Connect, settings: Path) -> None:
    """A file keeps its permissions, and so does what it was; a new one is its owner's."""
    settings.write_text("{}")
    settings.chmod(0o604)
    connect()
    kept = Path(f"{settings}.before-observatory")
    assert (settings.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o604, 0o604)
    connect("--remove")
    settings.unlink()
    connect()
    assert settings.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
def test_owner(connect: Connect, settings: Path) -> None:
    """A file stays its owner's, whoever has it changed."""
    settings.write_text("{}")
    os.chown(settings, 12_345, 12_346)
    connect()
    assert (settings.stat().st_uid, settings.stat().st_gid) == (12_345, 12_346)


def test_huge(connect: Connect, settings: Path) -> None:
    """One of some megabytes is changed, and restored, like any other."""
    text = json.dumps({"history": [{"display": f"line {number}", "pasted": {}} for number in range(60_000)]}, indent=2)
    settings.write_text(text)
    assert connect().code == 0
    assert list(json.loads(settings.read_text())) == ["history", "hooks"]
    assert connect("--remove").code == 0
    assert settings.read_text() == text


def test_changed_meanwhile(settings: Path, project: Path, root: Path) -> None:
    """What somebody has written between the look and the write is not written over."""
    settings.write_text("{}")
    found = changes(of_project(project), Wanted(wanted_hooks(root, "ann"), None))
    settings.write_text('{"model": "opus"}')
    with pytest.raises(SettingsFileError, match="changed meanwhile"):
        carry_out(of_project(project), found)
    assert settings.read_text() == '{"model": "opus"}'
    assert list(settings.parent.iterdir()) == [settings]


def test_backup_is_a_link(connect: Connect, settings: Path, tmp_path: Path) -> None:
    """A link in the backup's place is not followed."""
    (tmp_path / "precious").write_text("mine")
    Path(f"{settings}.before-observatory").symlink_to(tmp_path / "precious")
    settings.write_text("{}")
    connect()
    assert (tmp_path / "precious").read_text() == "mine"
    assert Path(f"{settings}.before-observatory").read_text() == "{}"


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no home folder, that is said."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "~nobody-at-all/claude")
    with pytest.raises(SettingsFileError, match="there is no such home folder"):
        of_user()


def test_root_that_is_no_text(settings: Path, project: Path) -> None:
    """A root whose name is not UTF-8 could not be found again, so it is refused."""
    with pytest.raises(SettingsFileError, match="UTF-8"):
        wanted_hooks(Path(os.fsdecode(b"/tmp/\xff")), "ann")
