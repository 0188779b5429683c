"""Dead letters: listed, bounded, redelivered, discarded."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import ClosedError, Failed, Job, Observatory, Outcome
from observatory.testing import FailingChannel, RecordingChannel

CHANNEL = "c"


class GatedFailingChannel(FailingChannel):
    """Fails permanently, once its gate is open."""

    def __init__(self) -> None:
        super().__init__(permanent=True)
        self.gate = trio.Event()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Wait for the gate."""
        await self.gate.wait()
        return await super().deliver(batch)


def texts(observatory: Observatory) -> list[str]:
    """Return the contents of the dead letters."""
    return [letter.message.content for letter in observatory.dead_letters()]


async def send(observatory: Observatory, *texts: str, to: str = "a") -> None:
    """Send one after the other, each tried before the next."""
    for text in texts:
        await observatory.mailbox.send_message(to, "x", text)
        await wait_all_tasks_blocked()


async def test_a_permanent_failure_is_dead_at_once(open_with: Any) -> None:
    """What cannot be helped by trying again is not tried again."""
    channel = FailingChannel(permanent=True)
    async with open_with({CHANNEL: channel}, required=(CHANNEL,)) as observatory:
        delivery = (await observatory.mailbox.send_message("a", "x", "hello")).deliveries[CHANNEL]
        assert (delivery.state, delivery.attempts, delivery.error) == ("dead", 1, "planned by the test")
    assert len(channel.batches) == 1


