"""Idempotency keys: the same is sent once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    DeliveryError,
    IdempotencyError,
    InvalidInputError,
    Observatory,
    OutcomeUnknownError,
    Receipt,
    StorageError,
    TrioClock,
)
from observatory.testing import DurableStorage, FailingChannel, FailingStorage, RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
HOUR = 3600.0


async def send(
    obs: Observatory, content: str = "hello", *, key: str = "key", sender: str = "x", **more: Any
) -> Receipt:
    """Send to `a` under a key."""
    return await obs.mailbox.send_message("a", sender, content, metadata={"n": [1]}, idempotency_key=key, **more)


async def collect(obs: Observatory, receipts: list[Receipt]) -> None:
    """Send, and keep the receipt."""
    receipts.append(await send(obs))


async def test_again(open_here: Open) -> None:
    """The first receipt comes again and says that it is a duplicate; the message is there once."""
    channel = RecordingChannel()
    async with open_here(channels={"c": channel}, delivery={"required": ("c",)}) as obs:
        first, again = await send(obs), await send(obs)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert (again.message, again.sequence) == (first.message, first.sequence)
        assert again.deliveries == first.deliveries
        assert obs.mailbox.get_messages("a") == [first.message]
    assert channel.delivered == [first.message]


async def test_the_order_of_metadata(open_here: Open) -> None:
    """It makes no difference, as JSON objects have none."""
    async with open_here() as obs:
        for metadata in ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}):
            receipt = await obs.mailbox.send_message("a", "x", "", metadata=metadata, idempotency_key="key")
        assert receipt.duplicate


@pytest.mark.parametrize("change", [{"to": "b"}, {"content": "other"}, {"type": "other"}, {"metadata": {"n": 1}}])
async def test_something_else(open_here: Open, change: dict[str, Any]) -> None:
    """Another message under the same key is refused, and nothing has happened."""
    draft: dict[str, Any] = {"to": "a", "from_": "x", "content": "hello", "idempotency_key": "key"}
    async with open_here() as obs:
        first = await obs.mailbox.send_message(**draft)
        with pytest.raises(IdempotencyError, match="'x' has sent something else under the key 'key'") as caught:
            await obs.mailbox.send_message(**{**draft, **change})
        assert (caught.value.sender, caught.value.key) == ("x", "key")
        assert obs.mailbox.get_messages("a") == [first.message]
        assert obs.mailbox.get_messages("b") == []


async def test_each_sender_has_keys_of_its_own(open_here: Open) -> None:
    """Two senders may choose the same."""
    async with open_here() as obs:
        assert not (await send(obs)).duplicate
        assert not (await send(obs, "other", sender="y")).duplicate


async def test_twins(open_here: Open) -> None:
    """Those who ask at the same time wait for the first one's receipt."""
    async with open_here() as obs:
        receipts: list[Receipt] = []
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(collect, obs, receipts)
        assert sorted(receipt.duplicate for receipt in receipts) == [False, True, True, True, True]
        assert len({receipt.message.id for receipt in receipts}) == 1
        assert len(obs.mailbox.get_messages("a")) == 1


async def test_a_twin_of_one_that_is_being_delivered(open_here: Open, gated_channel: Any) -> None:
    """It waits for the same deliveries, although the first one was cancelled meanwhile."""
    async with open_here(channels={"c": gated_channel}, delivery={"required": ("c",)}) as obs:
        receipts: list[Receipt] = []
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def first() -> None:
                with scope:
                    await send(obs)

            nursery.start_soon(first)
            await wait_all_tasks_blocked()
            nursery.start_soon(collect, obs, receipts)
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            assert receipts == []
            gated_channel.gate.set()
        (receipt,) = receipts
        assert receipt.duplicate
        assert receipt.deliveries["c"].state == "written"
        assert len(obs.mailbox.get_messages("a")) == 1


