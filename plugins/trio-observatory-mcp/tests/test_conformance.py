"""The plugin, as it is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from observatory_mcp.service import McpService, make_route
from observatory_mcp.settings import McpSettings

from observatory import (
    Context,
    Identity,
    RouteFactory,
    ServiceFactory,
    Settings,
    SettingsError,
    SwarmSettings,
    open_observatory,
)
from observatory.testing import PluginConformance, RouteConformance, ServiceConformance


class TestPlugin(PluginConformance):
    """The plugin."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return its entry point."""
        return "mcp"


class TestService(ServiceConformance):
    """The service, where no Observatory is open."""

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what is registered."""
        return McpService


class TestRoute(RouteConformance):
    """The route, with the service behind it."""

    paths = ("/", "/below")

    @pytest.fixture
    async def route_factory(self, tmp_path: Path) -> AsyncIterator[RouteFactory]:
        """Return what is registered, beside a service that runs."""
        others = {found.name for found in entry_points(group="observatory")} - {"mcp"}
        settings = Settings(
            root=tmp_path / "root", disabled_plugins=tuple(sorted(others)), swarm=SwarmSettings(follow=False)
        )
        async with open_observatory(settings) as obs:
            running = {"mcp": obs.service("mcp")}
            yield lambda context: make_route(attrs.evolve(context, services=running))


class TestRouteAlone(RouteConformance):
    """The route, where the service does not run."""

    @pytest.fixture
    def route_factory(self) -> RouteFactory:
        """Return what is registered."""
        return make_route

    async def test_says_so(self, context: Context) -> None:
        """It answers that, and when to try again."""
        told: list[Any] = []

        async def send(message: Any) -> None:
            await trio.lowlevel.checkpoint()
            told.append(message)

        scope = {"type": "http", "path": "/mcp", "root_path": "/mcp", "state": {"identity": Identity("abc")}}
        await make_route(context)(scope, trio.sleep_forever, send)
        assert told[0]["status"] == 503
        assert (b"retry-after", b"1") in told[0]["headers"]
        assert b"`observatory status`" in told[1]["body"]


@pytest.mark.parametrize(
    "value",
    [0, -1.0, True, "1", float("inf")],
)
def test_seconds_that_are_refused(value: object) -> None:
    """What is no number of seconds is refused with its path."""
    with pytest.raises(SettingsError, match=r"expected a number of seconds above 0, got .* @ \$\.session_seconds"):
        McpSettings(session_seconds=value)  # type: ignore[arg-type]


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


def test_service_is_cheap(tmp_path: Path) -> None:
    """A service in which no agent asks for anything, with a door or without one, has not imported the SDK."""
    program = (
        "import sys, trio, observatory\n"
        "async def main():\n"
        "    settings = observatory.Settings(root=sys.argv[1], swarm=observatory.SwarmSettings(follow=False))\n"
        "    async with observatory.open_observatory(settings) as obs:\n"
        "        print(obs.service('mcp').statistics(), sorted({'mcp', 'pydantic'} & set(sys.modules)))\n"
        "trio.run(main)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "root")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "{'sessions': 0, 'opened': 0, 'clients': []} []\n"
