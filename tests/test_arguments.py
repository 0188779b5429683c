"""What programs ask for: a part by its class, or by the name it was registered under."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from observatory import InvalidInputError, Module, Observatory, Service, UnknownNameError, open_observatory
from observatory.testing import RecordingChannel, observatory_plugin


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
async def obs(bare_settings: Any) -> AsyncIterator[Observatory]:
    """Give an Observatory with a module, a service and a delivery channel of a plugin."""
    plugin = observatory_plugin(
        "plugin",
        channels={"keep": lambda context: RecordingChannel()},
        modules={"Tally": lambda context: Tally()},
        services={"door": lambda context: Door()},
    )
    async with open_observatory(bare_settings(), plugins=[plugin]) as obs:
        yield obs


async def test_by_name(obs: Observatory) -> None:
    """Parts are found by the name they were registered under, too, since plugins do not import each other."""
    assert obs.module("Tally") is obs.module(Tally)
    assert obs.module("Mailbox") is obs.mailbox
    assert obs.service("door") is obs.service(Door)


async def test_a_name_that_there_is_not(obs: Observatory) -> None:
    """The error tells the nearest one, or all there are."""
    with pytest.raises(UnknownNameError, match="there is no module 'Taly'; did you mean 'Tally'"):
        obs.module("Taly")
    with pytest.raises(UnknownNameError, match="there is no service 'Tally'; known: door"):
        obs.service("Tally")


async def test_delivery_channels(obs: Observatory) -> None:
    """A delivery channel is found by its class or its name; one that the settings disable is not there."""
    assert isinstance(obs.channel("keep"), RecordingChannel)
    assert obs.channel(RecordingChannel) is obs.channel("keep")
    with pytest.raises(UnknownNameError, match="there is no delivery channel 'log'; known: keep"):
        obs.channel("log")


@pytest.mark.parametrize(
    ("which", "got"),
    [(3, "int"), (None, "NoneType"), (["door"], "list"), (int, "the class int"), (Tally, "the class Tally")],
)
async def test_by_neither_name_nor_class(obs: Observatory, which: Any, got: str) -> None:
    """What is neither is refused in one line."""
    with pytest.raises(InvalidInputError) as info:
        obs.service(which)
    assert str(info.value) == f"service: expected a name or a subclass of Service, got {got}"
