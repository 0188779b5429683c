"""Plugins that are handed to `open_observatory`: what they may register, and every way to get it wrong."""

import types
from collections.abc import Callable
from typing import Any

import pytest
import trio

from observatory import (
    CanonicalNameError,
    DuplicateNameError,
    Observatory,
    PluginError,
    PluginInfo,
    PolicyRefusedError,
    Registrar,
    SettingsError,
    StorageSettings,
    hookimpl,
    open_observatory,
)
from observatory.testing import RecordingChannel, observatory_plugin


class Bare:
    """A plugin without a name, whose hooks a test adds."""

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        for name, hook in hooks.items():
            setattr(self, name, hookimpl(hook))


class Named(Bare):
    """A plugin with a name."""

    name = "named"


class HalfWay:
    """A plugin that fails in its last hook."""

    name = "half-way"

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @hookimpl
    def observatory_register_channels(self, registrar: Registrar[Any]) -> None:
        """Register two, so that there would be something to leave behind."""
        registrar.register("one", lambda context: RecordingChannel())

    @hookimpl
    def observatory_register_policies(self, registrar: Registrar[Any]) -> None:
        """Fail after the first."""
        registrar.register("refuse", self._refuse)
        raise self._error

    @staticmethod
    def _refuse(draft: Any) -> Any:
        raise PolicyRefusedError("refuse", "it should not be asked")


Inspect = Callable[..., Any]


@pytest.fixture
def inspect(bare_settings: Any, nursery: trio.Nursery) -> Inspect:
    """Return what opens an Observatory with plugins, until the test ends."""

    async def serve(settings: Any, plugins: Any, *, task_status: trio.TaskStatus[Observatory]) -> None:
        async with open_observatory(settings, plugins=plugins) as observatory:
            task_status.started(observatory)
            await trio.sleep_forever()

    async def inspect(*plugins: object, **settings: Any) -> Observatory:
        observatory: Observatory = await nursery.start(serve, bare_settings(**settings), plugins)
        return observatory

    return inspect


def info(observatory: Observatory, name: str) -> PluginInfo:
    """Return what is known of one plugin."""
    return next(info for info in observatory.plugins() if info.name == name)


async def test_in_the_box(inspect: Inspect) -> None:
    """The first plugin is what ships with the core, registered through the same hooks."""
    observatory = await inspect()
    checks = "mailbox-backlog", "silent-agents", "lanes", "dead-letters", "stale-tasks"
    registered = "storage backend memory", "delivery channel log", *[f"check {name}" for name in checks]
    assert observatory.plugins()[0] == PluginInfo("observatory", None, None, "loaded", None, registered)


async def test_what_is_registered(inspect: Inspect) -> None:
    """`plugins()` says what each plugin has registered, by kind and name."""
    plugin = observatory_plugin(
        "mine", channels={"c": lambda context: RecordingChannel()}, policies={"p": lambda draft: draft}
    )
    observatory = await inspect(plugin)
    assert info(observatory, "mine").registered == ("delivery channel c", "policy p")
    assert info(observatory, "mine").distribution is None


@pytest.mark.parametrize(
    ("plugin", "name"), [(Named(), "named"), (Bare(), "Bare"), (types.ModuleType("some_module"), "some_module")]
)
async def test_names(inspect: Inspect, plugin: object, name: str) -> None:
    """A plugin is named by its attribute `name`, else it is a module or a class that has one."""
    assert info(await inspect(plugin), name).state == "loaded"


async def test_a_misspelled_hook(inspect: Inspect) -> None:
    """A hook that there is not is an error, with the nearest name."""
    plugin = Named(observatory_register_chanels=lambda registrar: None)
    with pytest.raises(PluginError, match="did you mean 'observatory_register_channels'") as error:
        await inspect(plugin)
    assert error.value.plugin == "named"


async def test_a_wrong_argument(inspect: Inspect) -> None:
    """A hook that asks for what hooks are not handed is an error that names it."""
    plugin = Named(observatory_register_channels=lambda registry: None)
    with pytest.raises(PluginError, match=r"'named': cannot be registered: .*registry"):
        await inspect(plugin)


async def test_a_hook_without_an_argument(inspect: Inspect) -> None:
    """A hook may do without what it is handed."""
    called = []
    await inspect(Named(observatory_register_channels=lambda: called.append(1)))
    assert called == [1]


async def test_an_asynchronous_hook(inspect: Inspect) -> None:
    """Nobody could await it, and so it is refused."""

    async def hook(registrar: Registrar[Any]) -> None:
        """Do nothing."""

    with pytest.raises(PluginError, match="'observatory_register_channels' is asynchronous; hooks are plain functions"):
        await inspect(Named(observatory_register_channels=hook))


async def test_two_plugins_of_one_name(inspect: Inspect) -> None:
    """The second one is refused."""
    with pytest.raises(DuplicateNameError, match="two plugins have this name, from this program and this program"):
        await inspect(Named(), Named())


