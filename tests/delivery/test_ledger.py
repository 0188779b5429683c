"""The ledger: how far each delivery channel has come with each message, also after a restart."""

from collections.abc import Collection
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    Adopt,
    ClosedError,
    DeliveryRecord,
    Forgotten,
    Message,
    Observatory,
)
from observatory.testing import FailingChannel, RecordingChannel, StuckChannel


async def send(observatory: Observatory, to: str = "a") -> Message:
    """Send a message."""
    return (await observatory.mailbox.send_message(to, "x", "hello")).message


def states(observatory: Observatory, message: Message) -> dict[str, tuple[str, int]]:
    """Return state and attempts per delivery channel."""
    records = observatory.deliveries(message.id)
    assert all(record.id == message.id for record in records)
    return {record.delivery.channel: (record.delivery.state, record.delivery.attempts) for record in records}


async def test_each_delivery_channel(open_with: Any, autojump_clock: MockClock) -> None:
    """What was written, what is tried again and what waits behind a stuck lane is told apart."""
    channels = {"good": RecordingChannel(), "bad": FailingChannel(), "stuck": StuckChannel()}
    async with open_with(channels, drain=0.0) as observatory:
        message = await send(observatory)
        await trio.sleep(0.12)
        assert states(observatory, message) == {"good": ("written", 1), "bad": ("retrying", 2), "stuck": ("queued", 0)}
        await trio.sleep(60)
        assert states(observatory, message)["bad"] == ("dead", 10)


async def test_times_and_errors(open_with: Any, autojump_clock: MockClock) -> None:
    """A record says since when, until when, and what went wrong last."""
    async with open_with({"c": FailingChannel(times=1)}) as observatory:
        message = await send(observatory)
        await wait_all_tasks_blocked()
        (failed,) = observatory.deliveries(message.id)
        assert (failed.delivery.error, failed.since, failed.at) == ("planned by the test", failed.at, failed.at)
        await trio.sleep(1)
        (done,) = observatory.deliveries(message.id)
        assert (done.delivery.state, done.delivery.error, done.since) == ("written", None, failed.since)
        assert done.at > failed.at


async def test_unknown(open_with: Any) -> None:
    """Of what was never reported on there is nothing, and that is no error."""
    async with open_with({"c": RecordingChannel()}) as observatory:
        assert observatory.deliveries("0123456789abcdef") == ()


async def test_acknowledged(open_with: Any) -> None:
    """The records outlive the message."""
    async with open_with({"c": RecordingChannel()}, required=("c",)) as observatory:
        message = await send(observatory)
        await observatory.mailbox.mark_read("a", message.id)
        await observatory.mailbox.clear_messages("a")
        assert states(observatory, message) == {"c": ("written", 1)}


async def test_bounded(open_with: Any) -> None:
    """At least half of what is set is remembered, and not more than that."""
    async with open_with({"c": RecordingChannel()}, required=("c",), ledger=10) as observatory:
        messages = [await send(observatory) for _ in range(50)]
        known = [bool(observatory.deliveries(message.id)) for message in messages]
        assert 5 <= sum(known) <= 11
        assert all(known[-5:])


