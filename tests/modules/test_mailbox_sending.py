"""Sending: one message, many at once, to many; what is numbered, published, delivered, refused and held back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    ClosedError,
    Delivery,
    DeliveryChannel,
    DeliveryError,
    Done,
    Failed,
    InvalidInputError,
    Job,
    Observatory,
    Outcome,
    Post,
    Receipt,
    StorageError,
    UnknownNameError,
)
from observatory.testing import FailingChannel, FailingStorage, RecordingChannel, StuckChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


async def test_receipt_says_what_was_done(open_here: Open) -> None:
    """It holds the message, its number, what storage promises and a state for each delivery channel."""
    channels = {"files": RecordingChannel(), "live": RecordingChannel()}
    async with open_here(channels=channels, delivery={"required": ["files"]}) as obs:
        receipt = await obs.mailbox.send_message("a", "b", "hello")
        assert (receipt.sequence, receipt.durability) == (1, "memory")
        assert receipt.deliveries["files"] == Delivery("files", "written", 1, "memory")
        assert receipt.deliveries["live"].state in ("queued", "written")
        assert channels["files"].jobs == [Post(receipt.message, 1)]


async def test_nothing_is_waited_for_without_required_channels(open_here: Open, autojump_clock: MockClock) -> None:
    """A delivery channel that nobody requires and that is stuck does not hold the sender back."""
    async with open_here(channels={"live": StuckChannel()}) as obs:
        receipt = await obs.mailbox.send_message("a", "b", "hello")
        assert receipt.deliveries == {"live": Delivery("live", "queued")}


async def test_numbers_count_per_recipient(open_here: Open) -> None:
    """Each mailbox is numbered from 1 without a hole, also after it was cleared."""
    async with open_here() as obs:
        send = obs.mailbox.send_message
        assert [(await send(to, "x", "")).sequence for to in ("a", "b", "a", "a", "b")] == [1, 1, 2, 3, 2]
        await obs.mailbox.clear_messages("a")
        assert [(await send(to, "x", "")).sequence for to in ("a", "b")] == [4, 3]


async def test_ids_and_timestamps_do_not_repeat(open_here: Open) -> None:
    """Ids are unique, and timestamps strictly increase in the order of sending."""
    async with open_here() as obs:
        messages = [(await obs.mailbox.send_message("a", "b", "")).message for _ in range(100)]
        assert len({message.id for message in messages}) == 100
        assert all(first.timestamp < second.timestamp for first, second in itertools.pairwise(messages))


async def test_published_in_the_order_of_commits(open_here: Open) -> None:
    """Subscribers of `agent:{to}` get every message, numbered as the mailbox is."""
    async with open_here() as obs, obs.pubsub.subscribe("agent:a") as subscription:
        receipts = [await obs.mailbox.send_message("a", "b", str(number)) for number in range(5)]
        events = await subscription.receive_batch()
        assert [event.payload for event in events] == [receipt.message for receipt in receipts]
        assert [event.sequence for event in events] == [1, 2, 3, 4, 5]


async def test_concurrent_senders_share_a_commit(open_here: Open, gated_storage: Any) -> None:
    """While one commit is under way, what arrives becomes the next one, in order of arrival."""
    async with open_here(storage=gated_storage) as obs, trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(obs.mailbox.send_message, "a", "b", str(number))
            await wait_all_tasks_blocked()
        gated_storage.gate.set()
        await wait_all_tasks_blocked()
        assert [len(batch) for batch in gated_storage.batches] == [1, 9]
        assert [message.content for message in obs.mailbox.get_messages("a")] == list("9876543210")


async def test_senders_are_held_back_while_too_many_wait(open_here: Open, gated_storage: Any) -> None:
    """The request channel is bounded: a sender beyond it waits, and nobody is turned away."""
    async with open_here(storage=gated_storage, mailbox={"max_requests": 2}) as obs, trio.open_nursery() as nursery:
        for number in range(6):  # one in hand, two waiting, three held back
            nursery.start_soon(obs.mailbox.send_message, "a", "b", str(number))
            await wait_all_tasks_blocked()
        async with trio.open_nursery() as impatient:
            impatient.start_soon(obs.mailbox.send_message, "a", "b", "cancelled while held back")
            await wait_all_tasks_blocked()
            impatient.cancel_scope.cancel()
        gated_storage.gate.set()
        await wait_all_tasks_blocked()
        assert [message.content for message in obs.mailbox.get_messages("a")] == list("543210")


async def test_closing_serves_who_was_held_back(open_here: Open, gated_storage: Any) -> None:
    """Leaving the block refuses new requests, and serves those that were accepted before."""
    receipts: list[Receipt] = []

    async def send(number: int) -> None:
        receipts.append(await obs.mailbox.send_message("a", "b", str(number)))

    async def open_gate() -> None:
        await wait_all_tasks_blocked()
        gated_storage.gate.set()

    async with trio.open_nursery() as nursery, open_here(storage=gated_storage, mailbox={"max_requests": 1}) as obs:
        for number in range(5):
            nursery.start_soon(send, number)
            await wait_all_tasks_blocked()
        nursery.start_soon(open_gate)
    assert len(receipts) == 5
    with pytest.raises(ClosedError, match="closing"):
        await obs.mailbox.send_message("a", "b", "too late")


async def test_a_full_required_lane_holds_the_batch_back_before_the_commit(open_here: Open, gated_channel: Any) -> None:
    """What has no room in a required lane is not committed yet."""
    async with (
        open_here(channels={"files": gated_channel}, delivery={"required": ["files"], "lane_capacity": 2}) as obs,
        trio.open_nursery() as nursery,
    ):
        for number in range(4):
            nursery.start_soon(obs.mailbox.send_message, "a", "b", str(number))
            await wait_all_tasks_blocked()
        assert obs.mailbox.agent_stats("a").total == 2
        gated_channel.gate.set()
        await wait_all_tasks_blocked()
        assert obs.mailbox.agent_stats("a").total == 4


async def test_a_failed_commit_refuses_each_sender_of_the_batch(open_here: Open) -> None:
    """Every sender gets an error of its own, with its cause, and nothing remains of the batch."""
    storage = FailingStorage()
    errors: list[StorageError] = []

    async def send(to: str) -> None:
        with pytest.raises(StorageError, match="planned by the test") as caught:
            await obs.mailbox.send_message(to, "b", "hello")
        errors.append(caught.value)

    async with open_here(storage=storage) as obs:
        await obs.mailbox.send_message("a", "b", "kept")
        storage.failing = True
        async with trio.open_nursery() as nursery:
            for to in ("a", "a", "c", "d"):
                nursery.start_soon(send, to)
        assert len({id(error) for error in errors}) == 4
        assert {id(error.__cause__) for error in errors} == {id(errors[0].__cause__)}
        assert list(obs.mailbox.get_stats()) == ["a"]
        assert obs.statistics().mailbox.bytes == MESSAGE_OVERHEAD + len("kept")


class TestRequire:
    """`require=` makes a delivery channel's failure the sender's."""

    async def test_waits_for_channels_that_are_not_required_otherwise(self, open_here: Open) -> None:
        """The receipt comes after the first outcome of what the caller requires."""
        channel = RecordingChannel()
        async with open_here(channels={"live": channel}) as obs:
            receipt = await obs.mailbox.send_message("a", "b", "hello", require=["live"])
            assert receipt.deliveries["live"].state == "written"
            assert channel.ids("a") == [receipt.message.id]

    async def test_what_was_sent_is_delivered(self, open_here: Open) -> None:
        """A delivery channel that only sends satisfies it too."""

        class Wire(DeliveryChannel):
            async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
                await trio.lowlevel.checkpoint()
                return [Done("sent") for _ in batch]

        async with open_here(channels={"wire": Wire()}) as obs:
            receipt = await obs.mailbox.send_message("a", "b", "hello", require=("wire",))
            assert receipt.deliveries["wire"] == Delivery("wire", "sent", 1)

    @pytest.mark.parametrize(("permanent", "state"), [(False, "retrying"), (True, "dead")])
    async def test_a_failure_is_raised_with_the_receipt(self, open_here: Open, permanent: bool, state: str) -> None:
        """The message is committed all the same, and the error says how far it has come."""
        channels = {"good": RecordingChannel(), "bad": FailingChannel(times=1, permanent=permanent)}
        async with open_here(channels=channels) as obs:
            with pytest.raises(DeliveryError, match=f"bad is {state}: planned by the test") as caught:
                await obs.mailbox.send_message("a", "b", "hello", require=["good", "bad"])
            assert caught.value.channels == ("bad",)
            assert obs.mailbox.get_messages("a") == [caught.value.receipt.message]
            assert caught.value.receipt.deliveries["bad"].state == state

    async def test_a_name_that_there_is_not_is_refused(self, open_here: Open) -> None:
        """Nothing is sent, and the error names the nearest one."""
        async with open_here(channels={"inboxes": RecordingChannel()}) as obs:
            with pytest.raises(UnknownNameError, match="no delivery channel 'inbox'; did you mean 'inboxes'"):
                await obs.mailbox.send_message("a", "b", "hello", require=["inbox"])
            assert obs.mailbox.get_stats() == {}

    async def test_a_text_is_no_collection(self, open_here: Open) -> None:
        """A name by itself is not taken for a list of letters."""
        async with open_here(channels={"live": RecordingChannel()}) as obs:
            with pytest.raises(InvalidInputError, match=r"require: expected a collection .* got the text 'live'"):
                await obs.mailbox.send_message("a", "b", "hello", require="live")

    async def test_names_that_can_be_read_once(self, open_here: Open, autojump_clock: MockClock) -> None:
        """What a generator names is required like what a list names."""
        async with open_here(channels={"bad": FailingChannel(1)}) as obs:
            with pytest.raises(DeliveryError) as caught:
                await obs.mailbox.send_message("a", "b", "hello", require=(name for name in ["bad"]))
            assert caught.value.channels == ("bad",)

    @pytest.mark.parametrize(
        ("require", "reason"),
        [
            (3, "expected a collection of delivery channels, got int"),
            (None, "expected a collection of delivery channels, got NoneType"),
            (b"live", "expected a collection of delivery channels, got bytes"),
            ([[]], "expected names of delivery channels, got list"),
            (["live", 3], "expected names of delivery channels, got int"),
        ],
    )
    async def test_no_names(self, open_here: Open, require: Any, reason: str) -> None:
        """What is no collection of names is refused in one line, before anything has happened."""
        async with open_here(channels={"live": RecordingChannel()}) as obs:
            with pytest.raises(InvalidInputError) as caught:
                await obs.mailbox.send_message("a", "b", "hello", require=require)
            assert str(caught.value) == f"require: {reason}"
            assert obs.mailbox.get_stats() == {}


async def test_a_failing_required_channel_does_not_raise(open_here: Open, autojump_clock: MockClock) -> None:
    """The receipt says it is retrying; the lane goes on, and what was sent meanwhile follows in order."""
    channel = FailingChannel(times=3)
    async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
        first = await obs.mailbox.send_message("a", "b", "first")
        assert first.deliveries["files"] == Delivery("files", "retrying", 1, error="planned by the test")
        second = await obs.mailbox.send_message("a", "b", "second")
        assert second.deliveries["files"] == Delivery("files", "queued", error="planned by the test")
        await trio.sleep(60)
        assert channel.ids("a") == [first.message.id, second.message.id]


async def test_a_receipt_changes_no_more_once_it_was_given(open_here: Open, autojump_clock: MockClock) -> None:
    """What happens later is told by other means; a receipt is a value."""
    channel = FailingChannel(times=1)
    async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
        receipt = await obs.mailbox.send_message("a", "b", "hello")
        await trio.sleep(60)
        assert channel.ids("a") == [receipt.message.id]
        assert receipt.deliveries["files"].state == "retrying"


async def test_outcomes_of_a_batch_are_each_message_s_own(open_here: Open) -> None:
    """In one batch one message may be delivered and another not."""

    class Picky(DeliveryChannel):
        async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
            await trio.lowlevel.checkpoint()
            posts = [job for job in batch if isinstance(job, Post)]
            return [Done("written") if job.message.to == "a" else Failed("no", permanent=True) for job in posts]

    async with open_here(channels={"files": Picky()}, delivery={"required": ["files"]}) as obs:
        receipts = await obs.mailbox.broadcast_to_many(["a", "b"], "x", "hello")
        states = [receipt.deliveries["files"].state for receipt in receipts if isinstance(receipt, Receipt)]
        assert states == ["written", "dead"]
        assert [letter.message.to for letter in obs.dead_letters()] == ["b"]
