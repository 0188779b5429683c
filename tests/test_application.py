"""An Observatory as a whole: what it is made of, what its parts are handed, and that there may be several."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from observatory import (
    Clock,
    Context,
    DeliverySettings,
    Draft,
    Mailbox,
    MemoryStorage,
    Module,
    Notes,
    Registrar,
    Service,
    SettingsError,
    StorageSettings,
    TrioClock,
    UnknownNameError,
    hookimpl,
    open_observatory,
)
from observatory.testing import RecordingChannel, observatory_plugin


class Part:
    """What a module and a service have in common here: they keep what they are handed, and say when they run."""

    def __init__(self, context: Context, log: list[str]) -> None:
        self.context = context
        self._log = log

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Note the start and the end."""
        self._log.append(f"{type(self).__name__} starts")
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self._log.append(f"{type(self).__name__} ends")


class Tally(Part, Module):
    """A module."""


class Door(Part, Service):
    """A service."""


class Absent(Part, Module):
    """A module that nobody registers."""


@attrs.frozen
class Choice:
    """Settings of the plugin."""

    colour: str = "red"


class Plugin:
    """Registers a module, a service and a delivery channel that all keep their context."""

    name = "plugin"
    settings_class = Choice

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        self.log: list[str] = []

    @hookimpl
    def observatory_register_storage(self, registrar: Registrar[Any]) -> None:
        """Register a backend that nobody has asked for, and that is therefore not made."""
        registrar.register("unused", lambda context: pytest.fail("it was made"))

    @hookimpl
    def observatory_register_channels(self, registrar: Registrar[Any]) -> None:
        """Register a delivery channel."""
        registrar.register("keep", self._make_channel)

    @hookimpl
    def observatory_register_modules(self, registrar: Registrar[Any]) -> None:
        """Register a module."""
        registrar.register("Tally", lambda context: Tally(context, self.log))

    @hookimpl
    def observatory_register_services(self, registrar: Registrar[Any]) -> None:
        """Register a service."""
        registrar.register("door", lambda context: Door(context, self.log))

    def _make_channel(self, context: Context) -> RecordingChannel:
        self.contexts.append(context)
        return RecordingChannel()


async def test_what_parts_are_handed(bare_settings: Any) -> None:
    """The root, the clock, pub/sub, the plugin's own settings, and the others by name and by class."""
    plugin = Plugin()
    settings = bare_settings(plugins={"plugin": {"colour": "blue"}})
    async with open_observatory(settings, plugins=[plugin]) as observatory:
        tally, door = observatory.module(Tally), observatory.service(Door)
        for context in (tally.context, door.context, *plugin.contexts):
            assert context.root == settings.root
            assert context.root.is_dir()
            assert context.clock is observatory.clock
            assert context.pubsub is observatory.pubsub
            assert context.settings == Choice("blue")
            canonical = ["Mailbox", "SwarmMonitor", "ProtocolTracker", "Notes", "Presence"]
            assert list(context.modules) == [*canonical, "Tally"]
            assert dict(context.services) == {"door": door}
            assert context.module(Mailbox) is observatory.mailbox
            assert context.service(Door) is door
            assert context.module("Mailbox") is observatory.mailbox
            assert context.service("door") is door


async def test_by_class(bare_settings: Any) -> None:
    """Modules and services are found by their class; what there is not is an error that lists what there is."""
    async with open_observatory(bare_settings(), plugins=[Plugin()]) as observatory:
        assert observatory.module(Notes) is observatory.notes
        with pytest.raises(
            UnknownNameError,
            match="there is no module 'Absent'; known: Mailbox, Notes, Presence, ProtocolTracker, SwarmMonitor, Tally",
        ):
            observatory.module(Absent)


async def test_no_service(bare_settings: Any) -> None:
    """The same where none is known at all."""
    async with open_observatory(bare_settings()) as observatory:
        with pytest.raises(UnknownNameError, match="there is no service 'Door'; none is known"):
            observatory.service(Door)


async def test_order(bare_settings: Any) -> None:
    """Lanes start first, then modules, the canonical ones before others, then services."""
    plugin = Plugin()
    async with open_observatory(bare_settings(), plugins=[plugin]) as observatory:
        names = [child.name for child in observatory.health().children]
    assert names == [
        "lane:keep",
        "module:Mailbox",
        "module:SwarmMonitor",
        "module:ProtocolTracker",
        "module:Notes",
        "module:Presence",
        "module:Tally",
        "service:door",
    ]
    assert plugin.log[:2] == ["Tally starts", "Door starts"]
    assert sorted(plugin.log[2:]) == ["Door ends", "Tally ends"]


async def test_services_end_before_modules(bare_settings: Any) -> None:
    """Services stop first, so that what they ask of modules is still answered."""
    plugin = Plugin()
    async with open_observatory(bare_settings(), plugins=[plugin]):
        pass
    assert plugin.log[2:] == ["Door ends", "Tally ends"]


