"""Settings of plugins: filled from `[plugins.NAME]`, strictly."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from observatory import Context, Observatory, Registrar, SettingsError, hookimpl, open_observatory
from observatory.testing import RecordingChannel, observatory_plugin


@attrs.frozen
class Limits:
    """Settings of a plugin."""

    longest: int = 10
    names: tuple[str, ...] = ()


class Plain:
    """A plugin without settings, and with a hook of a test."""

    name = "plain"

    def __init__(self, register: Callable[[Registrar[Any]], None] | None = None) -> None:
        self._register = register

    @hookimpl
    def observatory_register_channels(self, registrar: Registrar[Any]) -> None:
        """Do what the test wants."""
        if self._register:
            self._register(registrar)


class Plugin(Plain):
    """A plugin with settings."""

    name = "configurable"
    settings_class = Limits


Inspect = Callable[..., Any]


@pytest.fixture
def inspect(bare_settings: Any) -> Inspect:
    """Return what opens an Observatory with plugins, and returns it after it was closed."""

    async def inspect(*plugins: object, **settings: Any) -> Observatory:
        async with open_observatory(bare_settings(**settings), plugins=plugins) as observatory:
            return observatory

    return inspect


async def test_settings(inspect: Inspect) -> None:
    """A plugin's settings class is filled from `[plugins.NAME]`, strictly, and handed to hooks and factories."""
    seen = []

    def make(context: Context) -> RecordingChannel:
        seen.append(context.settings)
        return RecordingChannel()

    def register(registrar: Registrar[Any]) -> None:
        seen.append(registrar.settings)
        registrar.register("c", make)

    plugin = Plugin(register)
    await inspect(plugin, plugins={"configurable": {"longest": 5, "names": ["a"]}})
    assert seen == [Limits(5, ("a",))] * 2


async def test_settings_that_nobody_gives(inspect: Inspect) -> None:
    """Without a table the settings class has its defaults; without a class there are no settings."""
    seen = []

    def register(registrar: Registrar[Any]) -> None:
        seen.append(registrar.settings)

    await inspect(Plugin(register), Plain(register))
    assert seen == [Limits(), None]


@pytest.mark.parametrize(
    ("table", "path", "reason"),
    [
        ({"longset": 5}, "$.plugins.mine.longset", "unknown key; did you mean 'longest'"),
        ({"longest": "5"}, "$.plugins.mine.longest", "expected an integer, got a string"),
        ({"names": [1]}, "$.plugins.mine.names[0]", "expected a string, got an integer"),
    ],
)
async def test_wrong_settings(inspect: Inspect, table: dict[str, Any], path: str, reason: str) -> None:
    """A key or a value that is not allowed is an error that names the path."""
    with pytest.raises(SettingsError, match=reason) as error:
        await inspect(observatory_plugin("mine", settings_class=Limits), plugins={"mine": table})
    assert error.value.path == path


async def test_settings_for_a_plugin_without_any(inspect: Inspect) -> None:
    """A plugin that has no settings class refuses every key, and an empty table is none."""
    with pytest.raises(SettingsError, match="this plugin has no settings") as error:
        await inspect(Plain(), plugins={"plain": {"b": 1, "a": 2}})
    assert error.value.path == "$.plugins.plain.a"
    await inspect(Plain(), plugins={"plain": {}})


async def test_settings_for_a_plugin_that_there_is_not(inspect: Inspect) -> None:
    """The error names the nearest plugin."""
    with pytest.raises(SettingsError, match="no plugin 'plian' is installed; did you mean 'plain'") as error:
        await inspect(Plain(), plugins={"plian": {}})
    assert error.value.path == "$.plugins.plian"


async def test_disabling_a_plugin_that_there_is_not(inspect: Inspect) -> None:
    """It is most likely misspelled, and the plugin that was meant would be loaded."""
    with pytest.raises(SettingsError, match="no plugin 'plian' is installed; did you mean 'plain'") as error:
        await inspect(Plain(), disabled_plugins=("plian",))
    assert error.value.path == "$.disabled_plugins"
