"""Outcomes: what delivery channels do right and wrong, and what receipts say of it."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    Delivery,
    DeliveryError,
    Done,
    Failed,
    Job,
    Observatory,
    Outcome,
    Skipped,
    UnknownNameError,
)
from observatory.testing import FailingChannel, RecordingChannel, StuckChannel


class OddChannel(RecordingChannel):
    """Answers its first batch with what a test gives."""

    def __init__(self, answer: Callable[[Sequence[Outcome]], Any]) -> None:
        super().__init__()
        self._answer: Callable[[Sequence[Outcome]], Any] | None = answer

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Give the odd answer once."""
        answer, self._answer = self._answer, None
        outcomes = await super().deliver(batch)
        return outcomes if answer is None else answer(outcomes)


class SlowStarter(RecordingChannel):
    """Starts at the third attempt, and keeps how often it was started and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0
        self.closes = 0

    async def start(self) -> None:
        """Fail twice."""
        await trio.lowlevel.checkpoint()
        self.starts += 1
        if self.starts < 3:
            raise OSError("no disk")

    async def aclose(self) -> None:
        """Close with an error."""
        await trio.lowlevel.checkpoint()
        self.closes += 1
        raise OSError("no disk any more")


class SentChannel(RecordingChannel):
    """Says `sent`, with one outcome for all jobs."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Keep nothing."""
        await super().deliver(batch)
        return [Done("sent")] * len(batch)


