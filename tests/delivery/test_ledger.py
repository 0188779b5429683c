"""The ledger: how far each delivery channel has come with each message, also after a restart."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    ClosedError,
    DeadLetter,
    DeliveryRecord,
    Durability,
    Entry,
    Forgotten,
    MemoryStorage,
    Message,
    Observatory,
    Settled,
    StorageError,
)
from observatory.testing import FailingChannel, RecordingChannel, StuckChannel


class DurableStorage(MemoryStorage):
    """Outlives the Observatory, keeps what it was told, and can fail to be told of deliveries."""

    durability: ClassVar[Durability] = "fsynced"

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Entry] = []
        self.deaf = False

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Keep the batch, or fail."""
        if self.deaf and isinstance(batch[0], DeliveryRecord | DeadLetter | Settled | Forgotten):
            raise StorageError("planned by the test")
        numbers = await super().append(batch)
        self.log.extend(batch)
        return numbers

    def told(self, kind: type[Any]) -> list[Any]:
        """Return the entries of one kind."""
        return [entry for entry in self.log if isinstance(entry, kind)]


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


async def test_memory_is_told_nothing(open_with: Any, autojump_clock: MockClock) -> None:
    """A storage backend that keeps nothing beyond the process is not bothered."""

    class Forgetful(DurableStorage):
        durability: ClassVar[Durability] = "memory"

    storage = Forgetful()
    async with open_with({"c": FailingChannel()}, storage=storage, drain=0.0) as observatory:
        await send(observatory)
        await trio.sleep(60)
    assert all(isinstance(entry, Message) for entry in storage.log)


async def test_told_every_second(open_with: Any, autojump_clock: MockClock) -> None:
    """Storage hears of what has changed, together and once."""
    storage = DurableStorage()
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        messages = [await send(observatory) for _ in range(3)]
        assert storage.told(DeliveryRecord) == []
        await trio.sleep(1.1)
        assert [record.id for record in storage.told(DeliveryRecord)] == [message.id for message in messages]
        await trio.sleep(10)
        assert len(storage.told(DeliveryRecord)) == 3


async def test_told_at_the_end(open_with: Any, autojump_clock: MockClock) -> None:
    """What the lanes still carried out while closing is stored, too."""
    storage = DurableStorage()
    async with open_with({"c": FailingChannel(times=2)}, storage=storage) as observatory:
        message = await send(observatory)
    assert storage.told(DeliveryRecord)[-1].delivery.state == "written"
    async with open_with({"c": RecordingChannel()}, storage=storage, recover=()) as observatory:
        assert states(observatory, message) == {"c": ("written", 3)}


async def test_storage_that_cannot_be_told(open_with: Any, autojump_clock: MockClock) -> None:
    """It is told later, and senders do not notice."""
    storage = DurableStorage()
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        storage.deaf = True
        message = await send(observatory)
        await trio.sleep(5)
        assert storage.told(DeliveryRecord) == []
        storage.deaf = False
        await trio.sleep(1.1)
        assert [record.id for record in storage.told(DeliveryRecord)] == [message.id]


async def test_storage_forgets_with_the_ledger(open_with: Any, autojump_clock: MockClock) -> None:
    """What is beyond the bound leaves storage, too, once no delivery channel remembers it."""
    storage = DurableStorage()
    channels = {"c": RecordingChannel(), "d": RecordingChannel()}
    async with open_with(channels, storage=storage, required=("c", "d"), ledger=10) as observatory:
        messages = [await send(observatory) for _ in range(50)]
        await trio.sleep(1.1)
        kept: list[Any] = []
        await storage.replay(kept.extend)
        records = {each.id for each in kept if isinstance(each, DeliveryRecord)}
        assert records == {message.id for message in messages if observatory.deliveries(message.id)}
        assert {id for entry in storage.told(Forgotten) for id in entry.records} <= {each.id for each in messages}


async def test_dead_letters_survive(open_with: Any, autojump_clock: MockClock) -> None:
    """After a restart they are listed, are not tried by themselves, and can be delivered again."""
    storage = DurableStorage()

    class Recovering(RecordingChannel):
        recovers = True

        async def recover(self, agents: Any, adopt: Any) -> None:
            await trio.lowlevel.checkpoint()

    async with open_with({"c": FailingChannel()}, storage=storage, retry_attempts=1) as observatory:
        message = await send(observatory)
        await wait_all_tasks_blocked()
        letters = observatory.dead_letters()
        assert len(letters) == 1
    channel = Recovering()
    async with open_with({"c": channel}, storage=storage) as observatory:
        await trio.sleep(10)
        assert (observatory.dead_letters(), channel.delivered) == (letters, [])
        assert await observatory.redeliver() == 1
        await wait_all_tasks_blocked()
        assert channel.delivered == [message]
    assert storage.told(Settled) == [Settled("c", (message.id,))]
    async with open_with({"c": Recovering()}, storage=storage) as observatory:
        assert observatory.dead_letters() == ()


async def test_an_acknowledged_dead_letter_is_settled(open_with: Any, autojump_clock: MockClock) -> None:
    """It is gone after a restart as well."""
    storage = DurableStorage()
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage, drain=0.0) as observatory:
        message = await send(observatory)
        await trio.sleep(2)
        assert len(storage.told(DeadLetter)) == 1
        await observatory.mailbox.mark_read("a", message.id)
    async with open_with({"c": RecordingChannel()}, storage=storage) as observatory:
        assert observatory.dead_letters() == ()


