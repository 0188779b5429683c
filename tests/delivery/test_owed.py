"""Retractions that fail: they are owed, hold up nothing, and are carried out once that can be done."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import Failed, Job, LaneStatistics, Message, Observatory, Outcome, Retraction
from observatory.testing import FailingChannel, RecordingChannel, StuckChannel


class StubbornChannel(FailingChannel):
    """Cannot take one message back.

    Attributes:
        stuck: its id.
        tries: one item for each time that it was asked to.
    """

    def __init__(self) -> None:
        super().__init__(times=0)
        self.stuck = ""
        self.tries: list[Job] = []

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Carry out what can be."""
        stuck = Retraction("a", self.stuck)
        self.tries += [job for job in batch if job == stuck]
        outcomes = iter(await super().deliver([job for job in batch if job != stuck]))
        return [Failed("it is stuck") if job == stuck else next(outcomes) for job in batch]


async def owe(observatory: Observatory, channel: FailingChannel, *, count: int = 1) -> list[Message]:
    """Deliver messages to `a`, and acknowledge them while the delivery channel fails, for a minute."""
    channel.left["a"] = 0
    messages = [(await observatory.mailbox.send_message("a", "x", str(number))).message for number in range(count)]
    await wait_all_tasks_blocked()
    assert channel.delivered == messages
    channel.left["a"] = math.inf
    await observatory.mailbox.mark_read("a", *(message.id for message in messages))
    await trio.sleep(60)
    assert lane_of(observatory).owed == count
    return messages


def lane_of(observatory: Observatory) -> LaneStatistics:
    """Return the figures of the lane."""
    return observatory.statistics().lanes["c"]


async def test_the_log_tells(open_with: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """Once for each recipient; there is no dead letter, and nobody waits."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel, count=3)
        assert observatory.dead_letters() == ()
        assert (lane_of(observatory).dead, lane_of(observatory).backing_off) == (0, 0)
        channel.left["a"] = 0
    assert caplog.record_tuples == [
        ("observatory.delivery", logging.WARNING, "c cannot take back messages of 'a' yet: planned by the test")
    ]


async def test_tried_again_less_and_less_often(open_with: Any, autojump_clock: MockClock) -> None:
    """One for each recipient is tried, after pauses that double up to 45 seconds."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",), drain=0.0) as observatory:
        await owe(observatory, channel, count=3)
        first, *later = [len(batch) for batch in channel.batches[3:]]
        assert (first, set(later)) == (3, {1})
        assert 8 <= len(later) <= 11
        tried = len(channel.batches)
        await trio.sleep(450)
        assert 10 <= len(channel.batches) - tried <= 20


