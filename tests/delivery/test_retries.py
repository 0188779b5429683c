"""Retries: a schedule for each recipient, and what waits behind a failure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import Failed, Job, Outcome, Post
from observatory.testing import FailingChannel, RecordingChannel

SCHEDULE = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


class TimedChannel(FailingChannel):
    """Also keeps when it was given each batch, and may take its time for it."""

    def __init__(self, *args: Any, seconds: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.times: list[float] = []
        self.seconds = seconds

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Note the time, wait, and do what is planned."""
        self.times.append(trio.current_time())
        await trio.sleep(self.seconds)
        return await super().deliver(batch)

    @property
    def pauses(self) -> list[float]:
        """The seconds between one attempt and the next."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


class StubbornChannel(RecordingChannel):
    """Delivers every message at the third attempt; is given one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: Counter[str] = Counter()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Count how often it has seen this job."""
        (job,) = batch
        assert isinstance(job, Post)
        self.tries[job.message.id] += 1
        if self.tries[job.message.id] < 3:
            await trio.lowlevel.checkpoint()
            return [Failed("not yet")]
        return await super().deliver(batch)


async def test_ten_attempts_after_doubling_pauses(open_with: Any, autojump_clock: MockClock) -> None:
    """The pauses double from 0.1 s to 5 s, with jitter below; after ten attempts the delivery is a dead letter."""
    channel = TimedChannel()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "b", "hello")
        assert (receipt.deliveries["c"].state, receipt.deliveries["c"].attempts) == ("retrying", 1)
        await trio.sleep(46)
        (letter,) = observatory.dead_letters()
    assert len(channel.times) == letter.attempts == 10
    assert all(top / 2 <= pause <= top + 1e-9 for pause, top in zip(channel.pauses, SCHEDULE, strict=True))
    assert sum(channel.pauses) < sum(SCHEDULE) - 0.01  # with ten random numbers that is certain enough


async def test_slow_attempts_end_after_45_seconds(open_with: Any, autojump_clock: MockClock) -> None:
    """No attempt begins later than 45 s after the first failure."""
    channel = TimedChannel(seconds=8.0)
    async with open_with({"c": channel}) as observatory:
        await observatory.mailbox.send_message("a", "b", "hello")
        await trio.sleep(100)
        (letter,) = observatory.dead_letters()
    assert letter.attempts == len(channel.times) < 10
    assert channel.times[-1] <= channel.times[0] + 8.0 + 45.0


async def test_the_last_attempt_is_not_put_off_beyond_the_end(open_with: Any, autojump_clock: MockClock) -> None:
    """A pause that would lead beyond the 45 s is cut, and the attempt after it is the last."""
    channel = TimedChannel()
    async with open_with({"c": channel}, retry_first=20.0, retry_longest=100.0) as observatory:
        await observatory.mailbox.send_message("a", "b", "hello")
        await trio.sleep(46)
        assert len(observatory.dead_letters()) == 1
    assert channel.times[-1] - channel.times[0] == pytest.approx(45.0)


async def test_each_recipient_has_a_clock_of_its_own(open_with: Any, autojump_clock: MockClock) -> None:
    """Two recipients that failed at the same moment are not tried again at the same moment."""
    channel = TimedChannel(times=1)
    async with open_with({"c": channel}) as observatory:
        await observatory.mailbox.broadcast_to_many(["a", "b"], "x", "hello")
        await trio.sleep(1)
    assert [len(batch) for batch in channel.batches] == [2, 1, 1]


async def test_a_success_at_the_second_attempt(open_with: Any, autojump_clock: MockClock) -> None:
    """A failure that passes leaves no trace but in the figures."""
    channel = TimedChannel(times=1)
    async with open_with({"c": channel}, required=("c",)) as observatory:
        message = (await observatory.mailbox.send_message("a", "b", "hello")).message
        await trio.sleep(1)
        lane = observatory.statistics().lanes["c"]
        assert (lane.failures, lane.delivered, lane.backing_off, lane.dead) == (1, 1, 0, 0)
        assert lane.error == "planned by the test"
        assert observatory.health().healthy
    assert channel.delivered == [message]


async def test_others_overtake(open_with: Any, autojump_clock: MockClock) -> None:
    """While one recipient backs off, another's message is delivered at once."""
    channel = TimedChannel(times=0)
    channel.left["bad"] = 3
    async with open_with({"c": channel}, required=("c",)) as observatory:
        await observatory.mailbox.send_message("bad", "x", "hello")
        now = trio.current_time()
        receipt = await observatory.mailbox.send_message("good", "x", "hello")
        assert receipt.deliveries["c"].state == "written"
        assert trio.current_time() == now
        assert observatory.statistics().lanes["c"].backing_off == 1


