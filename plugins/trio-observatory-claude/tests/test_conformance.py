"""The conformance suites, on this plugin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from observatory_claude.check import ClaudeCheck

from observatory import CheckFactory
from observatory.testing import CheckConformance, PluginConformance

OLD = {"type": "command", "command": "/old/python -I -S /old/observatory_claude/hook.py {root} ann"}


class TestPlugin(PluginConformance):
    """The plugin."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "claude"


class TestCheck(CheckConformance):
    """The check `claude`; the root is the folder of the user's settings, too."""

    @pytest.fixture(autouse=True)
    def _configure(self, without_mcp: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "root"))

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what the plugin registers."""
        return lambda context: ClaudeCheck(context.root)

    def spoil(self, root: Path) -> None:
        """Leave hooks of another installation, turned off, and no service."""
        hook = {**OLD, "command": OLD["command"].format(root=root)}
        settings = {"hooks": {"Stop": [{"hooks": [hook]}]}, "disableAllHooks": True}
        (root / "settings.json").write_text(json.dumps(settings))
