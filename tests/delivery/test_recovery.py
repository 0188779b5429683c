"""Recovery: delivery channels that find again what an earlier process has delivered."""

from collections.abc import Collection, Sequence
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import Adopt, MemoryStorage, Message, Post, Read, Retraction
from observatory.testing import RecordingChannel
from observatory.testing.samples import messages


class RememberingChannel(RecordingChannel):
    """Finds messages of an earlier process."""

    recovers = True

    def __init__(self, *found: Message, failures: int = 0) -> None:
        super().__init__()
        self.delivered = list(found)
        self.calls: list[Any] = []
        self._failures = failures

    async def start(self) -> None:
        """Note the call."""
        await super().start()
        self.calls.append("start")

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand over what is there."""
        self.calls.append(agents)
        if len(self.calls) - 1 <= self._failures:
            raise OSError("no disk")
        await adopt([message for message in self.delivered if agents is None or message.to in agents])


async def stored(*entries: Any) -> MemoryStorage:
    """Return a storage backend that remembers."""
    storage = MemoryStorage()
    await storage.append(entries)
    return storage


def ids(found: Sequence[Message]) -> list[str]:
    """Return the ids of messages."""
    return [message.id for message in found]


async def test_what_is_found_is_in_the_table(open_with: Any) -> None:
    """A recovered message is unread in its mailbox, and not delivered to where it was found."""
    first, second = messages("a", "a")
    channel, other = RememberingChannel(first, second), RecordingChannel()
    async with open_with({"c": channel, "d": other}, required=("c",)) as observatory:
        assert observatory.mailbox.get_messages("a", unread_only=True) == [second, first]
        await wait_all_tasks_blocked()
    assert channel.calls == ["start", None]
    assert channel.jobs == other.jobs == []


async def test_only_the_agents_that_are_asked_for(open_with: Any) -> None:
    """`recover` names whose messages are looked for."""
    channel = RememberingChannel(*messages("a", "b"))
    async with open_with({"c": channel}, recover=["b"]) as observatory:
        assert list(observatory.mailbox.get_stats()) == ["b"]
    assert channel.calls == ["start", ["b"]]


async def test_what_is_missing_is_delivered_again(open_with: Any) -> None:
    """What storage knows as unread and the delivery channel has lost goes there, and nowhere else."""
    kept, lost = messages("a", "a")
    channel, other = RememberingChannel(kept), RecordingChannel()
    async with open_with({"c": channel, "d": other}, storage=await stored(kept, lost)) as observatory:
        assert observatory.mailbox.unread_count("a") == 2
        await wait_all_tasks_blocked()
    assert channel.jobs == [Post(lost, 2)]
    assert other.jobs == []


async def test_what_was_acknowledged_is_taken_back(open_with: Any) -> None:
    """What storage knows as read, and is still there, is removed, and stays acknowledged."""
    (message,) = messages("a")
    channel, other = RememberingChannel(message), RecordingChannel()
    async with open_with({"c": channel, "d": other}, storage=await stored(message, Read("a", (1,)))) as observatory:
        assert observatory.mailbox.unread_count("a") == 0
        await wait_all_tasks_blocked()
    assert channel.jobs == [Retraction("a", message.id)]
    assert other.jobs == []


async def test_a_recovery_that_fails_is_tried_again(open_with: Any, autojump_clock: MockClock) -> None:
    """The Mailbox opens once its delivery channels could be asked."""
    found = messages("a")
    channel = RememberingChannel(*found, failures=2)
    async with open_with({"c": channel}) as observatory:
        assert ids(observatory.mailbox.get_messages("a")) == ids(found)
    assert channel.calls == ["start", None, None, None]


async def test_opened_once(open_with: Any, autojump_clock: MockClock) -> None:
    """A delivery channel that recovers while its lane delivers already is opened once."""

    class Slow(RememberingChannel):
        async def start(self) -> None:
            await super().start()
            await trio.sleep(1)

    first, second = messages("a", "b")
    storage = await stored(first, Read("a", (1,)))
    channels = {"first": RememberingChannel(first), "second": Slow(second)}
    async with open_with(channels, storage=storage) as observatory:
        assert channels["second"].calls == ["start", None]
        await wait_all_tasks_blocked()
        assert observatory.mailbox.unread_count("b") == 1