async def test_queued_behind_a_failure(open_with: Any, autojump_clock: MockClock) -> None:
    """Whoever sends to a recipient that is backing off hears at once that it waits, and why."""
    async with open_with({"c": TimedChannel()}, required=("c",), drain=0.0) as observatory:
        await observatory.mailbox.send_message("a", "x", "first")
        now = trio.current_time()
        delivery = (await observatory.mailbox.send_message("a", "x", "second")).deliveries["c"]
        assert (delivery.state, delivery.attempts, delivery.error) == ("queued", 0, "planned by the test")
        assert trio.current_time() == now


async def test_order_is_kept_behind_a_failure(open_with: Any, autojump_clock: MockClock) -> None:
    """What failed, what failed with it and what came later arrive in the order in which they were sent."""
    channel = TimedChannel(times=2)
    async with open_with({"c": channel}) as observatory:
        sent = [await observatory.mailbox.send_message("a", "x", str(number)) for number in range(3)]
        await trio.sleep(0.05)
        sent += [await observatory.mailbox.send_message("a", "x", str(number)) for number in range(3)]
        await trio.sleep(5)
    assert channel.ids("a") == [receipt.message.id for receipt in sent]


async def test_an_attempt_is_one_message(open_with: Any, autojump_clock: MockClock) -> None:
    """Whether a recipient can be reached shows with the first of what waits for it; once it can, the rest follows."""
    channel = TimedChannel(times=2)
    async with open_with({"c": channel}) as observatory:
        for number in range(6):
            await observatory.mailbox.send_message("a", "x", str(number))
        await trio.sleep(5)
    assert [len(batch) for batch in channel.batches[-3:]] == [1, 1, 5]
    assert [pause > 0 for pause in channel.pauses[-2:]] == [True, False]


async def test_what_nobody_wants_is_no_attempt(open_with: Any, autojump_clock: MockClock) -> None:
    """Acknowledged messages before the first that is wanted are passed over, and the schedule goes on."""
    channel = TimedChannel()
    async with open_with({"c": channel}, batch_size=2, drain=0.0) as observatory:
        sent = [(await observatory.mailbox.send_message("a", "x", str(number))).message for number in range(8)]
        await trio.sleep(1)
        await observatory.mailbox.mark_read("a", *(message.id for message in sent[:7]))
        await trio.sleep(46)
        (letter,) = observatory.dead_letters()
    assert (letter.message, letter.attempts) == (sent[7], 10)


async def test_what_is_left_follows_a_success_at_once(open_with: Any, autojump_clock: MockClock) -> None:
    """An attempt takes no more than a batch; when it succeeded, the next batch does not wait for a clock."""
    channel = TimedChannel(times=1)
    async with open_with({"c": channel}, batch_size=2) as observatory:
        for number in range(5):
            await observatory.mailbox.send_message("a", "x", str(number))
        await trio.sleep(1)
    assert len(channel.ids("a")) == 5
    assert [pause > 0 for pause in channel.pauses] == [True, False, False]


async def test_a_failure_after_a_success_begins_a_new_schedule(open_with: Any, autojump_clock: MockClock) -> None:
    """What waited behind a failure that passed has all of its own attempts."""
    channel = StubbornChannel()
    async with open_with({"c": channel}, batch_size=1, retry_attempts=3) as observatory:
        for number in range(2):
            await observatory.mailbox.send_message("a", "x", str(number))
        await trio.sleep(5)
        assert observatory.dead_letters() == ()
    assert len(channel.ids("a")) == 2


async def test_what_waits_shares_its_clock_to_the_end(open_with: Any, autojump_clock: MockClock) -> None:
    """When the schedule is at its end, everything that waited for this recipient is a dead letter, in order."""
    async with open_with({"c": TimedChannel()}) as observatory:
        for number in range(3):
            await observatory.mailbox.send_message("a", "x", str(number))
            await trio.sleep(1)
        await trio.sleep(46)
        assert [letter.message.content for letter in observatory.dead_letters()] == ["0", "1", "2"]
        assert {letter.attempts for letter in observatory.dead_letters()} == {10}


async def test_a_message_after_the_end_begins_anew(open_with: Any, autojump_clock: MockClock) -> None:
    """Once a recipient was given up, the next message to it is tried at once."""
    async with open_with({"c": TimedChannel()}, required=("c",), drain=0.0) as observatory:
        await observatory.mailbox.send_message("a", "x", "first")
        await trio.sleep(46)
        delivery = (await observatory.mailbox.send_message("a", "x", "second")).deliveries["c"]
        assert (delivery.state, delivery.attempts) == ("retrying", 1)


async def test_the_first_attempt_may_be_the_last(open_with: Any) -> None:
    """With a single attempt, its failure is the end, and the receipt says so."""
    async with open_with({"c": TimedChannel()}, required=("c",), retry_attempts=1) as observatory:
        delivery = (await observatory.mailbox.send_message("a", "x", "hello")).deliveries["c"]
        assert (delivery.state, delivery.attempts) == ("dead", 1)
        assert len(observatory.dead_letters()) == 1
