"""The plugin, as it is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from observatory_mcp.settings import McpSettings

from observatory import SettingsError
from observatory.testing import PluginConformance


class TestPlugin(PluginConformance):
    """The plugin."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return its entry point."""
        return "mcp"


@pytest.mark.parametrize(("name", "value"), [("max_chars", 999), ("max_chars", True), ("max_line_bytes", "8")])
def test_settings_that_are_refused(name: str, value: object) -> None:
    """What is too small, or no whole number, is refused with its path."""
    with pytest.raises(SettingsError, match=rf"expected a whole number of at least .* @ \$\.{name}"):
        McpSettings(**{name: value})  # type: ignore[arg-type]


def test_help_is_quick() -> None:
    """Neither the command line nor its help imports the SDK."""
    program = (
        "import sys\nfrom observatory.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('\\nimported', sorted({'mcp', 'pydantic', 'anyio'} & set(sys.modules)))"
    )
    for arguments in (["--help"], ["mcp", "--help"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=30)
        assert "mcp" in done.stdout
        assert done.stdout.endswith("imported []\n")
