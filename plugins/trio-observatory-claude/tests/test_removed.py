"""`observatory connect claude --remove`: what it has written goes, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Load = Callable[[Path], Any]
Connect = Callable[..., Any]

OTHERS = {"matcher": "Edit|Write", "hooks": [{"type": "command", "command": "prettier --write"}]}


def commands_in(settings: Any) -> set[str]:
    """Return every command of a hook."""
    return {hook["command"] for groups in settings["hooks"].values() for group in groups for hook in group["hooks"]}


class TestRemoved:
    """Taking it away."""

    @pytest.mark.parametrize(
        "before",
        [
            *(
                b"",
                b"{}",
                b"{ }\n",
                b" {}  ",
                b'{"hooks": {}}',
                b'{"hooks": {"Stop": [ ]}, "a":1.0}\n',
                b"\xef\xbb\xbf",
            ),
            *(b'\xef\xbb\xbf{\r\n\t"a": 1\r\n}\r\n', b'{"hooks":{"Stop":[{"hooks":[]}]}}', b"\n\n"),
            json.dumps({"hooks": {"Stop": [OTHERS], "PostToolUse": [OTHERS, OTHERS]}}, indent=3).encode(),
        ],
    )
    def test_as_before(self, connect: Connect, settings: Path, before: bytes, load: Load) -> None:
        """The file becomes what it was, to the byte, and nothing is left beside it."""
        settings.write_bytes(before)
        settings.chmod(0o640)
        assert connect().code == 0
        assert commands_in(load(settings))
        assert connect("--remove").code == 0
        assert (settings.read_bytes(), settings.stat().st_mode & 0o777) == (before, 0o640)
        assert list(settings.parent.iterdir()) == [settings]

    @pytest.mark.usefixtures("with_mcp")
    def test_nothing_before(self, connect: Connect, project: Path) -> None:
        """Files that were not there go, and the folder that was made for them; the project stays, empty as it was."""
        connect()
        assert sorted(path.name for path in project.iterdir()) == [".claude", ".mcp.json"]
        assert connect("--remove").code == 0
        assert list(project.iterdir()) == []

    def test_something_else_in_the_folder(self, connect: Connect, project: Path) -> None:
        """The folder stays with what else has come into it."""
        connect()
        other = project / ".claude" / "settings.json"
        other.write_text("{}")
        assert connect("--remove").code == 0
        assert list(other.parent.iterdir()) == [other]

    def test_the_folder_is_a_link(self, connect: Connect, project: Path, tmp_path: Path) -> None:
        """Nothing but the file goes where the folder is a link to elsewhere."""
        (tmp_path / "shared").mkdir()
        (project / ".claude").symlink_to(tmp_path / "shared")
        connect()
        assert connect("--remove").code == 0
        assert list((project / ".claude").iterdir()) == []

    @pytest.mark.usefixtures("with_mcp")
    def test_changed_since(self, connect: Connect, settings: Path, project: Path, load: Load) -> None:
        """What somebody has changed since stays changed."""
        settings.write_text('{\n  "model": "opus"\n}\n')
        connect()
        settings.write_text(settings.read_text().replace("opus", "sonnet"))
        (project / ".mcp.json").write_text((project / ".mcp.json").read_text().replace("{\n", '{\n  "a": 1,\n', 1))
        connect("--remove")
        assert settings.read_text() == '{\n  "model": "sonnet"\n}\n'
        assert load(project / ".mcp.json") == {"a": 1}

    @pytest.mark.parametrize("kept", [b"{", b"\xff", b'{"hooks": 7}'])
    def test_backup_is_broken(self, connect: Connect, settings: Path, kept: bytes) -> None:
        """A backup that somebody has spoiled is not put back, and stays."""
        settings.write_text('{"a": 1}')
        connect()
        backup = Path(f"{settings}.before-observatory")
        backup.write_bytes(kept)
        assert connect("--remove").code == 0
        assert (settings.read_text(), backup.read_bytes()) == ('{"a": 1}', kept)

    def test_nothing_of_ours(self, connect: Connect, settings: Path) -> None:
        """Where nothing of ours is, nothing happens."""
        settings.write_text('{"hooks": {}}')
        assert connect("--remove").err == "nothing has to change\n"
        assert settings.read_text() == '{"hooks": {}}'
