"""Asking every plugin's checks what is wrong, without an Observatory that is open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import trio

from observatory.abc import Context
from observatory.arguments import given
from observatory.checks import Check, Finding, quoted
from observatory.clock import Clock
from observatory.errors import ObservatoryError, RootError, one_line
from observatory.in_the_box import InTheBox
from observatory.plugins import Plugins
from observatory.registrar import Registered
from observatory.settings import Settings
from observatory.unopened import bare_context

_OWN = "observatory"


@attrs.frozen
class Diagnosis:
    """A finding, and who has it."""

    check: str
    """The check's name; `observatory` for what is wrong with the root, or with a plugin itself."""
    finding: Finding
    """The finding."""


async def examine(
    settings: Settings | None = None, *, plugins: Iterable[object] = (), clock: Clock | None = None
) -> tuple[Diagnosis, ...]:
    """Look for what is wrong, as `observatory doctor` does.

    Nothing is opened, made or changed, so it can be called where an Observatory cannot be opened, and beside one that
    is.

    Args:
        settings: by default `Settings()`.
        plugins: plugin objects beside the installed ones.
        clock: wall time; by default the system's.

    Raises:
        InvalidInputError: an argument is not allowed.
        SettingsError: the settings name what there is not.
        PluginError: a plugin cannot be used.
        RootError: no file system can have such a root.
    """
    settings = given("settings", Settings, settings)
    clock = given("clock", Clock, clock)
    asked = Plugins(settings, built_in=InTheBox(), extra=plugins)
    asked.chosen_storage()
    asked.chosen_channels()
    diagnoses = [Diagnosis(_OWN, finding) for finding in _look_at_plugins(asked)]
    found, usable = await trio.to_thread.run_sync(_look_at_root, settings.root)
    diagnoses += [Diagnosis(_OWN, finding) for finding in found]
    if not usable:
        return tuple(diagnoses)  # no check could look further
    for name, registered in asked.checks().items():
        context = bare_context(settings, clock, registered.settings)
        diagnoses += [Diagnosis(name, finding) for finding in await _ask(name, registered, context)]
    return tuple(diagnoses)


async def _ask(name: str, registered: Registered, context: Context) -> Sequence[Finding]:
    try:
        check: Check = registered.make(Check, name, context)
        return await check.run()
    except (ObservatoryError, OSError) as error:
        problem = f"could not look, or not everywhere: {one_line(error)}"
        return [Finding(f"check {name}", problem, "put that right, and ask again: observatory doctor")]


def _look_at_root(root: Path) -> tuple[list[Finding], bool]:
    """Return what is wrong with the root, and whether a check can look further."""
    path = str(root)
    try:
        mode = root.stat().st_mode
    except FileNotFoundError:
        if not root.is_symlink():
            return [_missing(path)], True  # a plugin may keep something elsewhere
        mode = 0
    except OSError as error:
        remedy = "see that each folder above it is one, and may be entered"
        return [Finding(path, f"the root cannot be looked at: {error.strerror}", remedy)], False
    except ValueError as error:
        raise RootError(repr(path), "is no path that a file system can have") from error
    if not stat.S_ISDIR(mode):
        return [Finding(path, "the root is no directory", f"mv -n {quoted(path)} {quoted(f'{path}.aside')}")], False
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return [Finding(path, "the root cannot be read and written", f"chmod u+rwx {quoted(path)}")], False
    return [], True


def _missing(path: str) -> Finding:
    """Say that there is no root: before the first start that is as it should be, and else a name that was mistyped."""
    problem = "the root is not there: either nothing was ever kept on it, or another one is meant"
    remedy = f"name the right one; if this is the right one, it is made by: observatory serve --root {quoted(path)}"
    return Finding(path, problem, remedy)


def _look_at_plugins(plugins: Plugins) -> list[Finding]:
    remedy = "install it anew, or name it in disabled_plugins of the settings"
    return [Finding(f"plugin {name}", f"it is left out: it {why}", remedy) for name, why in plugins.broken().items()]
