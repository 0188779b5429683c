"""What the check finds: each thing that can be wrong on the way from Claude Code to the service, and what mends it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_claude.check import ClaudeCheck
from observatory_claude.connecting import carry_out, changes, of_project, of_user, wanted_for

from observatory import Finding, Observatory, Settings, SwarmSettings, open_observatory

Connect = Callable[..., Any]


@pytest.fixture
def doors() -> tuple[str, ...]:
    """Return the plugins that the service has."""
    return ("http",)


@pytest.fixture
async def obs(root: Path, doors: tuple[str, ...]) -> AsyncIterator[Observatory]:
    """Return a service."""
    pytest.importorskip("observatory_http", reason="needs a door: trio-observatory-http is not installed")
    installed = {point.name for point in entry_points(group="observatory")}
    if missing := set(doors) - installed:
        pytest.skip(f"{missing} is not installed")
    settings = Settings(
        root=root, disabled_plugins=tuple(sorted(installed - set(doors))), swarm=SwarmSettings(follow=False)
    )
    with trio.fail_after(60):
        async with open_observatory(settings) as obs:
            yield obs


@pytest.fixture
def connect(project: Path, root: Path) -> Connect:
    """Return what connects the project, or the user, to the root, or to another one."""

    def connect(*, user: bool = False, other: Path = root) -> None:
        places = of_user() if user else of_project(project)
        carry_out(places, changes(places, wanted_for(other, "ann")))

    return connect


async def found(root: Path) -> list[Finding]:
    """Return what the check finds."""
    return list(await ClaudeCheck(root).run())


async def the_one(root: Path) -> tuple[str, str, str]:
    """Return the only thing that it finds."""
    [finding] = await found(root)
    return finding.subject, finding.problem, finding.remedy


def write(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text)


def change(path: Path, edit: Callable[[Any], None]) -> None:
    """Change a file of JSON."""
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("user", [True, False])
async def test_all_is_well(obs: Observatory, connect: Connect, root: Path, user: bool) -> None:
    """Connected, and with a service, nothing is wrong; looking publishes nothing."""
    connect(user=user)
    async with obs.pubsub.subscribe("events:stream") as events:
        assert await found(root) == []
        assert events.receive_batch_nowait() == []


@pytest.mark.usefixtures("without_mcp")
async def test_twice(obs: Observatory, connect: Connect, root: Path, settings: Path) -> None:
    """Where the user and the project are connected, each event comes twice."""
    connect(user=True)
    connect()
    where, problem, remedy = await the_one(root)
    assert (where, problem.endswith("so each event is told twice")) == (str(settings), True)
    assert remedy == "observatory connect claude --remove --user"


async def test_not_connected(root: Path, settings: Path) -> None:
    """Who does not use Claude Code, or has connected it to another root, has nothing wrong."""
    write(settings, json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}}))
    assert await found(root) == []


async def test_another_root(connect: Connect, root: Path, tmp_path: Path) -> None:
    """What leads to another root is that one's business."""
    connect(other=tmp_path / "other")
    assert await found(root) == []
    assert await found(tmp_path / "other") != []


async def test_hooks_missing(obs: Observatory, connect: Connect, root: Path, settings: Path) -> None:
    """Hooks that are missing are named, with the command that writes them."""
    connect()
    change(settings, lambda value: value["hooks"].pop("SessionStart"))
    command = f"observatory connect claude --root {root}"
    assert await the_one(root) == (str(settings), "hooks are missing: SessionStart", command)
    connect()
    assert await found(root) == []


async def test_hooks_of_user(obs: Observatory, connect: Connect, root: Path) -> None:
    """For those of the user it is another command."""
    connect(user=True)
    change(root / "settings.json", lambda value: value["hooks"].pop("Stop"))
    assert (await the_one(root))[2] == f"observatory connect claude --user --root {root}"


@pytest.mark.parametrize(("old", "new"), [("-I -S", "-I"), ("/bin/", "/gone/"), ("hook.py", "hook.py '")])
async def test_hooks_changed(
    obs: Observatory, connect: Connect, root: Path, settings: Path, old: str, new: str
) -> None:
    """Hooks that are of another installation, or that somebody has changed, are named."""
    connect()

    def edit(value: Any) -> None:
        hook = value["hooks"]["Stop"][0]["hooks"][0]
        assert old in hook["command"]
        hook["command"] = hook["command"].replace(old, new)

    change(settings, edit)
    assert (await the_one(root))[1] == "hooks are of another installation, or changed: Stop"


async def test_turned_off(obs: Observatory, connect: Connect, root: Path, settings: Path) -> None:
    """It is said when hooks are turned off."""
    connect()
    change(settings, lambda value: value.update(disableAllHooks=True))
    assert (await the_one(root))[1] == "all hooks are turned off"


async def test_broken(obs: Observatory, connect: Connect, root: Path, settings: Path) -> None:
    """A file that is broken is named, with line and column."""
    write(settings, "{\n  oops\n}")
    subject, problem, remedy = await the_one(root)
    assert (subject, "line 2 column 3" in problem) == (str(settings), True)
    assert remedy.endswith(f"observatory connect claude --root {root}")


@pytest.mark.usefixtures("with_mcp")
async def test_server(obs: Observatory, connect: Connect, root: Path, project: Path) -> None:
    """The MCP server has to be there, and to be ours, for the same agent as the hooks."""
    connect()
    path = project / ".mcp.json"
    change(path, lambda value: value["mcpServers"]["observatory"]["args"].remove("${OBSERVATORY_AGENT:-ann}"))
    assert "another agent's than that of the hooks" in (await the_one(root))[1]
    path.unlink()
    assert (await the_one(root))[1] == "the MCP server is not there"


@pytest.mark.parametrize("name", ["a b", "ä"])
async def test_no_agent(
    obs: Observatory, connect: Connect, root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is called what nobody can be called is told of."""
    monkeypatch.setenv("OBSERVATORY_AGENT", name)
    connect()
    subject, problem, _ = await the_one(root)
    assert (subject, "cannot be an agent's name" in problem) == ("OBSERVATORY_AGENT", True)


async def test_token_of_another(
    obs: Observatory, connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is another agent's is told of."""
    monkeypatch.setenv("OBSERVATORY_TOKEN", obs.security.token_for("bob"))
    connect()
    assert (await the_one(root))[1].startswith("the token is another agent's")
    monkeypatch.setenv("OBSERVATORY_AGENT", "bob")
    assert await found(root) == []


async def test_no_service(connect: Connect, root: Path) -> None:
    """Without a service it says how to start one."""
    connect()
    start = f"observatory serve --root {root}"
    assert await the_one(root) == (f"service on {root}", "none runs, so hooks do nothing", start)


@pytest.mark.parametrize("doors", [("websocket",)])
async def test_no_door(obs: Observatory, connect: Connect, root: Path) -> None:
    """A service without the door for HTTP cannot hear of events."""
    connect()
    assert (await the_one(root))[1] == "it has no door for HTTP, so hooks do nothing"


async def test_file_for_all(obs: Observatory, connect: Connect, root: Path) -> None:
    """A service's file that others may read is not used."""
    connect()
    (root / "observatory" / "service.json").chmod(0o644)
    assert (await the_one(root))[0] == f"{root}/observatory/service.json"


async def test_token(obs: Observatory, connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of another run is told of."""
    connect()
    monkeypatch.setenv("OBSERVATORY_TOKEN", "old")
    _, problem, remedy = await the_one(root)
    assert (problem, "observatory token" in remedy) == ("it does not know the token", True)
