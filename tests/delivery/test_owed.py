"""Retractions that failed for a whole schedule: they are owed, and carried out once that can be done."""

import logging
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import LaneStatistics, Message, Observatory
from observatory.testing import FailingChannel, StuckChannel


async def owe(observatory: Observatory, channel: FailingChannel, *, count: int = 1) -> list[Message]:
    """Deliver messages to `a`, and acknowledge them while the delivery channel fails, for as long as it is tried."""
    channel.left["a"] = 0
    messages = [(await observatory.mailbox.send_message("a", "x", str(number))).message for number in range(count)]
    await wait_all_tasks_blocked()
    assert channel.delivered == messages
    channel.left["a"] = math.inf
    await observatory.mailbox.mark_read("a", *(message.id for message in messages))
    await trio.sleep(46)
    assert lane_of(observatory).owed == count
    return messages


def lane_of(observatory: Observatory) -> LaneStatistics:
    """Return the figures of the lane."""
    return observatory.statistics().lanes["c"]


async def test_the_log_tells(open_with: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried like a post; then the log tells, and there is no dead letter."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        (message,) = await owe(observatory, channel)
        assert observatory.dead_letters() == ()
        assert lane_of(observatory).dead == 0
        assert len(channel.batches) == 11
        channel.left["a"] = 0
    assert caplog.record_tuples[-1] == (
        "observatory.delivery",
        logging.WARNING,
        f"c could not take back message {message.id} of 'a' yet: planned by the test",
    )


async def test_the_recipient_can_be_reached_again(open_with: Any, autojump_clock: MockClock) -> None:
    """With the next delivery that succeeds, everything that is owed to this recipient is carried out."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel, count=3)
        channel.left["a"] = 0
        new = (await observatory.mailbox.send_message("a", "x", "new")).message
        await wait_all_tasks_blocked()
        assert channel.delivered == [new]
        assert lane_of(observatory).owed == 0


async def test_somebody_else_can_be_reached(open_with: Any, autojump_clock: MockClock) -> None:
    """A delivery to another recipient is no sign."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel)
        channel.left["b"] = channel.left["a"] = 0
        await observatory.mailbox.send_message("b", "x", "hello")
        await wait_all_tasks_blocked()
        assert lane_of(observatory).owed == 1


async def test_tried_from_time_to_time(open_with: Any, autojump_clock: MockClock) -> None:
    """Without any delivery, one for each recipient is tried every 45 seconds, and the others follow it."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel, count=3)
        tried = len(channel.batches)
        channel.left["a"] = 0
        await trio.sleep(45)
        assert channel.delivered == []
        assert [len(batch) for batch in channel.batches[tried:]] == [1, 2]


async def test_still_out_of_reach(open_with: Any, autojump_clock: MockClock) -> None:
    """What fails again is owed again, one attempt following the other in the schedule of retries."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",), drain=0.0) as observatory:
        await owe(observatory, channel, count=3)
        tried = len(channel.batches)
        await trio.sleep(45 + 46)
        assert lane_of(observatory).owed == 3
        assert {len(batch) for batch in channel.batches[tried:]} == {1}


async def test_redelivered(open_with: Any, autojump_clock: MockClock) -> None:
    """Whoever has dead letters tried again has what is owed tried as well."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel)
        channel.left["a"] = 0
        assert await observatory.redeliver() == 0
        await wait_all_tasks_blocked()
        assert channel.delivered == []


async def test_closing(open_with: Any, autojump_clock: MockClock) -> None:
    """At a clean end it is tried once more."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel)
        channel.left["a"] = 0
    assert channel.delivered == []
    assert observatory.undelivered == 0


async def test_what_is_owed_at_the_end_is_counted(open_with: Any, autojump_clock: MockClock) -> None:
    """What could not be taken back is not delivered as it should be."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",), drain=0.0) as observatory:
        await owe(observatory, channel, count=2)
    assert observatory.undelivered == 2


async def test_it_outlives_the_share_of_a_recipient(open_with: Any, autojump_clock: MockClock) -> None:
    """A recipient that backs off holds a tenth of the lane; retractions beyond that are owed at once."""
    channel = FailingChannel(times=0)
    async with open_with({"c": channel}, required=("c",), lane_capacity=20) as observatory:
        messages = [(await observatory.mailbox.send_message("a", "x", "")).message for _ in range(5)]
        channel.left["a"] = 1
        await observatory.mailbox.mark_read("a", *(message.id for message in messages))
        assert (lane_of(observatory).owed, lane_of(observatory).backing_off) == (3, 2)
        await trio.sleep(1)
        assert channel.delivered == []


async def test_it_outlives_a_full_lane(open_with: Any, autojump_clock: MockClock) -> None:
    """A lane that drops its oldest posts keeps the retractions among them."""
    async with open_with({"c": StuckChannel()}, lane_capacity=4, drain=0.0) as observatory:
        for _ in range(6):
            receipt = await observatory.mailbox.send_message("a", "x", "")
            await observatory.mailbox.mark_read("a", receipt.message.id)
            await wait_all_tasks_blocked()
        lane = lane_of(observatory)
        assert (lane.owed, lane.dropped, lane.queued) == (4, 4, 4)


async def test_bounded(open_with: Any, autojump_clock: MockClock) -> None:
    """As many are kept as dead letters are; then the oldest goes, and is counted."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",), dead_letters=2) as observatory:
        channel.left["a"] = 0
        messages = [(await observatory.mailbox.send_message("a", "x", "")).message for _ in range(3)]
        channel.left["a"] = math.inf
        await observatory.mailbox.mark_read("a", *(message.id for message in messages))
        await trio.sleep(46)
        assert (lane_of(observatory).owed, lane_of(observatory).forgotten) == (2, 1)
        channel.left["a"] = 0
    assert channel.delivered == messages[:1]


async def test_permanent(open_with: Any, autojump_clock: MockClock) -> None:
    """What is said to be of no use is owed as well, and does not keep the lane busy."""
    channel = FailingChannel(times=0, permanent=True)
    async with open_with({"c": channel}, required=("c",)) as observatory:
        first, second = [(await observatory.mailbox.send_message("a", "x", text)).message for text in "12"]
        channel.left["a"] = 1
        await observatory.mailbox.mark_read("a", first.id)
        assert lane_of(observatory).owed == 1
        await observatory.mailbox.mark_read("a", second.id)
        await wait_all_tasks_blocked()
        assert channel.delivered == []