async def test_the_name_of_the_box(inspect: Inspect) -> None:
    """`observatory` is taken."""
    with pytest.raises(DuplicateNameError, match="'observatory': two plugins"):
        await inspect(observatory_plugin("observatory"))


async def test_two_items_of_one_name(inspect: Inspect) -> None:
    """What one plugin has registered, another cannot register again."""
    plugins = [observatory_plugin(name, policies={"p": lambda draft: draft}) for name in ("one", "two")]
    with pytest.raises(DuplicateNameError, match="'two': the policy 'p' is registered by plugin 'one' already"):
        await inspect(*plugins)


async def test_an_item_of_the_box(inspect: Inspect) -> None:
    """What is in the box is not replaced by registering over it."""
    with pytest.raises(DuplicateNameError, match="'log' is registered by plugin 'observatory' already"):
        await inspect(observatory_plugin("mine", channels={"log": lambda context: RecordingChannel()}))


@pytest.mark.parametrize("name", ["Mailbox", "Notes", "ProtocolTracker", "SwarmMonitor"])
async def test_canonical_names(inspect: Inspect, name: str) -> None:
    """A module under a canonical name is refused, also under that of one that is still to come."""
    modules: Any = {name: lambda context: None}
    with pytest.raises(CanonicalNameError, match=f"'mine': '{name}' is a canonical module and cannot be replaced"):
        await inspect(observatory_plugin("mine", modules=modules))


async def test_one_name_in_two_kinds(inspect: Inspect) -> None:
    """Names are unique among what is of one kind."""
    plugin = observatory_plugin(
        "mine", channels={"x": lambda context: RecordingChannel()}, policies={"x": lambda draft: draft}
    )
    assert len(info(await inspect(plugin), "mine").registered) == 2


async def test_a_hook_that_raises_half_way(inspect: Inspect, caplog: pytest.LogCaptureFixture) -> None:
    """Of a plugin that fails while it registers, nothing is registered; it is reported and left out."""
    observatory = await inspect(HalfWay(ValueError("two\nlines")))
    broken = info(observatory, "half-way")
    assert (broken.state, broken.registered) == ("broken", ())
    assert broken.reason == "failed while registering: ValueError: two lines"
    assert observatory.health().broken_plugins == {"half-way": broken.reason}
    assert not observatory.health().healthy
    assert list(observatory.statistics().lanes) == []
    assert f"plugin half-way is left out: it {broken.reason}" in caplog.messages


async def test_a_hook_that_ends_the_process(inspect: Inspect) -> None:
    """It does not: its plugin is left out like any other that fails."""
    observatory = await inspect(HalfWay(SystemExit(3)))
    assert observatory.health().broken_plugins == {"half-way": "failed while registering: SystemExit: 3"}


async def test_a_policy_of_a_broken_plugin_is_not_asked(bare_settings: Any) -> None:
    """What was registered before the failure takes no part either."""
    async with open_observatory(bare_settings(), plugins=[HalfWay(ValueError())]) as observatory:
        receipt = await observatory.mailbox.send_message("a", "b", "hello")
        assert observatory.mailbox.get_messages("a") == [receipt.message]


async def test_a_broken_plugin_that_is_needed(inspect: Inspect) -> None:
    """A plugin that the settings name must not fail."""
    cause = ValueError("broken")
    with pytest.raises(PluginError, match="ValueError: broken; the settings name it, so it is needed") as error:
        await inspect(HalfWay(cause), plugins={"half-way": {}})
    assert error.value.__cause__ is cause


async def test_an_error_of_ours_in_a_hook(inspect: Inspect) -> None:
    """A plugin may say itself that it cannot be used, and that is not swallowed."""
    with pytest.raises(PluginError, match="no licence"):
        await inspect(HalfWay(PluginError("half-way", "no licence")))


@pytest.mark.parametrize("kind", ["storage", "channels", "modules", "services"])
async def test_factories(inspect: Inspect, kind: str) -> None:
    """A factory that fails, or makes something else, is an error that names plugin and item."""

    def fail(context: Any) -> Any:
        raise ValueError("two\nlines")

    settings = {"storage": StorageSettings(backend="x")} if kind == "storage" else {}
    with pytest.raises(PluginError, match=r"'mine': the factory of 'x' failed: ValueError: two lines") as error:
        await inspect(observatory_plugin("mine", **{kind: {"x": fail}}), **settings)  # type: ignore[arg-type]
    assert isinstance(error.value.__cause__, ValueError)
    nothing: Any = {kind: {"x": lambda context: None}}
    with pytest.raises(PluginError, match=r"the factory of 'x' made a NoneType, which is no \w+$"):
        await inspect(observatory_plugin("mine", **nothing), **settings)


async def test_a_factory_that_says_itself_why(inspect: Inspect) -> None:
    """An error of our tree comes out of a factory as it is."""

    def fail(context: Any) -> Any:
        raise SettingsError("$.plugins.mine.folder", "is no folder")

    with pytest.raises(SettingsError, match="is no folder"):
        await inspect(observatory_plugin("mine", channels={"x": fail}))