async def test_the_others_follow_at_once(open_with: Any, autojump_clock: MockClock) -> None:
    """When one of a recipient's was carried out, so are the others."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel, count=3)
        tried = len(channel.batches)
        channel.left["a"] = 0
        await trio.sleep(45)
        assert channel.delivered == []
        assert [len(batch) for batch in channel.batches[tried:]] == [1, 2]
        assert lane_of(observatory).owed == 0


async def test_posts_are_not_held_up(open_with: Any, autojump_clock: MockClock) -> None:
    """A message that can never be taken back keeps no other from being delivered or taken back."""
    channel = StubbornChannel()
    async with open_with({"c": channel}, required=("c",), drain=0.0) as observatory:
        stuck = (await observatory.mailbox.send_message("a", "x", "stuck")).message
        channel.stuck = stuck.id
        await observatory.mailbox.mark_read("a", stuck.id)
        for number in range(100):
            receipt = await observatory.mailbox.send_message("a", "x", str(number))
            assert receipt.deliveries["c"].state == "written"
            await observatory.mailbox.mark_read("a", receipt.message.id)
            await trio.sleep(1)
        assert channel.delivered == [stuck]
        assert len(channel.tries) < 20
        assert (lane_of(observatory).owed, lane_of(observatory).dead) == (1, 0)


async def test_one_that_is_stuck_among_others(open_with: Any, autojump_clock: MockClock) -> None:
    """The others are carried out although the first of them never can be."""
    channel = StubbornChannel()
    async with open_with({"c": channel}, required=("c",), drain=0.0) as observatory:
        messages = [(await observatory.mailbox.send_message("a", "x", "")).message for _ in range(5)]
        channel.stuck = messages[0].id
        channel.left["a"] = 1
        await observatory.mailbox.mark_read("a", *(message.id for message in messages))
        await trio.sleep(60)
        assert channel.delivered == messages[:1]


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


async def test_it_takes_no_room_from_posts(open_with: Any, autojump_clock: MockClock) -> None:
    """A recipient that backs off holds a tenth of the lane in posts, however many retractions are owed."""
    channel = FailingChannel(times=0)
    async with open_with({"c": channel}, required=("c",), lane_capacity=20) as observatory:
        messages = [(await observatory.mailbox.send_message("a", "x", "")).message for _ in range(5)]
        channel.left["a"] = 2
        failing = await observatory.mailbox.send_message("a", "x", "")
        await observatory.mailbox.mark_read("a", *(message.id for message in messages))
        waiting = await observatory.mailbox.send_message("a", "x", "")
        assert (lane_of(observatory).owed, lane_of(observatory).backing_off) == (5, 2)
        await trio.sleep(2)
        assert channel.delivered == [failing.message, waiting.message]


async def test_it_outlives_a_full_lane(open_with: Any, autojump_clock: MockClock) -> None:
    """A lane that drops its oldest posts keeps all retractions, and drops no post for one."""
    async with open_with({"c": StuckChannel()}, lane_capacity=4, drain=0.0) as observatory:
        for _ in range(6):
            receipt = await observatory.mailbox.send_message("a", "x", "")
            await observatory.mailbox.mark_read("a", receipt.message.id)
            await wait_all_tasks_blocked()
        lane = lane_of(observatory)
        assert (lane.owed, lane.dropped, lane.queued) == (6, 2, 4)


async def test_bounded(open_with: Any, autojump_clock: MockClock) -> None:
    """As many are kept as dead letters are; then one of the recipient that is owed longest goes, and is counted."""
    channel = FailingChannel(times=0)
    async with open_with({"c": channel}, required=("c",), dead_letters=2) as observatory:
        messages = [(await observatory.mailbox.send_message(to, "x", "")).message for to in "aab"]
        channel.left["a"] = channel.left["b"] = math.inf
        await observatory.mailbox.mark_read("a", messages[0].id, messages[1].id)
        await observatory.mailbox.mark_read("b", messages[2].id)
        assert (lane_of(observatory).owed, lane_of(observatory).forgotten) == (2, 1)
        channel.left["a"] = channel.left["b"] = 0
    assert len(channel.delivered) == 1
    assert channel.delivered[0].to == "a"


async def test_beside_a_full_lane(open_with: Any, autojump_clock: MockClock) -> None:
    """What is owed and tried while a lane that is not required is full breaks nothing."""
    channel = FailingChannel(times=0)
    async with open_with({"c": channel}, lane_capacity=10, drain=0.0) as observatory:
        message = (await observatory.mailbox.send_message("z", "x", "")).message
        await wait_all_tasks_blocked()
        for to in "zabcdefghij":
            channel.left[to] = math.inf
        await observatory.mailbox.mark_read("z", message.id)
        for _ in range(20):
            for to in "abcdefghij":
                await observatory.mailbox.send_message(to, "x", "")
            await trio.sleep(1)
        assert observatory.health().healthy


async def test_closing_beside_a_stuck_lane(open_with: Any, autojump_clock: MockClock) -> None:
    """What one lane owes is tried at a clean end, although another lane is stuck then."""
    channel = FailingChannel()
    async with open_with({"a": StuckChannel(), "c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel)
        channel.left["a"] = 0
    assert channel.delivered == []


async def test_closing_does_not_wait_for_the_impossible(open_with: Any, autojump_clock: MockClock) -> None:
    """At a clean end what is owed is tried once, and not for the rest of the time."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await owe(observatory, channel, count=3)
        now = trio.current_time()
    assert trio.current_time() == now
    assert observatory.undelivered == 3


async def test_bounded_and_then_reachable(open_with: Any, autojump_clock: MockClock) -> None:
    """A recipient of which one had to go at the bound is tried again like any other."""
    channel = FailingChannel(times=0)
    async with open_with({"c": channel}, required=("c",), dead_letters=1) as observatory:
        messages = [(await observatory.mailbox.send_message(to, "x", "")).message for to in "aba"]
        channel.left["a"] = channel.left["b"] = math.inf
        for message in messages:
            await observatory.mailbox.mark_read(message.to, message.id)
        assert (lane_of(observatory).owed, lane_of(observatory).forgotten) == (1, 2)
        channel.left["a"] = channel.left["b"] = 0
        await trio.sleep(60)
        assert lane_of(observatory).owed == 0
        assert channel.delivered == messages[:2]


async def test_each_with_its_own_reason(open_with: Any, autojump_clock: MockClock) -> None:
    """A post that fails together with a retraction says why it has failed itself."""

    class Particular(RecordingChannel):
        broken = False
        gate = trio.Event()

        async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
            if not self.broken:
                return await super().deliver(batch)
            await self.gate.wait()
            return [Failed(type(job).__name__) for job in batch]

    channel = Particular()
    async with open_with({"c": channel}, drain=0.0) as observatory:
        first = (await observatory.mailbox.send_message("a", "x", "1")).message
        await wait_all_tasks_blocked()
        channel.broken = True
        await observatory.mailbox.send_message("b", "x", "keeps the lane busy")
        await wait_all_tasks_blocked()
        second = (await observatory.mailbox.send_message("a", "x", "2")).message
        await observatory.mailbox.mark_read("a", first.id)
        channel.gate.set()
        await wait_all_tasks_blocked()
        (record,) = observatory.deliveries(second.id)
        assert record.delivery.error == "Post"
