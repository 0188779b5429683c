"""What holds for every plugin: it can be loaded, configured, started and stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
from trio.testing import wait_all_tasks_blocked

from observatory import Context, Settings, SettingsError, SupervisionSettings, SwarmSettings, open_observatory
from observatory.testing.laws import PATIENCE, Conformance, law
from observatory.testing.services import left_of, resources

if TYPE_CHECKING:
    from cyclopts import App

_GROUP = "observatory"
_COMMANDS = "observatory.commands"

_LOADING = """
import json, sys, trio, observatory
root, name, *others, configuration = sys.argv[1:]
plugins = {name: json.loads(configuration)}
trio.run(observatory.examine, observatory.Settings(root=root, disabled_plugins=tuple(others), plugins=plugins))
print("cyclopts" in sys.modules)
"""

_LISTING = """
import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
print(*sorted({"cyclopts", "trio"}.intersection(sys.modules)), sep=" and ")
"""


class PluginConformance(Conformance):
    """What holds for an installed plugin. A subclass gives the fixture `plugin_name`; no other plugin is loaded."""

    configuration: ClassVar[Mapping[str, Any]] = {}
    """What `[plugins.NAME]` holds while it is opened: whatever makes it register all that it has."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the plugin's entry point."""
        raise NotImplementedError("give your suite a fixture `plugin_name` that returns the name of your entry point")

    @pytest.fixture
    def observatory_settings(self, plugin_name: str, context: Context) -> Settings:
        """Return settings under which this plugin is the only one; it is named, so it must load."""
        others = {entry_point.name for entry_point in entry_points(group=_GROUP)} - {plugin_name}
        return Settings(
            root=context.root,
            disabled_plugins=tuple(sorted(others)),
            plugins={plugin_name: self.configuration},
            swarm=SwarmSettings(follow=False),
            supervision=SupervisionSettings(drain=PATIENCE / 2),  # so that what is left is seen, and not a hang
        )

    @law
    def test_entry_point(self, plugin_name: str) -> None:
        """Its entry point stands once in the group `observatory`, and loads."""
        found = entry_points(group=_GROUP, name=plugin_name)
        assert len(found) == 1, (
            f"{len(found)} entry points in group {_GROUP!r} are called {plugin_name!r}; is it installed?"
        )
        assert load(plugin_name) is not None

    @law
    async def test_hooks(self, plugin_name: str, observatory_settings: Settings) -> None:
        """Its hooks are those of Observatory, and register something."""
        async with open_observatory(observatory_settings) as obs:
            [info] = [info for info in obs.plugins() if info.name == plugin_name]
        assert (info.state, info.reason) == ("loaded", None)
        assert info.registered, "it registers nothing; are its hooks marked with observatory.hookimpl?"

    @law
    def test_settings_class(self, plugin_name: str) -> None:
        """Its `settings_class`, where it has one, is an attrs class whose defaults are valid."""
        kind = getattr(load(plugin_name), "settings_class", None)
        if kind is not None:
            assert attrs.has(kind), "settings_class is no attrs class"
            assert kind() == kind(), "two settings with all the defaults are not equal"

    @law
    async def test_unknown_setting(self, plugin_name: str, observatory_settings: Settings) -> None:
        """A setting that it does not have is refused, with its path."""
        settings = attrs.evolve(observatory_settings, plugins={plugin_name: {"no_such_setting": 1}})
        with pytest.raises(SettingsError) as refusal:
            await open_and_close(settings)
        assert refusal.value.path == f"$.plugins.{plugin_name}.no_such_setting"

    @law
    def test_commands(self, observatory_settings: Settings) -> None:
        """Its commands are groups of the command line, and each of them explains itself."""
        from observatory.commands import commands_of, make_console  # here: it needs cyclopts

        for name, group in commands_of(observatory_settings).items():
            for place, command in _commands(group):
                assert command.help, f"the command {' '.join((name, *place))!r} has no text that explains it"
                group.help_print(place, console=make_console())

    @law
    def test_listed(self, observatory_settings: Settings) -> None:
        """The help lists its groups of commands, by entry points, and imports next to nothing for that."""
        from observatory.commands import commands_of  # here, as above

        found = {point.name: point for point in entry_points(group=_COMMANDS)}
        groups = commands_of(observatory_settings)
        for name, group in groups.items():
            assert name in found, (
                f"the help does not list {name!r}: no entry point in the group {_COMMANDS!r} names what makes it"
            )
            line = (found[name].load().__doc__ or "").strip().partition("\n")[0]
            assert line == group.help.partition("\n")[0], f"the help says of {name!r} {line!r}, and it {group.help!r}"
        dear = _output_of(_LISTING, *(found[name].module for name in groups))
        assert dear == "\n", f"listing it imports {dear.strip()}; import that where commands are made"

    @law
    def test_cheap(self, plugin_name: str, observatory_settings: Settings) -> None:
        """Loading it does not import cyclopts: every process loads it, and few are command lines."""
        root, others = str(observatory_settings.root), observatory_settings.disabled_plugins
        dear = _output_of(_LOADING, root, plugin_name, *others, json.dumps(self.configuration))
        assert dear == "False\n", "it imports cyclopts when it is loaded; import that where commands are made"

    @law
    async def test_starts_and_stops(self, observatory_settings: Settings) -> None:
        """It starts in an Observatory, runs, and leaves nothing behind when that is closed."""
        await open_and_close(observatory_settings)  # what is made once for the whole process is made now
        before = resources()
        await open_and_close(observatory_settings)
        assert not await left_of(before), "something is left of it"


def _commands(group: App) -> Iterator[tuple[tuple[str, ...], App]]:
    """Yield a group, and every command and group in it, by how they are called in it."""
    yield (), group
    for name in group:
        if not name.startswith("-"):
            yield from (((name, *place), command) for place, command in _commands(group[name]))


def _output_of(program: str, *given: str) -> str:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, *given]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)  # noqa: S603  # of our own
    assert done.returncode == 0, f"a process that loads it fails: {done.stderr}"
    return done.stdout


def load(plugin_name: str) -> object:
    """Load a plugin through its entry point."""
    entry_point: EntryPoint = entry_points(group=_GROUP)[plugin_name]
    return entry_point.load()


async def open_and_close(settings: Settings) -> None:
    """Open an Observatory, send a message through it, see that all of it is well, and close it."""
    async with open_observatory(settings) as obs:
        await obs.mailbox.send_message("agent-42", "conformance", "hello")
        await wait_all_tasks_blocked()
        health = obs.health()
        assert health.healthy, f"not everything is well: {health}"
        assert {child.state for child in health.children} == {"running"}, f"not everything runs: {health}"
    assert obs.undelivered == 0, "something could not be delivered when it was closed"