async def test_memory_is_told_nothing(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """A storage backend that keeps nothing beyond the process is not bothered."""
    storage = durable_storage
    storage.durability = "memory"
    async with open_with({"c": FailingChannel()}, storage=storage, drain=0.0) as observatory:
        await send(observatory)
        await trio.sleep(60)
    assert all(isinstance(entry, Message) for entry in storage.log)


async def test_told_every_second(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """Storage hears of what has changed, together and once."""
    storage = durable_storage
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        messages = [await send(observatory) for _ in range(3)]
        assert storage.told(DeliveryRecord) == []
        await trio.sleep(1.1)
        assert [record.id for record in storage.told(DeliveryRecord)] == [message.id for message in messages]
        await trio.sleep(10)
        assert len(storage.told(DeliveryRecord)) == 3


async def test_told_at_the_end(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """What the lanes still carried out while closing is stored, too."""
    storage = durable_storage
    async with open_with({"c": FailingChannel(times=2)}, storage=storage) as observatory:
        message = await send(observatory)
    assert storage.told(DeliveryRecord)[-1].delivery.state == "written"
    async with open_with({"c": RecordingChannel()}, storage=storage, recover=()) as observatory:
        assert states(observatory, message) == {"c": ("written", 3)}


async def test_storage_that_cannot_be_told(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """It is told later, and senders do not notice."""
    storage = durable_storage
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        storage.deaf = True
        message = await send(observatory)
        await trio.sleep(5)
        assert storage.told(DeliveryRecord) == []
        storage.deaf = False
        await trio.sleep(1.1)
        assert [record.id for record in storage.told(DeliveryRecord)] == [message.id]


async def test_storage_forgets_with_the_ledger(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """What is beyond the bound leaves storage, too, once no delivery channel remembers it."""
    storage = durable_storage
    channels = {"c": RecordingChannel(), "d": RecordingChannel()}
    async with open_with(channels, storage=storage, required=("c", "d"), ledger=10) as observatory:
        messages = [await send(observatory) for _ in range(50)]
        await trio.sleep(1.1)
        kept: list[Any] = []
        await storage.replay(kept.extend)
        records = {each.id for each in kept if isinstance(each, DeliveryRecord)}
        assert records == {message.id for message in messages if observatory.deliveries(message.id)}
        assert {id for entry in storage.told(Forgotten) for id in entry.records} <= {each.id for each in messages}


@pytest.mark.parametrize("gone", ["c", "other"])
async def test_a_delivery_channel_that_is_gone(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock, gone: str
) -> None:
    """Records of a delivery channel that there is no more are passed over."""
    storage = durable_storage
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        message = await send(observatory)
    async with open_with({gone: RecordingChannel()}, storage=storage, recover=()) as observatory:
        assert bool(observatory.deliveries(message.id)) == (gone == "c")


async def test_a_smaller_bound_after_a_restart(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """What is too much now leaves memory and storage."""
    storage = durable_storage
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        messages = [await send(observatory) for _ in range(20)]
    async with open_with({"c": RecordingChannel()}, storage=storage, recover=(), ledger=6) as observatory:
        known = [message for message in messages if observatory.deliveries(message.id)]
        assert 3 <= len(known) <= 7
    kept: list[Any] = []
    await storage.replay(kept.extend)
    assert {each.id for each in kept if isinstance(each, DeliveryRecord)} == {message.id for message in known}


async def test_a_change_while_storage_is_told(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """What changes while the commit runs is told with the next one."""
    storage = durable_storage
    storage.seconds = 3.0
    async with open_with({"c": FailingChannel(times=4)}, storage=storage, retry_first=1.0) as observatory:
        await send(observatory)
        await trio.sleep(30)
        told = [record.delivery.state for record in storage.told(DeliveryRecord)]
        assert told[0] == "retrying"
        assert told[-1] == "written"


async def test_more_than_one_commit(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """Thousands of records are told in pieces, and all of them at the end."""
    storage = durable_storage
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        names = [f"agent-{number}" for number in range(2_500)]
        await observatory.mailbox.broadcast_to_many(names, "x", "hello")
    assert len(storage.told(DeliveryRecord)) == 2_500


async def test_closing_beside_a_full_lane(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """Observatory closes in its time although a batch still waits for room in a required lane."""
    storage = durable_storage
    async with open_with({"c": StuckChannel()}, storage=storage, required=("c",), lane_capacity=1) as observatory:
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(send, observatory)
        now = trio.current_time()
    assert trio.current_time() - now == pytest.approx(11.0)


async def test_closed(open_with: Any, durable_storage: Any) -> None:
    """Nothing is told any more then."""
    async with open_with({"c": RecordingChannel()}, storage=durable_storage) as observatory:
        pass
    with pytest.raises(ClosedError):
        await observatory.mailbox.record()


class Folder(FailingChannel):
    """Keeps what was delivered for the next Observatory, and fails so many times before."""

    recovers: ClassVar[bool] = True

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand over what is there."""
        await adopt(self.delivered)


@pytest.mark.parametrize("failures", [0, 5])
async def test_what_a_crash_has_taken(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock, failures: int
) -> None:
    """What was delivered without storage's being told is found out again at the next start, for good."""
    storage, folder = durable_storage, Folder(times=failures)
    with trio.CancelScope() as crash:
        async with open_with({"c": folder}, storage=storage) as observatory:
            message = await send(observatory)
            await trio.sleep(1.05 if failures else 0.0)
            storage.deaf = True
            told = [record.delivery.attempts for record in storage.told(DeliveryRecord)] or [0]
            await trio.sleep(5)
            assert states(observatory, message) == {"c": ("written", failures + 1)}
            crash.cancel()
    storage.deaf = False
    for recover in (None, ()):
        async with open_with({"c": folder}, storage=storage, recover=recover) as observatory:
            assert states(observatory, message) == {"c": ("written", told[-1])}


async def test_a_dead_letter_that_is_there_all_the_same(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock
) -> None:
    """What was given up stays given up, though the delivery channel finds something of it."""
    storage, folder = durable_storage, Folder()
    async with open_with({"c": folder}, storage=storage) as observatory:
        message = await send(observatory)
        await trio.sleep(60)
    folder.delivered = [message]
    async with open_with({"c": folder}, storage=storage) as observatory:
        assert states(observatory, message) == {"c": ("dead", 10)}
        assert [letter.message.id for letter in observatory.dead_letters()] == [message.id]
