"""The figures of a whole Observatory, in one value."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import Identity, Module, RateLimitError, SecuritySettings, open_observatory
from observatory.testing import RecordingChannel, observatory_plugin


class Stumbling(Module):
    """A module that fails once it runs, and when it is started again, does not."""

    def __init__(self) -> None:
        self._fails = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fail, or run."""
        task_status.started()
        if self._fails:
            self._fails = False
            raise RuntimeError("stumbled")
        await trio.sleep_forever()


async def test_what_was_done(bare_settings: Any) -> None:
    """By the Mailbox, pub/sub, lanes and delivery channels."""
    plugin = observatory_plugin("keeping", channels={"keep": lambda context: RecordingChannel()})
    async with open_observatory(bare_settings(), plugins=[plugin]) as observatory:
        await observatory.mailbox.send_message("a", "b", "hello")
        statistics = observatory.statistics()
    assert statistics.mailbox.messages == 1
    assert statistics.pubsub.published > 0
    assert statistics.lanes["keep"].capacity == 10_000
    assert statistics.channels == {"keep": {}}
    assert statistics.forgotten_dead_letters == 0


async def test_what_went_wrong(bare_settings: Any, autojump_clock: MockClock) -> None:
    """Who has asked for too much, and what was started again."""
    settings = bare_settings(security=SecuritySettings(requests_per_second=1, burst=1))
    plugin = observatory_plugin("stumbling", modules={"Stumbling": lambda context: Stumbling()})
    async with open_observatory(settings, plugins=[plugin]) as observatory:
        observatory.security.admit(Identity("ann"))
        with pytest.raises(RateLimitError):
            observatory.security.admit(Identity("ann"))
        await trio.sleep(1)
        statistics = observatory.statistics()
    assert statistics.restarts == {
        "module:Mailbox": 0,
        "module:SwarmMonitor": 0,
        "module:ProtocolTracker": 0,
        "module:Notes": 0,
        "module:Presence": 0,
        "module:Stumbling": 1,
    }
    assert statistics.rate_limited == 1
