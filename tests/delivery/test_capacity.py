"""Capacity: what a full lane does to senders, and a failing recipient to the lane."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import DeliveryError, Done, Dropped, Failed, Job, Observatory, Outcome, Post
from observatory.testing import FailingChannel, RecordingChannel


class GatedChannel(FailingChannel):
    """Delivers when its gate is open; fails for those that a test names."""

    def __init__(self) -> None:
        super().__init__(times=0)
        self.gate = trio.Event()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Wait for the gate."""
        await self.gate.wait()
        return await super().deliver(batch)


class SteppedChannel(RecordingChannel):
    """Delivers a batch for each release."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = trio.Semaphore(0)

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Wait for a release."""
        await self.steps.acquire()
        return await super().deliver(batch)


class ForgetfulChannel(GatedChannel):
    """Does something else the first time that it is told of dropped posts."""

    def __init__(self, fail: Callable[[Sequence[Outcome]], Sequence[Outcome]]) -> None:
        super().__init__()
        self._fail: Callable[[Sequence[Outcome]], Sequence[Outcome]] | None = fail

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Fail once."""
        outcomes = await super().deliver(batch)
        if isinstance(batch[0], Dropped) and self._fail is not None:
            fail, self._fail = self._fail, None
            return fail(outcomes)
        return outcomes


def fail_at_the_batch(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Fail with everything."""
    raise OSError("full")


