"""When a delivery channel is opened."""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

from observatory import Adopt, Context, Gone, Mailbox, Module, TrioClock, open_observatory
from observatory.testing import RecordingChannel, observatory_plugin


class SlowChannel(RecordingChannel):
    """Takes its time to open, and watches."""

    watches = True
    starts = 0

    async def start(self) -> None:
        """Open, slowly."""
        self.starts += 1
        await trio.sleep(1)

    async def watch(
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """See nothing."""
        task_status.started()
        await trio.sleep_forever()


class Greeting(Module):
    """Sends a message as soon as it runs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send it."""
        task_status.started()
        await self._context.module(Mailbox).send_message("a", "greeting", "hello")
        await trio.sleep_forever()


async def test_opened_once(bare_settings: Any, autojump_clock: MockClock) -> None:
    """Although it is to watch while there is something to deliver."""
    channel = SlowChannel()
    plugin = observatory_plugin("test", channels={"slow": lambda _: channel}, modules={"Greeting": Greeting})
    async with open_observatory(bare_settings(), plugins=[plugin], clock=TrioClock()):
        await trio.sleep(5)
    assert (channel.starts, len(channel.ids("a"))) == (1, 1)
