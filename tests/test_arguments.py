"""What programs hand over and ask for: checked, wherever it comes in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any

import pytest
import trio

from observatory import (
    InvalidInputError,
    Module,
    Observatory,
    Service,
    UnknownNameError,
    examine,
    load_settings,
    open_observatory,
)
from observatory.testing import RecordingChannel, observatory_plugin

Open = Callable[[], AbstractAsyncContextManager[Observatory]]


class Idle:
    """Runs and does nothing."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say that it runs, and sleep."""
        task_status.started()
        await trio.sleep_forever()


class Tally(Idle, Module):
    """A module."""


class Door(Idle, Service):
    """A service."""


@pytest.fixture
def open_here(bare_settings: Any) -> Open:
    """Return what opens an Observatory with a module, a service and a delivery channel of a plugin."""
    plugin = observatory_plugin(
        "plugin",
        channels={"keep": lambda context: RecordingChannel()},
        modules={"Tally": lambda context: Tally()},
        services={"door": lambda context: Door()},
    )
    return lambda: open_observatory(bare_settings(), plugins=[plugin])


async def test_by_name(open_here: Open) -> None:
    """Parts are found by the name they were registered under, too, since plugins do not import each other."""
    async with open_here() as obs:
        assert obs.module("Tally") is obs.module(Tally)
        assert obs.module("Mailbox") is obs.mailbox
        assert obs.service("door") is obs.service(Door)


async def test_a_name_that_there_is_not(open_here: Open) -> None:
    """The error tells the nearest one, or all there are."""
    async with open_here() as obs:
        with pytest.raises(UnknownNameError, match="there is no module 'Taly'; did you mean 'Tally'"):
            obs.module("Taly")
        with pytest.raises(UnknownNameError, match="there is no service 'Tally'; known: door"):
            obs.service("Tally")


async def test_delivery_channels(open_here: Open) -> None:
    """A delivery channel is found by its class or its name; one that the settings disable is not there."""
    async with open_here() as obs:
        assert isinstance(obs.channel("keep"), RecordingChannel)
        assert obs.channel(RecordingChannel) is obs.channel("keep")
        with pytest.raises(UnknownNameError, match="there is no delivery channel 'log'; known: keep"):
            obs.channel("log")


@pytest.mark.parametrize(
    ("which", "got"),
    [(3, "int"), (None, "NoneType"), (["door"], "list"), (int, "the class int"), (Tally, "the class Tally")],
)
async def test_by_neither_name_nor_class(open_here: Open, which: Any, got: str) -> None:
    """What is neither is refused in one line."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError) as info:
            obs.service(which)
        assert str(info.value) == f"service: expected a name or a subclass of Service, got {got}"


@pytest.mark.parametrize("id", [[], 5, None])
async def test_deliveries_of_no_message(open_here: Open, id: Any) -> None:
    """What cannot be the id of a message is refused, and not looked up."""
    async with open_here() as obs:
        with pytest.raises(
            InvalidInputError, match=f"^message_id: expected the id of a message, got {type(id).__name__}$"
        ):
            obs.deliveries(id)


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ("abc", "expected a collection of ids of messages, got the text 'abc'"),
        (5, "expected a collection of ids of messages, got int"),
        ([1], "expected the id of a message, got int"),
        ([[]], "expected the id of a message, got list"),
    ],
)
async def test_redelivering_no_ids(open_here: Open, ids: Any, reason: str) -> None:
    """What is no collection of ids is refused, and not taken for one of letters."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError) as info:
            await obs.redeliver(ids)
        assert str(info.value) == f"ids: {reason}"


ARGUMENTS = [
    ({"settings": "x"}, "settings: expected Settings, got str"),
    ({"settings": ""}, "settings: expected Settings, got str"),
    ({"clock": 3}, "clock: expected Clock, got int"),
    ({"plugins": 3}, "plugins: expected a collection of plugin objects, got int"),
    ({"plugins": "inbox"}, "plugins: expected a collection of plugin objects, got str"),
    ({"plugins": [ModuleType("one"), None]}, "plugins[1]: expected a module or an object with hooks, got NoneType"),
    ({"plugins": ["inbox"]}, "plugins[0]: expected a module or an object with hooks, got str"),
]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        *ARGUMENTS,
        ({"recover": "abc"}, "recover: expected a collection of agents, got the text 'abc'"),
        ({"recover": 5}, "recover: expected a collection of agents, got int"),
        ({"recover": [[]]}, "recover: expected a name, got list"),
    ],
)
async def test_opening_with_what_is_not_allowed(bare_settings: Any, arguments: dict[str, Any], reason: str) -> None:
    """The argument is named, with what it is and what is allowed."""
    with pytest.raises(InvalidInputError) as info:
        async with open_observatory(**{"settings": bare_settings()} | arguments):
            pytest.fail("it has opened")
    assert str(info.value) == reason


@pytest.mark.parametrize(("arguments", "reason"), ARGUMENTS)
async def test_examining_with_what_is_not_allowed(bare_settings: Any, arguments: dict[str, Any], reason: str) -> None:
    """The doctor takes the same arguments, and refuses them in the same words."""
    with pytest.raises(InvalidInputError) as info:
        await examine(**{"settings": bare_settings()} | arguments)
    assert str(info.value) == reason


@pytest.mark.parametrize(("path", "got"), [(3, "an integer"), (b"x", "a value of class bytes")])
def test_settings_from_no_path(path: Any, got: str) -> None:
    """What is no path is not read."""
    with pytest.raises(InvalidInputError, match=f"^path: expected the path of a file, got {got}$"):
        load_settings(path, environ={})
