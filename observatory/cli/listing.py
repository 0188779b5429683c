"""What the help says of groups of commands that plugins announce, without importing what they need."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module

from observatory.cli.output import note
from observatory.errors import ObservatoryError, one_line

GROUP = "observatory.commands"
"""Of entry points: each names a group of commands, and the function that makes it."""


def announced(command: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of groups, and what the functions that make them say of them in the first line of a docstring.

    What cannot be imported is left out, and a note says why.

    Args:
        command: what is asked of the command line.
    """
    try:
        disabled = _disabled(command)
    except ObservatoryError as error:
        note(f"commands of plugins are left out: {error}")
        return
    for name, path in _found(disabled).items():
        module, _, function = path.partition(":")
        try:
            line = (getattr(import_module(module), function).__doc__ or "").strip().partition("\n")[0]
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- one of the four edges, as for plugins themselves
            note(f"the group of commands {name!r} is left out: {path} cannot be imported: {one_line(error)}")
        else:
            yield name, line


def config_of(command: Sequence[str]) -> str | None:
    """Return the settings file that a command names; whether that is written as it should be is seen later."""
    options = list(command[: command.index("--")] if "--" in command else command)
    for place, option in enumerate(options, start=1):
        if option == "--config":
            return next(iter(options[place:]), None)
        if option.startswith("--config="):
            return option.removeprefix("--config=")
    return None


def _disabled(command: Sequence[str]) -> Collection[str]:
    """Return the plugins that settings disable, which are only read where there are any: that takes a while."""
    config = config_of(command)
    if config is None and not os.path.exists("observatory.toml") and not any(map(_is_setting, os.environ)):
        return ()
    from observatory import load_settings

    return load_settings(config).disabled_plugins


def _is_setting(variable: str) -> bool:
    return variable.startswith("OBSERVATORY_")


def _found(disabled: Collection[str]) -> Mapping[str, str]:
    """Return groups and what makes them, of all distributions but those that have no plugin which is not disabled.

    That is what `importlib.metadata` is for, whose import alone takes longer than all the rest of this module. A
    distribution of another kind than a folder is not listed, and works.
    """
    found: dict[str, str] = {}
    for text in _texts():
        plugins = _section(text, "observatory")
        if not plugins or plugins.keys() - disabled:
            found = _section(text, GROUP) | found
    return found


def _texts() -> Iterator[str]:
    """Yield what installed distributions say of their entry points."""
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    with suppress(OSError, UnicodeDecodeError), open(f"{entry.path}/entry_points.txt", "rb") as file:
                        yield file.read().decode()


def _section(text: str, name: str) -> dict[str, str]:
    _, _, rest = f"\n{text}".partition(f"\n[{name}]\n")
    lines = [line.partition("=") for line in rest.partition("\n[")[0].splitlines() if "=" in line and line[0] != "#"]
    return {key.strip(): value.strip() for key, _, value in lines}