async def test_written(open_with: Any) -> None:
    """A receipt tells how a required delivery channel has kept the message."""
    async with open_with({"c": RecordingChannel()}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
    assert receipt.deliveries == {"c": Delivery("c", "written", 1, "memory")}


async def test_skipped(open_with: Any) -> None:
    """What nobody was there to take is dropped, with the reason: neither tried again nor a dead letter."""
    channel = OddChannel(lambda outcomes: [Skipped("nobody listens")] * len(outcomes))
    async with open_with({"c": channel}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        later = await observatory.mailbox.send_message("a", "x", "again")
        lane = observatory.statistics().lanes["c"]
        assert observatory.dead_letters() == ()
    assert receipt.deliveries == {"c": Delivery("c", "dropped", error="nobody listens")}
    assert later.deliveries["c"].state == "written"
    assert (lane.dropped, lane.failures, lane.backing_off) == (1, 0, 0)


async def test_sent(open_with: Any) -> None:
    """A delivery channel that keeps nothing claims no durability."""
    async with open_with({"c": SentChannel()}, required=("c",)) as observatory:
        receipts = await observatory.mailbox.broadcast_to_many(["a", "b", "c"], "x", "hello")
    assert [receipt.deliveries for receipt in receipts] == [{"c": Delivery("c", "sent", 1)}] * 3


async def test_a_receipt_does_not_change(open_with: Any, autojump_clock: MockClock) -> None:
    """What happens after the first outcome does not show in a receipt that was returned."""
    async with open_with({"c": FailingChannel(1), "d": RecordingChannel()}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        before = dict(receipt.deliveries)
        await trio.sleep(1)
        assert observatory.statistics().lanes["c"].delivered == 1
    assert receipt.deliveries == before
    assert before["c"].state == "retrying"


async def test_what_is_not_required_is_queued(open_with: Any) -> None:
    """A sender does not wait for other delivery channels, and its receipt says that they have not tried."""
    async with open_with({"c": StuckChannel()}, drain=0.0) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
    assert receipt.deliveries == {"c": Delivery("c", "queued")}


async def test_require_waits_for_more(open_with: Any) -> None:
    """`require` names further delivery channels that one send waits for."""
    async with open_with({"c": RecordingChannel(), "d": RecordingChannel()}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello", require=["d"])
    assert {name: delivery.state for name, delivery in receipt.deliveries.items()} == {"c": "written", "d": "written"}


async def test_require_raises(open_with: Any) -> None:
    """When a required delivery channel fails, the error carries the receipt, and the message is committed."""
    channels = {"c": FailingChannel(permanent=True), "d": RecordingChannel()}
    async with open_with(channels) as observatory:
        with pytest.raises(DeliveryError, match="c is dead: planned by the test") as info:
            await observatory.mailbox.send_message("a", "x", "hello", require=["c", "d"])
        assert info.value.channels == ("c",)
        assert observatory.mailbox.get_messages("a") == [info.value.receipt.message]


async def test_require_of_an_unknown_channel(open_with: Any) -> None:
    """A name that no delivery channel has is refused before anything happens."""
    async with open_with({"files": RecordingChannel()}) as observatory:
        with pytest.raises(UnknownNameError, match="no delivery channel 'fles'; did you mean 'files'"):
            await observatory.mailbox.send_message("a", "x", "hello", require=["fles"])
        assert observatory.mailbox.get_stats() == {}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda outcomes: outcomes[:-1], "PluginError: plugin 'c': gave 0 outcomes for 1 jobs"),
        (lambda outcomes: outcomes * 2, "PluginError: plugin 'c': gave 2 outcomes for 1 jobs"),
        (lambda outcomes: None, "TypeError: object of type 'NoneType' has no len()"),
        (lambda outcomes: [None], "c gave a NoneType for an outcome"),
        (lambda outcomes: ["written"], "c gave a str for an outcome"),
    ],
)
async def test_garbage(open_with: Any, autojump_clock: MockClock, answer: Callable[[Any], Any], error: str) -> None:
    """An answer that is none counts as a failure of what it should have answered for, and is tried again."""
    channel = OddChannel(answer)
    async with open_with({"c": channel}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        assert receipt.deliveries["c"] == Delivery("c", "retrying", 1, error=error)
        await trio.sleep(1)
        assert observatory.statistics().lanes["c"].delivered == 1
        assert all(child.restarts == 0 for child in observatory.health().children)


@pytest.mark.parametrize("error", [OSError("disk\nfull"), ExceptionGroup("several", [OSError("disk full")])])
async def test_raising(
    open_with: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """An exception is a failure of the whole batch: told in one line, logged whole once, and tried again."""
    channel = FailingChannel(2, raises=error)
    async with open_with({"c": channel}, required=("c",)) as observatory:
        receipts = await observatory.mailbox.broadcast_to_many(["a", "b"], "x", "hello")
        assert [receipt.deliveries["c"].error for receipt in receipts] == ["OSError: disk full"] * 2
        await trio.sleep(1)
    assert len(channel.delivered) == 2
    warning = "observatory.delivery", logging.WARNING, "delivery channel c failed: OSError: disk full"
    assert caplog.record_tuples == [warning] * 3
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [error, None, None]


async def test_started_before_the_first_batch(open_with: Any, autojump_clock: MockClock) -> None:
    """A delivery channel that cannot be started is started again at the next attempt, and then no more."""
    channel = SlowStarter()
    async with open_with({"c": channel}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        assert receipt.deliveries["c"].error == "OSError: no disk"
        await trio.sleep(1)
        assert len(channel.delivered) == 1
        await observatory.mailbox.send_message("a", "x", "hello")
    assert channel.starts == 3


async def test_closing_with_an_error(open_with: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A delivery channel that cannot be closed is logged, and does not keep the others from being closed."""
    channels = {"c": SlowStarter(), "d": SlowStarter()}
    for channel in channels.values():
        channel.starts = 2
    async with open_with(channels) as observatory:
        await observatory.mailbox.send_message("a", "x", "hello")
    assert [channel.closes for channel in channels.values()] == [1, 1]
    assert "delivery channel c could not be closed" in caplog.messages


async def test_what_was_never_started_is_not_closed(open_with: Any) -> None:
    """A delivery channel that had nothing to do is neither started nor closed."""
    channel = SlowStarter()
    async with open_with({"c": channel}):
        await trio.lowlevel.checkpoint()
    assert (channel.starts, channel.closes) == (0, 0)


async def test_two_channels_are_two_lanes(open_with: Any) -> None:
    """One that is stuck holds nobody back but those who wait for it."""
    channel = RecordingChannel()
    async with open_with({"stuck": StuckChannel(), "c": channel}, required=("c",), drain=0.0) as observatory:
        for text in "123":
            await observatory.mailbox.send_message("a", "x", text)
        assert len(channel.delivered) == 3
    assert observatory.undelivered == 3


async def test_a_lane_that_fails_itself(
    open_with: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """When a lane's own code fails, here in a handler of logs, it runs again with the batch that it had in hand."""

    def broken(record: logging.LogRecord) -> bool:
        logger.removeFilter(broken)
        raise RuntimeError("a handler of logs is broken")

    logger = logging.getLogger("observatory.delivery")
    channel = FailingChannel(2, raises=OSError("offline"))
    async with open_with({"c": channel}, required=("c",)) as observatory:
        logger.addFilter(broken)
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        assert receipt.deliveries["c"].state == "retrying"
        assert {child.name: child.restarts for child in observatory.health().children}["lane:c"] == 1
        await trio.sleep(5)
        assert observatory.statistics().lanes["c"].queued == 0
    assert channel.delivered == [receipt.message]


async def test_closed_with_somebody_waiting(open_with: Any, autojump_clock: MockClock) -> None:
    """Whoever waits for the first outcome, outside of the block, has a receipt when it can no longer come."""
    states = []

    async def send(observatory: Observatory, text: str) -> None:
        receipt = await observatory.mailbox.send_message("a", "x", text)
        states.append(receipt.deliveries["c"])

    async def open_and_leave(nursery: trio.Nursery) -> Observatory:
        observatory: Observatory
        async with open_with({"c": StuckChannel()}, required=("c",), batch_size=1) as observatory:
            nursery.start_soon(send, observatory, "in hand")
            nursery.start_soon(send, observatory, "in the queue")
            await wait_all_tasks_blocked()
        return observatory

    async with trio.open_nursery() as nursery:
        observatory = await open_and_leave(nursery)
    assert states == [Delivery("c", "queued", error="Observatory was closed before it was delivered")] * 2
    assert observatory.undelivered == 2


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(Failed, [ValueError("full")]), (Failed, [None]), (Done, ["sent", object()]), (Done, ["ok"])],
    ids=["an error", "nothing", "level", "state"],
)
async def test_outcomes_of_a_wrong_kind(kind: Any, fields: list[Any], open_with: Any) -> None:
    """A delivery channel that makes one has failed, and nobody else fails with it."""
    channel = OddChannel(lambda _: [kind(*fields)])
    async with open_with({"c": channel}, required=("c",)) as observatory:
        receipt = await observatory.mailbox.send_message("a", "x", "hello")
        assert receipt.deliveries["c"].state == "retrying"
        assert isinstance(receipt.deliveries["c"].error, str)
