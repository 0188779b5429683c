"""The check `claude`: what is wrong between Claude Code and the service of a root; where none is connected, nothing."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from observatory import Check, Finding, quoted
from observatory_claude import hook
from observatory_claude.connecting import Places, Wanted, of_project, of_user
from observatory_claude.entries import MCP_NAME, hooks_in, wanted_hooks, wanted_server
from observatory_claude.errors import SettingsFileError
from observatory_claude.files import read

_PATIENCE = 10.0
"""Seconds that the hook command and the service may take here, where nobody waits in haste."""


class ClaudeCheck(Check):
    """Looks at the settings of the user and of the project in the current folder, and on from there.

    Args:
        root: of which service. What leads to another one is none of its business.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def run(self) -> Sequence[Finding]:
        """Look, and return what is wrong."""
        return await trio.to_thread.run_sync(lambda: list(self._look()))

    def _look(self) -> Iterator[Finding]:
        wanted = Wanted(wanted_hooks(self._root), wanted_server(self._root))
        connected = False
        for places, words in ((of_user(), " --user"), (of_project(Path().absolute()), "")):
            command = f"observatory connect claude{words} --root {quoted(self._root)}"
            try:
                hooks, servers = read(places.hooks).value(), read(places.servers).value()
            except SettingsFileError as error:
                yield Finding(error.where, error.reason, f"mend the file, then: {command}")
                continue
            ours = {event: group for event, group, one, _ in hooks_in(hooks.get("hooks")) if self._is_meant(one)}
            if ours:
                connected = True
                yield from self._look_at_hooks(places, hooks, ours, wanted, command)
                yield from _look_at_server(places, servers, wanted, command)
        if connected:
            yield from self._look_at_command(wanted)
            yield from self._look_at_service()

    def _is_meant(self, one: Mapping[str, Any]) -> bool:
        try:
            return shlex.split(one["command"])[-1] == str(self._root)
        except ValueError:  # quotes that are not closed: somebody has changed it
            return True

    def _look_at_hooks(
        self, places: Places, settings: Mapping[str, Any], ours: Mapping[str, Any], wanted: Wanted, command: str
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

    def _look_at_command(self, wanted: Wanted) -> Iterator[Finding]:
        command = shlex.split(next(iter(wanted.hooks.values()))["hooks"][0]["command"])
        try:
            done = subprocess.run(command, input=b"", capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603
            problem = "" if done.returncode == 0 else f"it ends with {done.returncode}"
        except OSError as error:
            problem = f"it cannot be run: {error.strerror}"
        except subprocess.TimeoutExpired:
            problem = f"it takes more than {_PATIENCE:g} s"
        if problem:
            yield Finding("hook command", problem, f"see what it says: {shlex.join(command)} < /dev/null")

    def _look_at_service(self) -> Iterator[Finding]:
        subject, start = f"service on {self._root}", f"observatory serve --root {quoted(self._root)}"
        try:
            service = hook.read_service(str(self._root))
        except (OSError, ValueError) as error:
            yield Finding(f"{self._root}/observatory/service.json", _line(error), f"remove it, then: {start}")
            return
        if service is None:
            yield Finding(subject, "none runs, so hooks do nothing", start)
            return
        if "http" not in service.get("doors", {}):
            remedy = "install trio-observatory-http, see that plugins.http does not turn it off, and start it again"
            yield Finding(subject, "it has no door for HTTP, so hooks do nothing", remedy)
            return
        try:
            status, _ = hook.ask(service, "GET", b"", _PATIENCE)
        except (OSError, ValueError, LookupError) as error:
            yield Finding(
                subject, f"it does not answer: {_line(error)}", f"end process {service.get('pid')}, then: {start}"
            )
            return
        yield from _told_by(status, subject, start)


def _look_at_server(places: Places, settings: Mapping[str, Any], wanted: Wanted, command: str) -> Iterator[Finding]:
    if wanted.server is None:
        return
    servers = settings.get("mcpServers")
    there = servers.get(MCP_NAME) if isinstance(servers, dict) else None
    if there is None:
        yield Finding(str(places.servers), "the MCP server is not there", command)
    elif there != wanted.server:
        yield Finding(str(places.servers), "the MCP server is another installation's, or another root's", command)
    elif shutil.which(there["command"]) is None:
        yield Finding(str(places.servers), f"there is no program {there['command']!r}", command)


def _told_by(status: int, subject: str, start: str) -> Iterator[Finding]:
    """Say what the status means of a GET, which nobody may send there: who is let in is told so."""
    if status == 401:
        remedy = "set OBSERVATORY_TOKEN to what `observatory token AGENT` prints now, or unset it"
        yield Finding(subject, "it does not know the token", remedy)
    elif status == 404:
        yield Finding(subject, "it takes no events", f"install a newer trio-observatory-http, then: {start}")
    elif status not in (405, 429):
        yield Finding(subject, f"it answers with {status} where events go", "see its log")


def _line(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split()) or type(error).__name__