@pytest.mark.parametrize(
    ("settings", "path", "reason"),
    [
        ({"storage": StorageSettings(backend="memroy")}, "$.storage.backend", "'memroy'; did you mean 'memory'"),
        ({"delivery": DeliverySettings(required=("kepe",))}, "$.delivery.required", "'kepe'; did you mean 'keep'"),
        (
            {"delivery": DeliverySettings(required=("log",), disabled=("log", "keep"))},
            "$.delivery.required",
            "the delivery channel 'log' is disabled; to enable it, set disabled = ['keep'] in [delivery]",
        ),
        ({"delivery": DeliverySettings(disabled=("kepe",))}, "$.delivery.disabled", "'kepe'; did you mean 'keep'"),
        (
            {"delivery": DeliverySettings(required=("keep",), disabled=("keep",))},
            "$.delivery.required",
            "the delivery channel 'keep' is disabled; to enable it, set disabled = [] in [delivery]",
        ),
    ],
)
async def test_settings_that_name_what_there_is_not(
    bare_settings: Any, settings: dict[str, Any], path: str, reason: str
) -> None:
    """A storage backend or a delivery channel that nobody has registered is an error with its path."""
    with pytest.raises(SettingsError) as info:
        async with open_observatory(bare_settings(**settings), plugins=[Plugin()]):
            pytest.fail("it has opened")
    assert info.value.path == path
    assert reason in info.value.reason


async def test_disabling_what_a_plugin_that_is_left_out_would_register(bare_settings: Any) -> None:
    """A delivery channel that is not there because its plugin is disabled may be disabled, too."""
    plugin = observatory_plugin("left-out", channels={"left-out": lambda _: RecordingChannel()})
    delivery = DeliverySettings(disabled=("left-out",))
    settings = bare_settings(delivery=delivery)
    settings = attrs.evolve(settings, disabled_plugins=(*settings.disabled_plugins, "left-out"))
    async with open_observatory(settings, plugins=[plugin]) as observatory:
        assert observatory.statistics().lanes.keys() == {"log"}
        assert {info.name: info.state for info in observatory.plugins()}["left-out"] == "disabled"


@pytest.mark.parametrize(
    ("delivery", "required"),
    [
        ({}, {"inbox": True, "other": False}),
        ({"required": ()}, {"inbox": False, "other": False}),
        ({"required": ("other",)}, {"inbox": False, "other": True}),
        ({"disabled": ("inbox", "log")}, {"other": False}),
    ],
)
async def test_which_lanes_are_required(
    bare_settings: Any, delivery: dict[str, Any], required: dict[str, bool]
) -> None:
    """`inbox` is required where it is there and nobody says otherwise."""
    plugin = observatory_plugin(
        "p", channels={"inbox": lambda context: RecordingChannel(), "other": lambda context: RecordingChannel()}
    )
    async with open_observatory(bare_settings(delivery=DeliverySettings(**delivery)), plugins=[plugin]) as observatory:
        lanes = observatory.statistics().lanes
    assert {name: lane.required for name, lane in lanes.items()} == required


async def test_another_storage_backend(bare_settings: Any) -> None:
    """The settings choose among the backends that plugins have registered."""
    storage = MemoryStorage()
    plugin = observatory_plugin("p", storage={"mine": lambda context: storage})
    settings = bare_settings(storage=StorageSettings(backend="mine"))
    async with open_observatory(settings, plugins=[plugin]) as observatory:
        await observatory.mailbox.send_message("a", "b", "hello")
    async with open_observatory(settings, plugins=[plugin]) as observatory:
        assert observatory.mailbox.unread_count("a") == 1


async def test_policies(bare_settings: Any) -> None:
    """What plugins register is asked on every send, in the order of registration."""

    def add(letter: str) -> Any:
        return lambda draft: attrs.evolve(draft, content=draft.content + letter)

    plugins = [observatory_plugin(f"p{letter}", policies={f"add-{letter}": add(letter)}) for letter in "xyz"]
    async with open_observatory(bare_settings(), plugins=plugins) as observatory:
        receipt = await observatory.mailbox.send_message("a", "b", "abc")
    assert receipt.message.content == "abcxyz"
    assert Draft("a", "b", "abc").content == "abc"


async def test_the_clock(bare_settings: Any, autojump_clock: MockClock) -> None:
    """Timestamps come from the clock that was handed over, else from the system's."""
    start = datetime(2030, 1, 1, tzinfo=UTC)
    async with open_observatory(bare_settings(), clock=TrioClock(start)) as observatory:
        await trio.sleep(3_600)
        receipt = await observatory.mailbox.send_message("a", "b", "hello")
    assert receipt.message.timestamp.hour == 1
    async with open_observatory(bare_settings()) as observatory:
        assert type(observatory.clock) is Clock


async def test_two_in_one_process(bare_settings: Any, tmp_path: Any) -> None:
    """Two Observatories, even with the same plugin, do not see each other."""
    plugin = Plugin()
    async with (
        open_observatory(bare_settings(root=tmp_path / "1"), plugins=[plugin]) as one,
        open_observatory(bare_settings(root=tmp_path / "2"), plugins=[plugin]) as two,
        two.pubsub.subscribe("agent:a") as subscription,
    ):
        await one.mailbox.send_message("a", "b", "hello")
        await one.notes.add_note("key", "text")
        assert two.mailbox.get_stats() == {}
        assert two.notes.get_note("key") is None
        assert subscription.statistics().pending == 0
        assert two.statistics().lanes["keep"].delivered == 0
        assert one.pubsub.epoch != two.pubsub.epoch
        assert one.module(Tally) is not two.module(Tally)
    assert one.pubsub.closed
    assert two.pubsub.closed
