"""Groups of commands that plugins register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cyclopts import App

from observatory import ObservatoryError, Settings, load_settings
from observatory.cli.listing import config_of
from observatory.cli.output import note
from observatory.in_the_box import InTheBox
from observatory.plugins import Plugins
from observatory.registrar import Registered


def extend(app: App, command: Sequence[str]) -> None:
    """Add groups of plugins to the command line: the one that is asked for, or else all that there are.

    What cannot be added is left out, and a note says why, unless it is what is asked for.

    Args:
        app: the command line.
        command: what is asked of it.

    Raises:
        ObservatoryError: the group that is asked for is a plugin's, and cannot be used.
    """
    found = _found(command)
    asked = next(iter(command), "")
    if asked in found:
        app.command(_made(asked, found[asked]), name=asked)
        return
    for name, registered in found.items():
        try:
            app.command(_made(name, registered), name=name)
        except ObservatoryError as error:
            note(f"a group of commands is left out: {error}")


def commands_of(settings: Settings) -> dict[str, App]:
    """Return every group of commands that plugins register, by name.

    Args:
        settings: say which plugins there are.

    Raises:
        SettingsError: the settings name what there is not.
        PluginError: a plugin cannot be used.
    """
    return {name: _made(name, registered) for name, registered in _registered(settings).items()}


def _found(command: Sequence[str]) -> Mapping[str, Registered]:
    try:
        return _registered(load_settings(config_of(command)))
    except ObservatoryError as error:
        note(f"commands of plugins are left out: {error}")
        return {}


def _registered(settings: Settings) -> Mapping[str, Registered]:
    return Plugins(settings, built_in=InTheBox()).commands()


def _made(name: str, registered: Registered) -> App:
    app: App = registered.make(App, name)
    return app
