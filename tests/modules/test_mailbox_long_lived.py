"""What must hold for a Mailbox that runs for long, beside parts that misbehave."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    DeliverySettings,
    Entry,
    MailboxSettings,
    MemoryStorage,
    Message,
    Observatory,
    OutcomeUnknownError,
    PubSubSettings,
    open_observatory,
)
from observatory.testing import FailingChannel, StuckChannel, observatory_plugin

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class ForgetsANumber(MemoryStorage):
    """Gives one number too few, once."""

    forgets = True

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit the batch, and be wrong about it."""
        numbers = await super().append(batch)
        if self.forgets and numbers:
            self.forgets = False
            return numbers[1:]
        return numbers


async def test_a_stuck_delivery_channel_does_not_hold_what_has_left(bare_settings: Any) -> None:
    """What was removed from a mailbox is free, although a lane holds one of its neighbours."""
    settings = bare_settings(
        mailbox=MailboxSettings(max_messages=5),
        delivery=DeliverySettings(lane_capacity=5),
        pubsub=PubSubSettings(replay_events=0),
    )
    plugin = observatory_plugin("stuck", channels={"stuck": lambda context: StuckChannel()})
    with trio.CancelScope() as scope:
        async with open_observatory(settings, plugins=[plugin]) as obs:
            for number in range(200):
                receipt = await obs.mailbox.send_message("a", "x", str(number), type="long-lived")
                await obs.mailbox.mark_read("a", receipt.message.id)
            del receipt
            gc.collect()
            held = [one for one in gc.get_objects() if isinstance(one, Message) and one.type == "long-lived"]
            scope.cancel()
    assert len({message.id for message in held}) < 50


async def test_a_backend_that_gives_too_few_numbers(open_here: Open, autojump_clock: MockClock) -> None:
    """Nobody waits for ever: the outcome is unknown, and the table is filled again from what was committed."""
    async with open_here(storage=ForgetsANumber()) as obs:
        with pytest.raises(OutcomeUnknownError):
            await obs.mailbox.send_message("a", "x", "first")
        await obs.mailbox.send_message("a", "x", "second")
        assert [message.content for message in obs.mailbox.get_messages("a")] == ["second", "first"]


async def test_an_age_that_means_never(open_here: Open, autojump_clock: MockClock) -> None:
    """A cleanup that would reach back before the calendar begins removes nothing, and breaks nothing."""
    async with open_here(mailbox={"cleanup_age": 1e12}) as obs:
        receipt = await obs.mailbox.send_message("a", "x", "")
        await obs.mailbox.mark_read("a", receipt.message.id)
        await trio.sleep(1_000)
        assert len(obs.mailbox.get_messages("a")) == 1
        assert all(child.restarts == 0 for child in obs.health().children)


async def test_a_broadcast_does_not_wait_for_who_backs_off(bare_settings: Any, autojump_clock: MockClock) -> None:
    """A batch as large as the lane goes on beside a recipient that fails."""
    channel = FailingChannel(0)
    channel.left["broken"] = math.inf
    settings = bare_settings(delivery=DeliverySettings(lane_capacity=20, required=("failing",)))
    plugin = observatory_plugin("failing", channels={"failing": lambda context: channel})
    with trio.CancelScope() as scope:
        async with open_observatory(settings, plugins=[plugin]) as obs:
            await obs.mailbox.send_message("broken", "x", "")
            before = trio.current_time()
            await obs.mailbox.broadcast_to_many([f"a{number}" for number in range(20)], "x", "")
            assert trio.current_time() == before
            scope.cancel()


async def test_any_limit_is_allowed(open_here: Open) -> None:
    """A limit beyond what a list can hold is as good as none."""
    async with open_here() as obs:
        receipt = await obs.mailbox.send_message("a", "x", "")
        assert obs.mailbox.get_messages("a", limit=2**64) == [receipt.message]