async def test_twins_of_one_that_fails(open_here: Open) -> None:
    """Each hears of it with an error of its own, and the key is free again."""
    storage = FailingStorage()
    async with open_here(storage=storage) as obs:
        storage.failing = True
        errors: list[StorageError] = []

        async def one() -> None:
            with pytest.raises(StorageError) as caught:
                await send(obs)
            errors.append(caught.value)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one)
        assert len({id(error) for error in errors}) == 3
        storage.failing = False
        assert not (await send(obs)).duplicate


async def test_its_message_has_left(open_here: Open) -> None:
    """The receipt is the same after the message was acknowledged, and after the mailbox was cleared."""
    async with open_here() as obs:
        first = await send(obs)
        await obs.mailbox.mark_read("a", first.message.id)
        assert (await send(obs)).message.read
        await obs.mailbox.clear_messages("a")
        again = await send(obs)
        assert (again.message, again.sequence, again.duplicate) == (first.message, 1, True)
        assert obs.mailbox.get_messages("a") == []


async def test_after_a_restart(open_here: Open) -> None:
    """A storage backend that is durable keeps keys, and delivery states with them."""
    channels = {"c": RecordingChannel()}
    more: dict[str, Any] = {"storage": DurableStorage(), "channels": channels, "delivery": {"required": ("c",)}}
    async with open_here(**more) as obs:
        first = await send(obs)
    async with open_here(**more) as obs:
        again = await send(obs)
        assert (again.message, again.duplicate, again.deliveries) == (first.message, True, first.deliveries)
        with pytest.raises(IdempotencyError):
            await send(obs, "other")


async def test_after_the_task_died(open_here: Open, broken_storage: Any, autojump_clock: MockClock) -> None:
    """Who asks again after an unknown outcome gets the receipt of what was committed."""
    async with open_here(storage=broken_storage) as obs:
        broken_storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await send(obs)
        await trio.sleep(10)
        assert (await send(obs)).duplicate
        assert len(obs.mailbox.get_messages("a")) == 1


async def test_a_full_mailbox(open_here: Open) -> None:
    """Who was refused for want of room may ask again under the same key."""
    async with open_here(mailbox={"max_messages": 1}) as obs:
        await send(obs)
        with pytest.raises(Exception, match="max_messages"):
            await send(obs, key="other")
        await obs.mailbox.clear_messages("a")
        assert not (await send(obs, key="other")).duplicate


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", 7, None.__class__])
async def test_what_is_no_key(open_here: Open, key: Any) -> None:
    """The error says what is allowed."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match="idempotency_key: expected 1 to 255 printable characters"):
            await send(obs, key=key)


async def test_while_the_delivery_fails(open_here: Open, autojump_clock: MockClock) -> None:
    """The receipt that comes again says how far the delivery is now."""
    channel = FailingChannel(times=1)
    async with open_here(channels={"c": channel}, delivery={"required": ("c",)}, clock=TrioClock()) as obs:
        assert (await send(obs)).deliveries["c"].state == "retrying"
        await trio.sleep(1)
        assert (await send(obs)).deliveries["c"].state == "written"


async def test_something_else_while_the_first_is_under_way(open_here: Open, gated_channel: Any) -> None:
    """It is refused at once."""
    async with open_here(channels={"c": gated_channel}, delivery={"required": ("c",)}) as obs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, obs)
            await wait_all_tasks_blocked()
            with pytest.raises(IdempotencyError):
                await send(obs, "other")
            gated_channel.gate.set()
        assert len(obs.mailbox.get_messages("a")) == 1


async def test_what_is_required_of_a_duplicate(open_here: Open) -> None:
    """A delivery channel that the ledger knows nothing of has not delivered it."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"old": RecordingChannel()}) as obs:
        await send(obs)
    async with open_here(storage=storage, channels={"new": RecordingChannel()}) as obs:
        with pytest.raises(DeliveryError, match="new is queued"):
            await send(obs, require=["new"])
