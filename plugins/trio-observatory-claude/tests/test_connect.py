"""`observatory connect claude`: what it writes."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
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


class TestWritten:
    """What is there then."""

    def test_hooks(self, connect: Connect, settings: Path, root: Path, load: Load) -> None:
        """Hooks of the project call one command, that runs, and names the root but no token."""
        assert connect().code == 0
        [command] = commands_in(load(settings))
        assert shlex.split(command)[-2:] == [str(root), "project"]
        assert subprocess.run(command, shell=True, input=b"{}", capture_output=True, check=True).stdout == b""  # noqa: S602
        assert "oken" not in settings.read_text()

    def test_who_waits(self, connect: Connect, settings: Path, load: Load) -> None:
        """Only hooks whose answer may bring mail, and the last one, are waited for."""
        connect()
        hooks = load(settings)["hooks"]
        waited = {event for event, [group] in hooks.items() if not group["hooks"][0].get("async")}
        assert waited == {
            *("SessionStart", "UserPromptSubmit", "UserPromptExpansion", "SessionEnd"),
            *("PostToolUse", "PostToolUseFailure", "PostToolBatch"),
        }
        assert not {"WorktreeCreate", "PermissionRequest", "Elicitation", "MessageDisplay"} & set(hooks)

    def test_user(self, connect: Connect, project: Path, root: Path, load: Load) -> None:
        """Those of the user stand in the user's settings, and the project is left alone."""
        assert connect("--user").code == 0
        assert commands_in(load(root / "settings.json"))
        assert list(project.iterdir()) == []

    def test_user_at_home(self, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
        """Without CLAUDE_CONFIG_DIR that is below the home folder."""
        monkeypatch.delenv("CLAUDE_CONFIG_DIR")
        (tmp_path / "home" / ".claude").mkdir()
        assert connect("--user").code == 0
        [command] = commands_in(load(tmp_path / "home" / ".claude" / "settings.json"))
        assert command.endswith(f"{tmp_path}/home/.claude claude")

    def test_project(self, connect: Connect, tmp_path: Path, load: Load) -> None:
        """Another project can be named, but not together with the user."""
        (tmp_path / "other").mkdir()
        assert connect("--project", str(tmp_path / "other"), "--root", str(tmp_path / "a b")).code == 0
        [command] = commands_in(load(tmp_path / "other" / ".claude" / "settings.local.json"))
        assert shlex.split(command)[-2:] == [str(tmp_path / "a b"), "other"]
        assert connect("--project", str(tmp_path / "other"), "--user").code == 2
        assert "which is not there" not in connect("--project", str(tmp_path / "nowhere")).err

    @pytest.mark.usefixtures("with_mcp")
    def test_server(self, connect: Connect, project: Path, tmp_path: Path, load: Load) -> None:
        """With a plugin for MCP its server is there, and names no root but one that is not the usual."""
        connect()
        server = load(project / ".mcp.json")["mcpServers"]["observatory"]
        agent = ["mcp", "--agent", "${OBSERVATORY_AGENT:-project}"]
        assert (Path(server["command"]).name, server["args"]) == ("observatory", agent)
        connect("--root", str(tmp_path))
        args = load(project / ".mcp.json")["mcpServers"]["observatory"]["args"]
        assert args == [*agent, "--root", str(tmp_path)]

    @pytest.mark.usefixtures("with_mcp")
    def test_server_of_user(self, connect: Connect, root: Path, load: Load) -> None:
        """That of the user stands where Claude Code keeps it, beside everything else there."""
        (root / ".claude.json").write_text('{"numStartups": 7, "mcpServers": {"other": {"command": "x"}}}')
        connect("--user")
        kept = load(root / ".claude.json")
        assert (kept["numStartups"], list(kept["mcpServers"])) == (7, ["other", "observatory"])

    @pytest.mark.usefixtures("without_mcp")
    def test_no_server(self, connect: Connect, project: Path) -> None:
        """Without one there is none, and that is said."""
        assert "trio-observatory-mcp is not installed" in connect().err
        assert not (project / ".mcp.json").exists()

    @pytest.mark.usefixtures("with_mcp")
    def test_name_is_taken(self, connect: Connect, project: Path, settings: Path) -> None:
        """Somebody else's server of our name is left alone; then nothing at all is written."""
        (project / ".mcp.json").write_text('{"mcpServers": {"observatory": {"command": "telescope"}}}')
        result = connect()
        assert (result.code, "$.mcpServers.observatory: another server has that name" in result.err) == (1, True)
        assert not settings.exists()
        assert connect("--remove").code == 0


class TestAgent:
    """Who sessions are."""

    @pytest.mark.usefixtures("with_mcp")
    def test_named(self, connect: Connect, settings: Path, project: Path, load: Load) -> None:
        """One name is in all hooks and in the entry of the MCP server, and stays when nothing is said of it."""
        for arguments in (["--agent", "ann@team"], [], ["--agent=-x"], []):
            result = connect(*arguments)
            [command] = commands_in(load(settings))
            name = "-x" if "--agent=-x" in arguments else shlex.split(command)[-1]
            assert f"${{OBSERVATORY_AGENT:-{name}}}" in load(project / ".mcp.json")["mcpServers"]["observatory"]["args"]
            assert (f"the agent {name!r}" in result.err) is bool(arguments)
        assert command.endswith(" -x")

    def test_no_name(self, connect: Connect, settings: Path) -> None:
        """What cannot be a name is refused, and nothing is written."""
        result = connect("--agent", "a b")
        assert (result.code, "agent: " in result.err, settings.exists()) == (1, True, False)

    @pytest.mark.parametrize(
        ("folder", "name"),
        [("My App (2)", "My-App-2"), (".config", "config"), ("日本", "claude"), ("a" * 200, "a" * 64)],
    )
    def test_from_the_folder(self, connect: Connect, tmp_path: Path, load: Load, folder: str, name: str) -> None:
        """Without a name it is what the folder is called, as far as a mailbox may be called so."""
        (tmp_path / folder).mkdir()
        assert connect("--project", str(tmp_path / folder)).code == 0
        [command] = commands_in(load(tmp_path / folder / ".claude" / "settings.local.json"))
        assert shlex.split(command)[-1] == name


class TestOthers:
    """What was there before."""

    def test_kept(self, connect: Connect, settings: Path, load: Load) -> None:
        """Keys, their order, and hooks of others on the same events stay."""
        before = {"model": "opus", "hooks": {"PostToolUse": [OTHERS], "Unheard": [OTHERS]}, "env": {"A": "1"}}
        settings.write_text(json.dumps(before))
        connect()
        after = load(settings)
        assert list(after) == ["model", "hooks", "env"]
        assert after["hooks"]["PostToolUse"][0] == after["hooks"]["Unheard"][0] == OTHERS
        assert len(after["hooks"]["PostToolUse"]) == 2

    def test_idempotent(self, connect: Connect, settings: Path) -> None:
        """Written again nothing changes, not even the time of the file."""
        connect()
        before = settings.stat().st_mtime_ns, settings.stat().st_ino
        result = connect()
        assert (result.code, result.out, result.err) == (0, "", "nothing has to change\n")
        assert (settings.stat().st_mtime_ns, settings.stat().st_ino) == before

    def test_older_ones(self, connect: Connect, settings: Path, load: Load) -> None:
        """Hooks of ours from another installation go, wherever they stand; what stands beside them stays."""
        old = {"type": "command", "command": "/old/python -I -S /old/observatory_claude/hook.py /old/root"}
        settings.write_text(
            json.dumps(
                {
                    "hooks": {
                        "PostToolUse": [{"hooks": [old, *OTHERS["hooks"]]}, {"hooks": [old]}],
                        "MessageDisplay": [{"hooks": [old]}],
                        "Stop": [{"matcher": "", "hooks": [old]}, OTHERS],
                    }
                }
            )
        )
        connect()
        assert "/old/" not in settings.read_text()
        hooks = load(settings)["hooks"]
        assert hooks["PostToolUse"][0] == {"hooks": OTHERS["hooks"]}
        assert hooks["Stop"][0] == OTHERS
        assert "MessageDisplay" not in hooks

    def test_twice(self, connect: Connect, settings: Path, load: Load) -> None:
        """What of ours stands there twice stands there once afterwards."""
        connect()
        before = load(settings)
        value = load(settings)
        value["hooks"]["Stop"] *= 2
        settings.write_text(json.dumps(value, indent=2) + "\n")
        assert "-      }," in connect().out
        assert load(settings) == before

    def test_another_root(self, connect: Connect, settings: Path, tmp_path: Path, load: Load) -> None:
        """A project belongs to one root: connected to another it leaves the first, and what it was before is kept."""
        settings.write_text("{ }")
        connect()
        connect("--root", str(tmp_path / "other"))
        [command] = commands_in(load(settings))
        assert command.endswith("/other project")
        assert Path(f"{settings}.before-observatory").read_text() == "{ }"


class TestAsked:
    """The difference, and the question."""

    def test_dry_run(self, connect: Connect, settings: Path) -> None:
        """With --dry-run it is only shown."""
        settings.write_text('{"model": "opus"}\n')
        result = connect("--dry-run")
        assert result.code == 0
        assert result.out.startswith(f'--- {settings}\n+++ {settings}\n@@ -1 +1 @@\n-{{"model": "opus"}}\n+{{"model"')
        assert settings.read_text() == '{"model": "opus"}\n'

    def test_nobody_to_ask(self, connect: Connect, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nobody can be asked, nothing is written, and it says how it would be."""
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        result = connect(yes=False)
        assert (result.code, "--yes" in result.err, settings.exists()) == (2, True, False)

    @pytest.mark.parametrize(
        ("answer", "code"), [("y\n", 0), (" Yes \n", 0), ("\n", 1), ("n\n", 1), ("what?\n", 1), ("", 1)]
    )
    def test_asked(
        self, connect: Connect, settings: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
    ) -> None:
        """Only a yes is one."""
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", terminal)
        assert connect(yes=False).code == code
        assert settings.exists() is (code == 0)