def fail_at_the_marker(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Fail with nothing but the marker."""
    return [Failed("full"), *outcomes[1:]]


def contents(jobs: Sequence[Job]) -> list[str | int]:
    """Shorten jobs: a post's content, and how many were dropped."""
    return [job.message.content if isinstance(job, Post) else job.count for job in jobs if not hasattr(job, "id")]


async def send(observatory: Observatory, *texts: str, to: str = "a") -> None:
    """Send one after the other, each on its way before the next."""
    for text in texts:
        await observatory.mailbox.send_message(to, "x", text)
        await wait_all_tasks_blocked()


async def test_a_failing_recipient_holds_a_tenth(open_with: Any) -> None:
    """What goes beyond a tenth of the lane's room is a dead letter at once, never tried, and the receipt says so."""
    channel = FailingChannel()
    async with open_with({"c": channel}, required=("c",), lane_capacity=20, drain=0.0) as observatory:
        sends = [await observatory.mailbox.send_message("a", "x", text) for text in "123"]
        assert [receipt.deliveries["c"].state for receipt in sends] == ["retrying", "queued", "dead"]
        (letter,) = observatory.dead_letters()
        assert (letter.message.content, letter.attempts) == ("3", 0)
        assert letter.error == sends[2].deliveries["c"].error
        assert letter.error == "too many deliveries wait for this recipient: planned by the test"


async def test_a_first_failure_keeps_a_tenth(open_with: Any) -> None:
    """When more fails at once than a recipient may hold, the oldest are tried again."""
    channel = GatedChannel()
    channel.left["a"] = 100
    async with open_with({"c": channel}, lane_capacity=20, drain=0.0) as observatory:
        await send(observatory, "0", to="b")
        await send(observatory, *"12345")
        channel.gate.set()
        await wait_all_tasks_blocked()
        assert [letter.message.content for letter in observatory.dead_letters()] == ["3", "4", "5"]
        assert {letter.attempts for letter in observatory.dead_letters()} == {1}
        assert observatory.statistics().lanes["c"].backing_off == 2


async def test_what_is_tried_again_counts_as_held(open_with: Any, autojump_clock: MockClock) -> None:
    """Newcomers do not take the places of those that are in hand for another attempt."""
    channel = GatedChannel()
    channel.left["a"] = 100
    async with open_with({"c": channel}, lane_capacity=20, drain=0.0) as observatory:
        channel.gate.set()
        await send(observatory, "1", "2")
        channel.gate = trio.Event()
        await send(observatory, "0", to="b")
        await send(observatory, "3", "4")
        await trio.sleep(1)  # now both are due, and the lane finds the newcomers with them
        channel.gate.set()
        await trio.sleep(0.001)
        assert [letter.message.content for letter in observatory.dead_letters()] == ["3", "4"]


async def test_a_full_required_lane_holds_back_before_the_commit(open_with: Any) -> None:
    """A sender waits while there is no room, and until then its message is nowhere."""
    channel = GatedChannel()
    async with open_with({"c": channel}, required=("c",), lane_capacity=2) as observatory:
        async with observatory.pubsub.subscribe("agent:a") as subscription, trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(observatory.mailbox.send_message, "a", "x", str(number))
                await wait_all_tasks_blocked()
            assert observatory.mailbox.agent_stats("a").total == 2
            assert subscription.statistics().pending == 2
            assert observatory.statistics().lanes["c"].queued == 2
            channel.gate.set()
        assert observatory.mailbox.agent_stats("a").total == 4
    assert contents(channel.jobs) == ["0", "1", "2", "3"]


async def test_held_back_and_cancelled(open_with: Any) -> None:
    """A sender that gives up before there is room leaves nothing behind."""
    channel = GatedChannel()
    options = {"required": ("c",), "lane_capacity": 1}
    async with open_with({"c": channel}, **options) as observatory, trio.open_nursery() as nursery:
        nursery.start_soon(observatory.mailbox.send_message, "a", "x", "1")
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as impatient:
            impatient.start_soon(observatory.mailbox.send_message, "a", "x", "2")
            await wait_all_tasks_blocked()
            impatient.cancel_scope.cancel()
        channel.gate.set()
    assert contents(channel.jobs) == ["1"]


async def test_more_than_the_lane_could_ever_hold(open_with: Any) -> None:
    """A broadcast that is larger than the lane goes through once the lane is empty."""
    channel = GatedChannel()
    channel.gate.set()
    async with open_with({"c": channel}, required=("c",), lane_capacity=2) as observatory:
        outcomes = await observatory.mailbox.broadcast_to_many(list("abcde"), "x", "hello")
        assert [outcome.deliveries["c"].state for outcome in outcomes] == ["written"] * 5


async def test_a_lane_that_is_not_required_drops_its_oldest(open_with: Any) -> None:
    """It never holds a sender back; the delivery channel is told how many are missing, where they are missing."""
    channel = GatedChannel()
    async with open_with({"c": channel}, lane_capacity=3) as observatory:
        await send(observatory, *"123456789")
        lane = observatory.statistics().lanes["c"]
        assert (lane.dropped, lane.queued, lane.capacity, lane.required) == (6, 3, 3, False)
        channel.gate.set()
    assert [contents(batch) for batch in channel.batches] == [["1"], [6, "8", "9"]]


async def test_a_dropped_post_is_no_failure(open_with: Any) -> None:
    """What was dropped is no dead letter, and the Observatory stays healthy."""
    async with open_with({"c": GatedChannel()}, lane_capacity=1, drain=0.0) as observatory:
        await send(observatory, *"123")
        assert observatory.dead_letters() == ()
        assert observatory.health().healthy


async def test_who_waits_for_a_dropped_post_hears_of_it(open_with: Any) -> None:
    """`require` may name a lane that drops; then the error's receipt says that it did."""
    errors: list[DeliveryError] = []

    async def send_and_wait(observatory: Observatory) -> None:
        with pytest.raises(DeliveryError, match="c is dropped: the lane was full") as info:
            await observatory.mailbox.send_message("a", "x", "2", require=["c"])
        errors.append(info.value)

    async with open_with({"c": GatedChannel()}, lane_capacity=2, drain=0.0) as observatory:
        await send(observatory, "1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_and_wait, observatory)
            await wait_all_tasks_blocked()
            await send(observatory, "3")
    assert errors[0].receipt.deliveries["c"].state == "dropped"


async def test_a_dropped_retraction_is_not_counted_in_the_marker(open_with: Any) -> None:
    """The marker counts posts, since only they are missing."""
    channel = GatedChannel()
    async with open_with({"c": channel}, lane_capacity=2) as observatory:
        message = (await observatory.mailbox.send_message("a", "x", "1")).message
        await wait_all_tasks_blocked()
        await observatory.mailbox.mark_read("a", message.id)
        await send(observatory, "2", "3")
        channel.gate.set()
    assert contents(channel.jobs) == ["1", 1, "3"]


async def test_dropping_while_a_marker_is_given(open_with: Any) -> None:
    """What is dropped in the meantime has a marker of its own: markers and posts are all that was sent."""
    channel = SteppedChannel()
    async with open_with({"c": channel}, lane_capacity=2) as observatory:
        await send(observatory, *"12345")
        channel.steps.release()
        await wait_all_tasks_blocked()
        await send(observatory, *"6789")
        for _ in range(2):
            channel.steps.release()
    assert [contents(batch) for batch in channel.batches] == [["1"], [3, "5"], [3, "9"]]


@pytest.mark.parametrize("fail", [fail_at_the_batch, fail_at_the_marker])
async def test_a_marker_that_was_not_taken_is_given_again(
    open_with: Any, autojump_clock: MockClock, fail: Callable[[Sequence[Outcome]], Sequence[Outcome]]
) -> None:
    """Until the delivery channel has taken note of what is missing, it is told with each batch."""
    channel = ForgetfulChannel(fail)
    async with open_with({"c": channel}, lane_capacity=20) as observatory:
        await send(observatory, *map(str, range(25)))
        channel.gate.set()
        await trio.sleep(1)
        await send(observatory, "25")
        await trio.sleep(1)
        await send(observatory, "26")
    markers = [batch[0] for batch in channel.batches if isinstance(batch[0], Dropped)]
    assert markers == [Dropped(5), Dropped(5)]


async def test_dropping_and_backing_off(open_with: Any, autojump_clock: MockClock) -> None:
    """What backs off takes room too: a newcomer is dropped when there is none, and what waits stays."""
    channel = FailingChannel(times=3)
    async with open_with({"c": channel}, lane_capacity=1) as observatory:
        await send(observatory, "1", "2", "3")
        assert observatory.statistics().lanes["c"].dropped == 2
        await trio.sleep(5)
    assert [message.content for message in channel.delivered] == ["1"]


async def test_hundred_senders_share_a_batch(open_with: Any) -> None:
    """What was sent at the same time is delivered together, at most a batch's size at a time."""
    channel = RecordingChannel()
    async with open_with({"c": channel}, required=("c",), batch_size=64) as observatory, trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(observatory.mailbox.send_message, f"agent-{number}", "x", "hello")
    assert [len(batch) for batch in channel.batches] == [64, 36]
    assert isinstance((await channel.deliver(channel.jobs[:1]))[0], Done)


async def test_a_channel_that_never_waits_holds_up_nobody(open_with: Any) -> None:
    """Between two of its batches others have their turn."""

    class Hasty(RecordingChannel):
        async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
            turns.append(others)
            return [Done("sent")] * len(batch)

    others = 0
    turns: list[int] = []
    async with open_with({"hasty": Hasty()}, batch_size=1) as obs, trio.open_nursery() as nursery:

        async def run_along() -> None:
            nonlocal others
            while len(turns) < 5:
                others += 1
                await trio.lowlevel.checkpoint()

        nursery.start_soon(run_along)
        await obs.mailbox.broadcast_to_many(["a", "b", "c", "d", "e"], "dashboard", "hello")
    assert turns[-1] - turns[0] >= 3  # four turns of the loop, in each of which either may come first
