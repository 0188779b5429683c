"""The check `claude`: what is wrong between Claude Code and the service of a root; where none is connected, nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import trio

from observatory import Check, Finding, quoted
from observatory_claude.connecting import Places, Wanted, of_project, of_user, wanted_for
from observatory_claude.entries import MCP_NAME, hooks_in, told_by
from observatory_claude.errors import SettingsFileError
from observatory_claude.files import read
from observatory_claude.naming import OF_USER, agent_of, connected_agent
from observatory_claude.trying import try_hook, try_server, try_service


@attrs.frozen
class _Connected:
    """The user or a project, whose hooks lead to the root."""

    words: str
    """What makes `observatory connect claude` mean it."""
    places: Places
    agent: str
    wanted: Wanted


class ClaudeCheck(Check):
    """Looks at the settings of the user and of the project in the current folder, and goes on from there.

    Args:
        root: of which service. What leads to another one is none of its business.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._connected: list[_Connected] = []

    async def run(self) -> Sequence[Finding]:
        """Look, and return what is wrong."""
        self._connected = []
        found = await trio.to_thread.run_sync(lambda: list(self._look_at_settings()))
        if not self._connected:
            return found
        last = self._connected[-1]  # the project's, which a session here has
        found += await try_hook(last.wanted)
        trouble = await try_service(self._root, last.agent)
        if not trouble and last.wanted.server is not None:  # without a service it would open an Observatory of its own
            trouble = await try_server(last.places, last.wanted)
        return [*found, *trouble]

    def _look_at_settings(self) -> Iterator[Finding]:
        folder = Path().absolute()
        for places, usual, words in (
            (of_user(), OF_USER, " --user"),
            (of_project(folder), agent_of(folder), ""),
        ):
            command = f"observatory connect claude{words} --root {quoted(self._root)}"
            try:
                yield from self._look_at(places, usual, words, command)
            except SettingsFileError as error:
                yield Finding(error.where, error.reason, f"mend the file, then: {command}")
        if len(self._connected) > 1:
            user, project = self._connected
            problem = f"hooks stand here and in {user.places.hooks}, so each event is told twice"
            yield Finding(str(project.places.hooks), problem, f"observatory connect claude --remove{user.words}")

    def _look_at(self, places: Places, usual: str, words: str, command: str) -> Iterator[Finding]:
        hooks, servers = read(places.hooks).value(), read(places.servers).value()
        ours = {event: group for event, group, one, _ in hooks_in(hooks.get("hooks")) if self._is_meant(one)}
        if not ours:
            return
        agent = connected_agent(places, self._root) or usual
        wanted = wanted_for(self._root, agent)
        self._connected.append(_Connected(words, places, agent, wanted))
        yield from _look_at_hooks(places, hooks, ours, wanted, command)
        yield from _look_at_server(places, servers, wanted, command)

    def _is_meant(self, one: Mapping[str, Any]) -> bool:
        told = told_by(one)
        return told is None or told[0] == str(self._root)


def _look_at_hooks(
    places: Places, settings: Mapping[str, Any], ours: Mapping[str, Any], wanted: Wanted, command: str
) -> Iterator[Finding]:
    where = str(places.hooks)
    if settings.get("disableAllHooks") is True:
        yield Finding(where, "all hooks are turned off", 'remove the line with "disableAllHooks"')
    missing = [event for event in wanted.hooks if event not in ours]
    others = [event for event, group in ours.items() if group != wanted.hooks.get(event)]
    if missing:
        yield Finding(where, f"hooks are missing: {', '.join(missing)}", command)
    if others:
        yield Finding(where, f"hooks are of another installation, or changed: {', '.join(others)}", command)


def _look_at_server(places: Places, settings: Mapping[str, Any], wanted: Wanted, command: str) -> Iterator[Finding]:
    servers = settings.get("mcpServers")
    there = servers.get(MCP_NAME) if isinstance(servers, dict) else None
    if wanted.server is None:
        return
    if there is None:
        yield Finding(str(places.servers), "the MCP server is not there", command)
    elif there != wanted.server:
        problem = "the MCP server is another installation's, another root's, or another agent's than that of the hooks"
        yield Finding(str(places.servers), problem, command)