async def test_what_a_dead_letter_says(open_with: Any) -> None:
    """It holds the message, its number, who gave up, after how many attempts, why and when."""
    async with open_with({CHANNEL: FailingChannel(permanent=True)}, required=(CHANNEL,)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        (letter,) = observatory.dead_letters()
        assert (letter.message, letter.sequence) == (receipt.message, receipt.sequence)
        assert (letter.channel, letter.attempts, letter.error) == (CHANNEL, 1, "planned by the test")
        assert receipt.message.timestamp < letter.timestamp < observatory.clock.now()
        assert observatory.mailbox.unread_count("a") == 1


async def test_one_permanent_failure_is_not_its_neighbours(open_with: Any) -> None:
    """Messages of the same batch to others, and later ones to the same recipient, are tried."""
    channel = FailingChannel(times=0, permanent=True)
    channel.left["bad"] = 1
    async with open_with({CHANNEL: channel}) as observatory:
        await observatory.mailbox.broadcast_to_many(["bad", "good"], "x", "1")
        await wait_all_tasks_blocked()
        await send(observatory, "2", to="bad")
        assert texts(observatory) == ["1"]
    assert len(channel.delivered) == 2


async def test_a_permanent_failure_at_a_later_attempt(open_with: Any, autojump_clock: MockClock) -> None:
    """A recipient that is backing off is free again when the failure has become permanent."""

    class Worse(FailingChannel):
        async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
            outcomes = await super().deliver(batch)
            return [Failed("worse", permanent=True)] if len(self.batches) == 2 else outcomes

    channel = Worse(times=2)
    async with open_with({CHANNEL: channel}) as observatory:
        await send(observatory, "1")
        await trio.sleep(1)
        (letter,) = observatory.dead_letters()
        assert (letter.attempts, letter.error) == (2, "worse")
        await send(observatory, "2")
    assert [message.content for message in channel.delivered] == ["2"]


async def test_bounded(open_with: Any) -> None:
    """At the bound the oldest goes, and is counted."""
    async with open_with({CHANNEL: FailingChannel(permanent=True)}, dead_letters=2) as observatory:
        await send(observatory, *"12345")
        assert texts(observatory) == ["4", "5"]
        assert observatory.statistics().forgotten_dead_letters == 3
        assert observatory.statistics().lanes[CHANNEL].dead == 5


async def test_redelivered(open_with: Any) -> None:
    """Once the fault is mended, dead letters can be brought to their delivery channel again."""
    channel = FailingChannel(times=2, permanent=True)
    async with open_with({CHANNEL: channel}) as observatory:
        await send(observatory, "1", "2")
        assert await observatory.redeliver() == 2
        assert observatory.dead_letters() == ()
        await wait_all_tasks_blocked()
        assert await observatory.redeliver() == 0
    assert [message.content for message in channel.delivered] == ["1", "2"]


async def test_redelivered_out_of_order(open_with: Any) -> None:
    """What is redelivered arrives after what was sent meanwhile."""
    channel = FailingChannel(times=1, permanent=True)
    async with open_with({CHANNEL: channel}) as observatory:
        await send(observatory, "1", "2")
        await observatory.redeliver()
    assert [message.content for message in channel.delivered] == ["2", "1"]


async def test_redelivered_by_id(open_with: Any) -> None:
    """Only the messages that are named are tried again, and unknown ids are no error."""
    async with open_with({CHANNEL: FailingChannel(times=3, permanent=True)}) as observatory:
        await send(observatory, *"123")
        wanted = observatory.dead_letters()[1].message.id
        assert await observatory.redeliver(id for id in (wanted, "nothing")) == 1
        assert texts(observatory) == ["1", "3"]


async def test_redelivered_and_dead_again(open_with: Any) -> None:
    """A redelivery that fails is a dead letter again, the newest."""
    async with open_with({CHANNEL: FailingChannel(permanent=True)}) as observatory:
        await send(observatory, "1", "2")
        await observatory.redeliver([observatory.dead_letters()[0].message.id])
        await wait_all_tasks_blocked()
        assert texts(observatory) == ["2", "1"]


async def test_redelivered_as_far_as_there_is_room(open_with: Any) -> None:
    """What has no room in its lane stays a dead letter."""
    channel = GatedFailingChannel()
    channel.gate.set()
    async with open_with({CHANNEL: channel}, lane_capacity=3, drain=0.0) as observatory:
        await send(observatory, *"12345")
        channel.gate = trio.Event()
        await send(observatory, "6")
        assert await observatory.redeliver() == 2
        assert texts(observatory) == ["3", "4", "5"]
        assert observatory.statistics().lanes[CHANNEL].dropped == 0


async def test_one_message_dead_in_two_lanes(open_with: Any) -> None:
    """Each delivery channel has its own dead letter of a message, and its own redelivery."""
    channels = {"c": FailingChannel(1, permanent=True), "d": FailingChannel(1, permanent=True), "e": RecordingChannel()}
    async with open_with(channels) as observatory:
        await send(observatory, "1")
        assert sorted(letter.channel for letter in observatory.dead_letters()) == ["c", "d"]
        assert await observatory.redeliver() == 2
    assert [len(channel.delivered) for channel in channels.values()] == [1, 1, 1]


async def test_discarded_when_acknowledged(open_with: Any) -> None:
    """What its recipient has read needs no delivery any more."""
    async with open_with({CHANNEL: FailingChannel(permanent=True)}) as observatory:
        await send(observatory, "1", "2")
        await observatory.mailbox.mark_read("a", observatory.dead_letters()[0].message.id)
        assert texts(observatory) == ["2"]
        await observatory.mailbox.clear_messages("a")
        assert texts(observatory) == []


async def test_acknowledged_while_the_last_attempt_runs(open_with: Any) -> None:
    """A message that was read before its delivery was given up is no dead letter."""
    channel = GatedFailingChannel()
    async with open_with({CHANNEL: channel}) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        await wait_all_tasks_blocked()
        await observatory.mailbox.mark_read("a", receipt.message.id)
        channel.gate.set()
        await wait_all_tasks_blocked()
        assert observatory.dead_letters() == ()
        assert observatory.statistics().lanes[CHANNEL].dropped == 1


async def test_closed(open_with: Any) -> None:
    """After the block nothing is redelivered."""
    async with open_with({CHANNEL: FailingChannel(permanent=True)}) as observatory:
        await send(observatory, "1")
    with pytest.raises(ClosedError, match="nothing is delivered any more"):
        await observatory.redeliver()
    assert texts(observatory) == ["1"]
