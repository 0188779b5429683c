"""Which files of Claude Code change when it is connected, and into what."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from observatory_claude.entries import wanted_hooks, wanted_server, with_hooks, with_server
from observatory_claude.errors import SettingsFileError
from observatory_claude.files import SettingsFile, check_as_read, read, write
from observatory_claude.json_text import style_of


@attrs.frozen
class Places:
    """Where hooks and MCP servers of a project or a person stand."""

    hooks: Path
    servers: Path


def of_project(folder: Path) -> Places:
    """Return those of a project: the hooks name this machine, and so stand in the file that is not shared."""
    return Places(folder / ".claude" / "settings.local.json", folder / ".mcp.json")


def of_user() -> Places:
    """Return those of whoever is asking, for all projects.

    Raises:
        SettingsFileError: there is no home folder.
    """
    config = os.environ.get("CLAUDE_CONFIG_DIR")
    try:
        folder = Path(config or "~/.claude").expanduser()
    except RuntimeError as error:
        raise SettingsFileError(config or "~/.claude", "there is no such home folder; set CLAUDE_CONFIG_DIR") from error
    return Places(folder / "settings.json", (folder if config else folder.parent) / ".claude.json")


@attrs.frozen
class Change:
    """What becomes of a file."""

    file: SettingsFile
    """As it is."""
    after: bytes | None
    """What it becomes; None for one that goes."""
    backup: bytes | None = None
    """What its backup becomes; None for one that goes, or is not there."""

    def difference(self) -> str:
        """Return it as a person reads it: a unified difference."""
        before = (self.file.data or b"").decode().splitlines()
        after = (self.after or b"").decode().splitlines()
        old, new = (str(self.file.place) if data is not None else "nothing" for data in (self.file.data, self.after))
        return "\n".join(difflib.unified_diff(before, after, old, new, n=1, lineterm=""))


@attrs.frozen
class Wanted:
    """Our entries."""

    hooks: Mapping[str, Any]
    """By event."""
    server: Mapping[str, Any] | None
    """The MCP server, if there is one."""


def wanted_for(root: Path, agent: str) -> Wanted:
    """Return our entries for a root, and for sessions that are that agent.

    Raises:
        SettingsFileError: the root's name cannot stand in JSON.
    """
    return Wanted(wanted_hooks(root, agent), wanted_server(root, agent))


def carry_out(places: Places, found: Sequence[Change]) -> None:
    """Make it so; where the file of hooks goes, its folder goes with it, unless something else is in that.

    Raises:
        SettingsFileError: it cannot be; none was changed where one of the files may not be, or is another one by now.
    """
    for change in found:
        check_as_read(change.file)
    for change in found:
        write(change.file, change.after, backup=change.backup)
        if change.after is None and change.file.path == places.hooks:
            with suppress(OSError):  # it is not empty, or a link
                places.hooks.parent.rmdir()


_NOTHING = Wanted({}, None)
_Edit: TypeAlias = Callable[[str, Wanted], str]


def changes(places: Places, wanted: Wanted, *, remove: bool = False) -> Sequence[Change]:
    """Return what has to change until our entries are these, or gone: nothing where that is so.

    Raises:
        SettingsFileError: one of the files cannot be changed; none was.
    """
    change = _removal if remove else _change
    found = [change(places.hooks, wanted, _edit_hooks), change(places.servers, wanted, _edit_servers)]
    return [one for one in found if one is not None]


def _edit_hooks(text: str, wanted: Wanted) -> str:
    return with_hooks(text, wanted.hooks, style_of(text))


def _edit_servers(text: str, wanted: Wanted) -> str:
    return with_server(text, wanted.server, style_of(text))


def _change(path: Path, wanted: Wanted, edit: _Edit) -> Change | None:
    file = read(path)
    after = _edited(file, wanted, edit)
    if after == file.text:
        return None
    connected = _edited(file, _NOTHING, edit) != file.text
    return Change(file, file.with_text(after), file.kept() if connected else file.data)


def _removal(path: Path, wanted: Wanted, edit: _Edit) -> Change | None:
    """Return how a file becomes what it was: to the byte, if nobody has changed anything else since."""
    file = read(path)
    bare = _edited(file, _NOTHING, edit)
    if bare == file.text:
        return None
    kept = file.kept()
    if kept is None:
        return Change(file, file.with_text(bare) if bare != "{}" else None)
    before = attrs.evolve(file, data=kept)
    with suppress(SettingsFileError):
        if before.with_text(_edited(before, wanted, edit)) == file.data:
            return Change(file, kept)
    return Change(file, file.with_text(bare), kept)


def _edited(file: SettingsFile, wanted: Wanted, edit: _Edit) -> str:
    try:
        return edit(file.text, wanted)
    except ValueError as error:
        raise SettingsFileError(str(file.path), f"{error}; nothing was changed") from error
