"""Verified senders: what a caller knows of the sender stands in the event and the receipt, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import DeliveryError, InvalidInputError, Message, Observatory, OutcomeUnknownError, Receipt, to_wire
from observatory.testing import FailingChannel, RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class Listener:
    """A subscriber to every mailbox."""

    def __init__(self, obs: Observatory) -> None:
        self._subscription = obs.pubsub.subscribe("agent:*")

    async def heard(self) -> list[bool]:
        """Return of the messages published since the last call whether their senders were verified."""
        events = await self._subscription.receive_batch()
        return [event.verified for event in events if isinstance(event.payload, Message)]


def said(receipts: list[Any]) -> list[bool]:
    """Return what receipts say."""
    return [receipt.verified for receipt in receipts]


async def test_sent(open_here: Open) -> None:
    """The receipt and the event say what the sender's caller has said; by default nobody is verified."""
    async with open_here() as obs:
        listener = Listener(obs)
        receipts = [
            await obs.mailbox.send_message("a", "x", "1", verified=True),
            await obs.mailbox.send_message("a", "x", "2", verified=False),
            await obs.mailbox.send_message("a", "x", "3"),
            await obs.mailbox.send_message("a", "x", "4", verified=True, expires_in=60),
        ]
        assert said(receipts) == await listener.heard() == [True, False, False, True]


@pytest.mark.parametrize("required", [(), ("c",)])
async def test_sent_through_a_delivery_channel(open_here: Open, required: tuple[str, ...]) -> None:
    """The receipt says it whether or not the sender waits for a delivery."""
    async with open_here(channels={"c": RecordingChannel()}, delivery={"required": required}) as obs:
        assert (await obs.mailbox.send_message("a", "x", "1", verified=True)).verified


async def test_not_delivered(open_here: Open, autojump_clock: MockClock) -> None:
    """The receipt in the error says it, too."""
    async with open_here(channels={"c": FailingChannel()}) as obs:
        with pytest.raises(DeliveryError) as caught:
            await obs.mailbox.send_message("a", "x", "1", require=["c"], verified=True)
        assert caught.value.receipt.verified


async def test_never_in_the_message(open_here: Open) -> None:
    """Neither the table nor a delivery channel nor storage gets to know it: a message has its eight fields."""
    channel = RecordingChannel()
    async with open_here(channels={"c": channel}, delivery={"required": ("c",)}) as obs:
        await obs.mailbox.send_message("a", "x", "1", verified=True)
        (kept,), (delivered,) = obs.mailbox.get_messages("a"), channel.delivered
    for message in (kept, delivered):
        assert to_wire(message).keys() == {"id", "from", "to", "content", "timestamp", "type", "read", "metadata"}


@pytest.mark.parametrize("verified", [True, False])
async def test_broadcast(open_here: Open, verified: bool) -> None:
    """It holds for every copy."""
    async with open_here() as obs:
        listener = Listener(obs)
        receipts = await obs.mailbox.broadcast_to_many(["a", "b"], "x", "1", verified=verified)
        assert said(receipts) == await listener.heard() == [verified, verified]
        assert said(await obs.mailbox.broadcast_to_many(["a"], "x", "1")) == [False]


@pytest.mark.parametrize("verified", [True, False])
async def test_request_and_reply(open_here: Open, verified: bool) -> None:
    """It holds for the question and for the answer, each for itself."""
    async with open_here() as obs, trio.open_nursery() as nursery:
        listener = Listener(obs)

        async def ask() -> None:
            await obs.mailbox.request("a", "x", "what?", verified=verified)

        nursery.start_soon(ask)
        question = await obs.mailbox.receive("a")
        receipt = await obs.mailbox.reply(question, "that", verified=not verified)
        assert receipt.verified is not verified
        assert await listener.heard() == [verified, not verified]


async def test_by_default_neither_question_nor_answer(open_here: Open) -> None:
    """Who says nothing has verified nothing."""
    async with open_here() as obs, trio.open_nursery() as nursery:
        listener = Listener(obs)
        nursery.start_soon(obs.mailbox.request, "a", "x", "what?")
        assert not (await obs.mailbox.reply(await obs.mailbox.receive("a"), "that")).verified
        assert await listener.heard() == [False, False]


@pytest.mark.parametrize("first", [True, False])
async def test_a_duplicate(open_here: Open, first: bool) -> None:
    """It is not sent again, and its receipt says what its own call has said."""
    async with open_here() as obs:
        listener = Listener(obs)
        receipts = [
            await obs.mailbox.send_message("a", "x", "1", idempotency_key="k", verified=verified)
            for verified in (first, not first, first)
        ]
        assert [receipt.duplicate for receipt in receipts] == [False, True, True]
        assert said(receipts) == [first, not first, first]
        assert await listener.heard() == [first]


async def test_twins(open_here: Open, gated_channel: Any) -> None:
    """Those who ask while the first is under way get receipts that say what each of them has said."""
    receipts: dict[str, Receipt] = {}
    async with open_here(channels={"c": gated_channel}, delivery={"required": ("c",)}) as obs:

        async def send(name: str, verified: bool) -> None:
            receipts[name] = await obs.mailbox.send_message("a", "x", "1", idempotency_key="k", verified=verified)

        async with trio.open_nursery() as nursery:
            for name, verified in (("first", False), ("twin", True), ("other", False)):
                nursery.start_soon(send, name, verified)
                await wait_all_tasks_blocked()
            gated_channel.gate.set()
    assert {name: receipt.verified for name, receipt in receipts.items()} == {
        "first": False,
        "twin": True,
        "other": False,
    }
    assert [receipts[name].duplicate for name in ("first", "twin", "other")] == [False, True, True]


async def test_recovered(open_here: Open, broken_storage: Any, autojump_clock: MockClock) -> None:
    """Of a message that was committed while the Mailbox's task died nobody knows it any more."""
    async with open_here(storage=broken_storage) as obs:
        listener = Listener(obs)
        broken_storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await obs.mailbox.send_message("a", "x", "1", verified=True)
        assert await listener.heard() == [False]


async def test_sent_again_after_it_expired(open_here: Open, autojump_clock: MockClock) -> None:
    """A new message, of which nobody has said it."""
    async with open_here() as obs:
        receipt = await obs.mailbox.send_message("a", "x", "1", expires_in=1, verified=True)
        await trio.sleep(2)
        listener = Listener(obs)
        assert await obs.redeliver([receipt.message.id]) == 1
        assert await listener.heard() == [False]


@pytest.mark.parametrize("verified", [None, 1, 0, "yes"])
async def test_what_is_neither(open_here: Open, verified: Any) -> None:
    """Anything but True and False is refused, and nothing has happened."""
    async with open_here() as obs:
        question = (await obs.mailbox.send_message("a", "x", "?")).message
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: obs.mailbox.send_message("b", "x", "1", verified=verified),
            lambda: obs.mailbox.broadcast_to_many(["b"], "x", "1", verified=verified),
            lambda: obs.mailbox.request("b", "x", "1", verified=verified),
            lambda: obs.mailbox.reply(question, "1", verified=verified),
        ]
        for call in calls:
            with pytest.raises(InvalidInputError, match="verified: expected True or False, got "):
                await call()
        assert obs.statistics().mailbox.messages == 1
