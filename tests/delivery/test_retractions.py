"""Retractions: what acknowledging does to deliveries."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import DeliveryError, Failed, Job, Outcome, Post, Retraction
from observatory.testing import FailingChannel, RecordingChannel


async def test_taken_back(open_with: Any) -> None:
    """What is acknowledged is gone from the delivery channel when `mark_read` returns."""
    channel = RecordingChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        first, second = [(await observatory.mailbox.send_message("a", "x", text)).message for text in "12"]
        await observatory.mailbox.mark_read("a", first.id)
        assert channel.delivered == [second]
        await observatory.mailbox.clear_messages("a")
        assert channel.delivered == []


async def test_a_pending_write_is_cancelled(open_with: Any, gated_channel: Any) -> None:
    """A message that is acknowledged before its turn came never reaches the delivery channel."""
    async with open_with({"c": gated_channel}) as observatory:
        await observatory.mailbox.send_message("b", "x", "keeps the lane busy")
        await wait_all_tasks_blocked()
        message = (await observatory.mailbox.send_message("a", "x", "hello")).message
        await observatory.mailbox.mark_read("a", message.id)
        gated_channel.gate.set()
        await wait_all_tasks_blocked()
        assert observatory.statistics().lanes["c"].dropped == 1
    assert gated_channel.jobs[1:] == [Retraction("a", message.id)]


async def test_who_waits_for_a_cancelled_write_hears_of_it(open_with: Any, gated_channel: Any) -> None:
    """The receipt of a message that was acknowledged first says that it was dropped, and why."""
    async with open_with({"c": gated_channel}, required=("c",)) as observatory, trio.open_nursery() as nursery:

        async def send() -> None:
            with pytest.raises(DeliveryError, match="c is dropped: acknowledged before it was delivered"):
                await observatory.mailbox.send_message("a", "x", "hello", require=["c"])

        nursery.start_soon(observatory.mailbox.send_message, "b", "x", "keeps the lane busy")
        await wait_all_tasks_blocked()
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        nursery.start_soon(observatory.mailbox.clear_messages, "a")
        await wait_all_tasks_blocked()
        gated_channel.gate.set()


async def test_a_retry_is_cancelled(open_with: Any, autojump_clock: MockClock) -> None:
    """A message that is acknowledged while it backs off is not tried again."""
    channel = FailingChannel(times=1)
    async with open_with({"c": channel}) as observatory:
        message = (await observatory.mailbox.send_message("a", "x", "hello")).message
        await wait_all_tasks_blocked()
        await observatory.mailbox.mark_read("a", message.id)
        await trio.sleep(1)
    assert [type(job) for job in channel.jobs] == [Post, Retraction]


async def test_in_order(open_with: Any, gated_channel: Any) -> None:
    """A retraction never overtakes the post that it takes back."""
    async with open_with({"c": gated_channel}) as observatory:
        message = (await observatory.mailbox.send_message("a", "x", "hello")).message
        await wait_all_tasks_blocked()
        await observatory.mailbox.mark_read("a", message.id)
        gated_channel.gate.set()
    assert gated_channel.jobs == [Post(message, 1), Retraction("a", message.id)]
    assert gated_channel.delivered == []


async def test_beside_a_failure(open_with: Any, autojump_clock: MockClock) -> None:
    """A retraction does not wait behind what fails for its recipient: it is carried out when `mark_read` returns."""
    channel = FailingChannel(times=0)
    async with open_with({"c": channel}, required=("c",)) as observatory:
        first = (await observatory.mailbox.send_message("a", "x", "1")).message
        channel.left["a"] = 1
        second = (await observatory.mailbox.send_message("a", "x", "2")).message
        now = trio.current_time()
        await observatory.mailbox.mark_read("a", first.id)
        assert trio.current_time() == now
        assert channel.delivered == []
        await trio.sleep(1)
    assert channel.delivered == [second]


async def test_the_room_is_given_back(open_with: Any, autojump_clock: MockClock) -> None:
    """A recipient whose backing-off messages were all acknowledged is free again."""
    channel = FailingChannel(times=1, raises=OSError("offline"))
    async with open_with({"c": channel}) as observatory:
        await observatory.mailbox.send_message("a", "x", "hello")
        await wait_all_tasks_blocked()
        await observatory.mailbox.clear_messages("a")
        await trio.sleep(1)
        lane = observatory.statistics().lanes["c"]
        assert (lane.queued, lane.backing_off) == (0, 0)


async def test_without_any_lane(open_with: Any) -> None:
    """In memory only there is nothing to take back, and acknowledging works all the same."""
    async with open_with({}) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        assert receipt.deliveries == {}
        await observatory.mailbox.mark_read("a", receipt.message.id)
        assert observatory.mailbox.unread_count("a") == 0


class PostsFail(RecordingChannel):
    """From a recipient's first post on nothing is tried for it any more, as soon as it is offline; waits at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.offline = False
        self.gate = trio.Event()
        self.gate.set()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Try each job in turn."""
        await self.gate.wait()
        done = await super().deliver(batch)
        failing = [self.offline and any(isinstance(each, Post) for each in batch[: at + 1]) for at in range(len(batch))]
        return [Failed("offline") if fails else outcome for fails, outcome in zip(failing, done, strict=True)]


async def test_together_with_what_is_tried_again(open_with: Any, autojump_clock: MockClock) -> None:
    """In one batch it comes before the post that its recipient waits for, and so does not fail with it."""
    channel = PostsFail()
    async with open_with({"c": channel}, required=("c",)) as observatory, trio.open_nursery() as nursery:
        first = (await observatory.mailbox.send_message("a", "x", "1")).message
        channel.offline = True
        await observatory.mailbox.send_message("a", "x", "2")
        channel.gate = trio.Event()
        nursery.start_soon(observatory.mailbox.send_message, "b", "x", "keeps the lane busy")
        await trio.sleep(1)  # the second is due
        nursery.start_soon(observatory.mailbox.mark_read, "a", first.id)
        await wait_all_tasks_blocked()
        channel.gate.set()
        await wait_all_tasks_blocked()
        together = next(batch for batch in channel.batches if Retraction("a", first.id) in batch)
        assert [type(job) for job in together] == [Retraction, Post]
        assert observatory.statistics().lanes["c"].owed == 0
        channel.offline = False


async def test_together_with_a_new_post(open_with: Any, autojump_clock: MockClock) -> None:
    """In one batch it comes before a post for the same recipient that was sent earlier, and does not fail with it."""
    channel = PostsFail()
    async with open_with({"c": channel}, required=("c",)) as observatory, trio.open_nursery() as nursery:
        first = (await observatory.mailbox.send_message("a", "x", "1")).message
        channel.gate = trio.Event()
        nursery.start_soon(observatory.mailbox.send_message, "b", "x", "keeps the lane busy")
        await wait_all_tasks_blocked()
        nursery.start_soon(observatory.mailbox.send_message, "a", "x", "2")
        await wait_all_tasks_blocked()
        nursery.start_soon(observatory.mailbox.mark_read, "a", first.id)
        await wait_all_tasks_blocked()
        channel.offline = True
        channel.gate.set()
        await wait_all_tasks_blocked()
        assert observatory.statistics().lanes["c"].owed == 0
        assert first not in channel.delivered
        channel.offline = False