async def test_the_oldest_dead_letter_is_settled(open_with: Any, autojump_clock: MockClock) -> None:
    """What had to go at the bound leaves storage, too."""
    storage = DurableStorage()
    channel = FailingChannel(math.inf, permanent=True)
    async with open_with({"c": channel}, storage=storage, dead_letters=2) as observatory:
        messages = [await send(observatory) for _ in range(3)]
        await wait_all_tasks_blocked()
        listed = observatory.dead_letters()
        assert [letter.message for letter in listed] == messages[1:]
    async with open_with({"c": RecordingChannel()}, storage=storage) as observatory:
        assert observatory.dead_letters() == listed


@pytest.mark.parametrize("gone", ["c", "other"])
async def test_a_delivery_channel_that_is_gone(open_with: Any, autojump_clock: MockClock, gone: str) -> None:
    """Records of a delivery channel that there is no more are passed over."""
    storage = DurableStorage()
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        message = await send(observatory)
    async with open_with({gone: RecordingChannel()}, storage=storage, recover=()) as observatory:
        assert bool(observatory.deliveries(message.id)) == (gone == "c")


async def test_a_smaller_bound_after_a_restart(open_with: Any, autojump_clock: MockClock) -> None:
    """What is too much now leaves memory and storage."""
    storage = DurableStorage()
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        messages = [await send(observatory) for _ in range(20)]
    async with open_with({"c": RecordingChannel()}, storage=storage, recover=(), ledger=6) as observatory:
        known = [message for message in messages if observatory.deliveries(message.id)]
        assert 3 <= len(known) <= 7
    kept: list[Any] = []
    await storage.replay(kept.extend)
    assert {each.id for each in kept if isinstance(each, DeliveryRecord)} == {message.id for message in known}


async def test_a_change_while_storage_is_told(open_with: Any, autojump_clock: MockClock) -> None:
    """What changes while the commit runs is told with the next one."""

    class Slow(DurableStorage):
        async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
            if not isinstance(batch[0], Message):
                await trio.sleep(3)
            return await super().append(batch)

    storage = Slow()
    async with open_with({"c": FailingChannel(times=4)}, storage=storage, retry_first=1.0) as observatory:
        await send(observatory)
        await trio.sleep(30)
        told = [record.delivery.state for record in storage.told(DeliveryRecord)]
        assert told[0] == "retrying"
        assert told[-1] == "written"


async def test_a_dead_letter_without_its_message(open_with: Any, autojump_clock: MockClock) -> None:
    """A letter that a crash has left although its message was acknowledged is passed over."""
    storage = DurableStorage()
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        message = await send(observatory)
        await wait_all_tasks_blocked()
        (letter,) = observatory.dead_letters()
        await observatory.mailbox.mark_read("a", message.id)
    await storage.append([letter])
    async with open_with({"c": RecordingChannel()}, storage=storage, recover=()) as observatory:
        assert observatory.dead_letters() == ()


async def test_two_who_tell_at_once(open_with: Any, autojump_clock: MockClock) -> None:
    """What changes while two commits of the ledger wait is told all the same."""
    storage = DurableStorage()
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        await send(observatory)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(observatory.mailbox.record)
            nursery.start_soon(send, observatory)
        await wait_all_tasks_blocked()
    listed = observatory.dead_letters()
    kept: list[Any] = []
    await storage.replay(kept.extend)
    assert [each for each in kept if isinstance(each, DeadLetter)] == list(listed)
    assert len(listed) == 2


async def test_dead_letters_that_come_and_go_untold(open_with: Any, autojump_clock: MockClock) -> None:
    """Of a letter that storage never heard of, it does not hear that it is settled, either."""
    storage = DurableStorage()
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        storage.deaf = True
        message = await send(observatory)
        await wait_all_tasks_blocked()
        await observatory.mailbox.mark_read("a", message.id)
        storage.deaf = False
        await trio.sleep(2)
        assert storage.told(DeadLetter) == storage.told(Settled) == []


async def test_more_than_one_commit(open_with: Any, autojump_clock: MockClock) -> None:
    """Thousands of records are told in pieces, and all of them at the end."""
    storage = DurableStorage()
    async with open_with({"c": RecordingChannel()}, storage=storage, required=("c",)) as observatory:
        names = [f"agent-{number}" for number in range(2_500)]
        await observatory.mailbox.broadcast_to_many(names, "x", "hello")
    assert len(storage.told(DeliveryRecord)) == 2_500


async def test_closing_beside_a_full_lane(open_with: Any, autojump_clock: MockClock) -> None:
    """Observatory closes in its time although a batch still waits for room in a required lane."""
    storage = DurableStorage()
    async with open_with({"c": StuckChannel()}, storage=storage, required=("c",), lane_capacity=1) as observatory:
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(send, observatory)
        now = trio.current_time()
    assert trio.current_time() - now == pytest.approx(11.0)


async def test_closed(open_with: Any) -> None:
    """Nothing is told any more then."""
    async with open_with({"c": RecordingChannel()}, storage=DurableStorage()) as observatory:
        pass
    with pytest.raises(ClosedError):
        await observatory.mailbox.record()


async def test_a_dead_letter_that_is_tried_again_while_storage_is_told(
    open_with: Any, autojump_clock: MockClock
) -> None:
    """When it is given up once more, storage holds the newer letter."""

    class Slow(DurableStorage):
        async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
            if any(isinstance(entry, DeadLetter) for entry in batch):
                await trio.sleep(3)
            return await super().append(batch)

    storage = Slow()
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        message = await send(observatory)
        await trio.sleep(1.5)
        assert await observatory.redeliver() == 1
        await trio.sleep(10)
        listed = observatory.dead_letters()
        assert [letter.message for letter in listed] == [message]
    kept: list[Any] = []
    await storage.replay(kept.extend)
    assert [each for each in kept if isinstance(each, DeadLetter)] == list(listed)
