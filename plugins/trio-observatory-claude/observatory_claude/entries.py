"""What stands in settings files of ours: hooks, and the MCP server."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs

from observatory import Settings
from observatory_claude.errors import SettingsFileError
from observatory_claude.json_text import Style, add, check, drop, edit, put

HOOK = Path(__file__).with_name("hook.py")
"""The program that hooks run."""

MCP_NAME = "observatory"
"""What the MCP server is called."""

_WAITED_FOR = (
    *("SessionStart", "UserPromptSubmit", "UserPromptExpansion"),
    *("PostToolUse", "PostToolUseFailure", "PostToolBatch"),
    "SessionEnd",
)
"""Events whose answer may bring mail; and the last one, whose hook would end with the program."""

_BESIDE = (
    *("Setup", "InstructionsLoaded", "PreToolUse", "PermissionDenied", "SubagentStart", "SubagentStop", "TaskCreated"),
    *("TaskCompleted", "TeammateIdle", "Stop", "StopFailure", "Notification", "CwdChanged", "DirectoryAdded"),
    *("WorktreeRemove", "PreCompact", "PostCompact"),
)
"""Events that are told of while the agent goes on.

Not among them: WorktreeCreate, whose hook has to make the worktree; those that a person waits in front of
(PermissionRequest, Elicitation, ElicitationResult); those that come for each line or file (MessageDisplay,
FileChanged); and ConfigChange, which `connect` brings about itself.
"""

_SECONDS = 5
"""After which the program ends a hook that ought to have ended itself."""

_MARK = f"/{HOOK.parent.name}/{HOOK.name}"

_AGENT = "OBSERVATORY_AGENT"
"""The variable with which one session is another agent than the others of its project."""


def wanted_hooks(root: Path, agent: str) -> Mapping[str, Any]:
    """Return what stands under each event.

    Args:
        root: of the service that is told.
        agent: who a session is that does not say so itself; the hook command looks at the variable, for its shell may
            be any.

    Raises:
        SettingsFileError: the root's name cannot stand in JSON.
    """
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        raise SettingsFileError(str(root), "a root whose name is not UTF-8 cannot stand in settings") from error
    command = shlex.join([sys.executable, "-I", "-S", str(HOOK), str(root), agent])
    waited = {"type": "command", "command": command, "timeout": _SECONDS}
    beside = {**waited, "async": True}
    return {event: {"hooks": [waited]} for event in _WAITED_FOR} | {event: {"hooks": [beside]} for event in _BESIDE}


def wanted_server(root: Path, agent: str) -> Mapping[str, Any] | None:
    """Return the entry of the MCP server; None where no plugin is one.

    A project shares it, so it names nothing of this machine that it need not name. Claude Code puts in whose session it
    is, by the same rule as the hook command: with the variable it is that agent, else this one.
    """
    if "mcp" not in entry_points(group="observatory").names:
        return None
    own = Path(sys.executable).with_name("observatory")
    found = shutil.which("observatory")
    command = "observatory" if found and Path(found).resolve() == own.resolve() else str(own)
    where = [] if root == Settings().root.resolve() else ["--root", str(root)]
    return {"command": command, "args": ["mcp", "--agent", f"${{{_AGENT}:-{agent}}}", *where]}


def told_by(hook: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return root and agent that a hook of ours names; None where somebody has changed that."""
    try:
        words = shlex.split(hook["command"])
    except ValueError:  # quotes that are not closed
        return None
    place = next((place for place, word in enumerate(words, start=1) if word.endswith(_MARK)), len(words))
    root, agent = [*words[place:], "", ""][:2]
    return (root, agent) if root else None


def is_ours(hook: Any) -> bool:
    """Tell whether a hook runs our program, of whichever installation and for whichever root."""
    return isinstance(hook, dict) and isinstance(hook.get("command"), str) and _MARK in hook["command"]


def hooks_in(hooks: Any) -> Iterator[tuple[str, Any, Any, tuple[str | int, ...]]]:
    """Yield our hooks of all that there are: event, group, hook, and the path of what goes when the hook goes."""
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        for place, group in enumerate(groups if isinstance(groups, list) else ()):
            found = group.get("hooks") if isinstance(group, dict) else None
            inner = found if isinstance(found, list) else []
            for number, hook in enumerate(inner):
                if not is_ours(hook):
                    continue
                path: tuple[str | int, ...] = (event, place, "hooks", number)
                if len(inner) == 1:
                    path = path[:2] if len(groups) > 1 else path[:1]
                yield event, group, hook, path


def with_hooks(text: str, wanted: Mapping[str, Any], style: Style) -> str:
    """Return settings in which our hooks are these, and no others.

    Raises:
        ValueError: something stands where hooks have to be.
    """
    hooks = check(text).get("hooks")
    if hooks is None:
        if not wanted:
            return text
        text, hooks = put(text, ["hooks"], {}, style), {}
    _check_shape(hooks, wanted)
    a_line_each = attrs.evolve(style, compact=True)
    return edit(text, "hooks", lambda inner: _with_hooks(inner, wanted, a_line_each))


def _with_hooks(text: str, wanted: Mapping[str, Any], style: Style) -> str | None:
    """Return all hooks, ours among them; None when there are none any more."""
    before = text
    while stale := _first_stale(check(text), wanted):
        text = drop(text, stale)
    hooks = check(text)
    there = {event for event, *_ in hooks_in(hooks)}
    for event, group in wanted.items():
        if event in hooks and event not in there:
            text = add(text, (event,), group, style, depth=2)
        elif event not in there:
            text = put(text, [event], [group], style, depth=2)
    return text if text == before or check(text) else None


def with_server(text: str, wanted: Mapping[str, Any] | None, style: Style) -> str:
    """Return settings in which our MCP server is this one, or is not there.

    Raises:
        ValueError: something stands where servers have to be, or somebody else's has our name.
    """
    servers = check(text).get("mcpServers", {})
    if not isinstance(servers, dict):
        raise ValueError("$.mcpServers: expected an object")
    there = servers.get(MCP_NAME)
    if there is not None and not _is_our_server(there):
        if wanted is None:
            return text
        raise ValueError(f"$.mcpServers.{MCP_NAME}: another server has that name; rename it")
    if there == wanted:
        return text
    if wanted is not None:
        return put(text, ("mcpServers", MCP_NAME), wanted, style)
    return drop(text, ("mcpServers",) if len(servers) == 1 else ("mcpServers", MCP_NAME))


def _first_stale(hooks: Any, wanted: Mapping[str, Any]) -> tuple[str | int, ...] | None:
    kept: set[str] = set()
    for event, group, _, path in hooks_in(hooks):
        if event in kept or group != wanted.get(event):
            return path
        kept.add(event)
    return None


def _check_shape(hooks: Any, wanted: Mapping[str, Any]) -> None:
    if not isinstance(hooks, dict):
        raise ValueError("$.hooks: expected an object")
    for event in wanted:
        if not isinstance(hooks.get(event, []), list):
            raise ValueError(f"$.hooks.{event}: expected an array")


def _is_our_server(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    command, arguments = entry.get("command"), entry.get("args")
    return (
        isinstance(command, str)
        and Path(command).name == "observatory"
        and isinstance(arguments, list)
        and arguments[:1] == ["mcp"]
    )
