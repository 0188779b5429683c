"""The Mailbox's task dies, and runs again: what was in hand, what waited, and what the table holds then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    ClosedError,
    Entry,
    EssentialChildError,
    MemoryStorage,
    Message,
    MessagesRead,
    Observatory,
    OutcomeUnknownError,
    StorageError,
    StoredMessage,
)
from observatory.testing import RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class BrokenStorage(MemoryStorage):
    """Breaks with an error that no storage backend should raise, before a commit or after it."""

    def __init__(self) -> None:
        super().__init__()
        self.works = 0  # commits that succeed before the one that breaks
        self.breaks: str | None = None
        self.gate = trio.Event()
        self.gate.set()
        self.replays_fail = 0

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit, unless it is to break."""
        await self.gate.wait()
        if self.works:
            self.works -= 1
            return await super().append(batch)
        breaks, self.breaks = self.breaks, None
        if breaks == "before":
            raise RuntimeError("broken before the commit")
        numbers = await super().append(batch)
        if breaks == "after":
            raise RuntimeError("broken after the commit")
        return numbers

    async def replay(self, apply: Callable[[Sequence[StoredMessage]], None]) -> None:
        """Replay what is live, or half of it and then fail."""
        if self.replays_fail:
            self.replays_fail -= 1
            await super().replay(lambda batch: apply(batch[:1]))
            raise StorageError("cannot be read")
        await super().replay(apply)


class Bench:
    """An Observatory on a storage that breaks, with a required delivery channel and a subscriber."""

    def __init__(self, obs: Observatory, storage: BrokenStorage, channel: RecordingChannel) -> None:
        self.obs = obs
        self.mailbox = obs.mailbox
        self.storage = storage
        self.channel = channel
        self.subscription = obs.pubsub.subscribe("agent:*")

    @property
    def restarts(self) -> int:
        """How often the Mailbox was started again."""
        (child,) = (child for child in self.obs.health().children if child.name == "module:Mailbox")
        return child.restarts

    async def send(self, content: str = "hello") -> Message:
        """Send a message to a."""
        return (await self.mailbox.send_message("a", "x", content)).message

    def contents(self) -> str:
        """Return what the mailbox of a holds, oldest first."""
        return "".join(message.content for message in reversed(self.mailbox.get_messages("a")))

    async def payloads(self) -> list[Any]:
        """Return what was published."""
        return [event.payload for event in await self.subscription.receive_batch()]

    async def check(self) -> None:
        """See that storage, delivery channel and table agree, and that nobody ever noticed anything else."""
        await trio.sleep(10)
        batches: list[Sequence[StoredMessage]] = []
        await self.storage.replay(batches.append)
        stored = [each.message for batch in batches for each in batch]
        assert stored == self.mailbox.get_messages("a")[::-1]
        assert self.channel.ids("a") == [message.id for message in stored if not message.read]
        assert self.obs.health().healthy


@pytest.fixture
def storage() -> BrokenStorage:
    """Return a storage backend that works until it is told to break."""
    return BrokenStorage()


@pytest.fixture
def channel() -> RecordingChannel:
    """Return a delivery channel that works."""
    return RecordingChannel()


@pytest.fixture
def open_bench(open_here: Open, storage: BrokenStorage, channel: RecordingChannel) -> Open:
    """Return what opens an Observatory on both."""

    def open_bench(**settings: Any) -> AbstractAsyncContextManager[Observatory]:
        return open_here(storage=storage, channels={"files": channel}, delivery={"required": ["files"]}, **settings)

    return open_bench


@pytest.fixture
def make_bench(storage: BrokenStorage, channel: RecordingChannel) -> Callable[[Observatory], Bench]:
    """Return what makes a bench of an open Observatory."""
    return lambda obs: Bench(obs, storage, channel)


MakeBench = Callable[[Observatory], Bench]


async def test_not_committed(open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock) -> None:
    """The request in hand has an unknown outcome; the table is what storage has: without it."""
    async with open_bench() as obs:
        bench = make_bench(obs)
        await bench.send("1")
        bench.storage.breaks = "before"
        with pytest.raises(OutcomeUnknownError, match="with this request in hand"):
            await bench.send("2")
        await bench.send("3")
        assert bench.contents() == "13"
        assert bench.restarts == 1
        await bench.check()


async def test_committed_all_the_same(open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock) -> None:
    """What storage has committed is in the table, is published, is delivered, and wakes whoever waits for it."""
    async with open_bench() as obs, trio.open_nursery() as nursery:
        bench = make_bench(obs)
        received: list[Message] = []

        async def receive() -> None:
            received.append(await obs.mailbox.receive("b"))

        nursery.start_soon(receive)
        await bench.send("1")
        bench.storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await bench.send("2")
        bench.storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await obs.mailbox.send_message("b", "x", "3")
        await bench.send("4")
        assert bench.contents() == "124"
        assert [payload.content for payload in await bench.payloads()] == ["1", "2", "3", "4"]
        await wait_all_tasks_blocked()
        assert [message.content for message in received] == ["3"]
        await obs.mailbox.clear_messages("b")
        await bench.check()


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_acknowledging(open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock, breaks: str) -> None:
    """Whether it was committed or not, it can be repeated, and the file goes."""
    async with open_bench() as obs:
        bench = make_bench(obs)
        messages = [await bench.send(str(number)) for number in range(3)]
        await bench.payloads()
        bench.storage.breaks = breaks
        with pytest.raises(OutcomeUnknownError):
            await obs.mailbox.mark_read("a", messages[1].id)
        await trio.sleep(10)
        assert obs.mailbox.unread_count("a") == (2 if breaks == "after" else 3)
        await obs.mailbox.mark_read("a", messages[1].id)
        assert obs.mailbox.unread_count("a") == 2
        assert await bench.payloads() == [MessagesRead("a", (messages[1].id,))]
        await bench.check()


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_clearing(open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock, breaks: str) -> None:
    """Whether it was committed or not, the mailbox can be used on."""
    async with open_bench() as obs:
        bench = make_bench(obs)
        for number in range(3):
            await bench.send(str(number))
        bench.storage.breaks = breaks
        with pytest.raises(OutcomeUnknownError):
            await obs.mailbox.clear_messages("a")
        await bench.send("new")
        assert bench.contents() == ("new" if breaks == "after" else "012new")
        await bench.check()


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_evicting(open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock, breaks: str) -> None:
    """What was to go has gone only if that was committed."""
    async with open_bench(mailbox={"max_messages": 2}) as obs:
        bench = make_bench(obs)
        await obs.mailbox.mark_read("a", (await bench.send("1")).id, (await bench.send("2")).id)
        bench.storage.breaks = breaks
        with pytest.raises(OutcomeUnknownError):
            await bench.send("3")
        await trio.sleep(10)
        assert bench.contents() == ("23" if breaks == "after" else "12")
        await bench.send("4")
        await bench.check()


async def test_queued_requests_survive(open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock) -> None:
    """What was not in hand waits for the next run, and is served in its order."""
    async with open_bench() as obs, trio.open_nursery() as nursery:
        bench = make_bench(obs)
        bench.storage.gate = trio.Event()
        bench.storage.breaks = "before"

        async def lose() -> None:
            with pytest.raises(OutcomeUnknownError):
                await bench.send("lost")

        nursery.start_soon(lose)
        for content in "123":
            await wait_all_tasks_blocked()
            nursery.start_soon(bench.send, content)
        await wait_all_tasks_blocked()
        bench.storage.gate.set()
        await trio.sleep(10)
        assert bench.contents() == "123"
        assert bench.restarts == 1
        await bench.check()


async def test_every_request_in_hand_is_answered(
    open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock
) -> None:
    """Of whatever kind it is; what was committed before the failure has its true answer."""
    async with open_bench() as obs, trio.open_nursery() as nursery:
        bench = make_bench(obs)
        outcomes: dict[str, str] = {}

        async def note(name: str, function: Callable[..., Any], *arguments: Any) -> None:
            try:
                await function(*arguments)
                outcomes[name] = "done"
            except OutcomeUnknownError:
                outcomes[name] = "unknown"

        message = await bench.send("1")
        await obs.mailbox.send_message("b", "x", "")
        bench.storage.gate = trio.Event()
        nursery.start_soon(note, "first", bench.send, "2")
        await wait_all_tasks_blocked()
        # All that waits becomes one batch, in which each kind is one commit: the one that clears breaks.
        bench.storage.works = 2
        bench.storage.breaks = "before"
        nursery.start_soon(note, "acknowledge", obs.mailbox.mark_read, "a", message.id)
        nursery.start_soon(note, "clear", obs.mailbox.clear_messages, "b")
        nursery.start_soon(note, "broadcast", obs.mailbox.broadcast_to_many, ["a", "b"], "x", "3")
        nursery.start_soon(note, "send", bench.send, "4")
        await wait_all_tasks_blocked()
        bench.storage.gate.set()
        await trio.sleep(10)
        unknown = {"clear": "unknown", "broadcast": "unknown", "send": "unknown"}
        assert outcomes == {"first": "done", "acknowledge": "done", **unknown}
        await obs.mailbox.clear_messages("b")
        await bench.check()


async def test_a_table_that_was_filled_in_part_is_not_used(
    open_bench: Open, make_bench: MakeBench, autojump_clock: MockClock
) -> None:
    """When storage cannot be read at first, it is read again; until then reads give what was known before."""
    async with open_bench() as obs:
        bench = make_bench(obs)
        for content in "123":
            await bench.send(content)
        bench.storage.breaks, bench.storage.replays_fail = "before", 3
        with pytest.raises(OutcomeUnknownError):
            await bench.send("lost")
        assert bench.contents() == "123"
        await bench.send("4")
        assert bench.restarts == 4
        assert bench.contents() == "1234"
        await bench.check()


async def test_a_table_that_is_sound_is_kept(open_here: Open, autojump_clock: MockClock) -> None:
    """When something else than a commit has failed, the Mailbox goes on with its table."""

    class Clumsy(BrokenStorage):
        async def compact(self) -> None:
            self.replays_fail = 1  # it would be noticed if the table was filled again
            raise RuntimeError("broken while compacting")

    storage = Clumsy()
    async with open_here(storage=storage, mailbox={"cleanup_age": 1}) as obs:
        await obs.mailbox.mark_read("a", (await obs.mailbox.send_message("a", "x", "1")).message.id)
        await obs.mailbox.send_message("a", "x", "2")
        await trio.sleep(90)
        await obs.mailbox.send_message("a", "x", "3")
        assert [message.content for message in obs.mailbox.get_messages("a")] == ["3", "2"]
        assert storage.replays_fail == 1
        assert [child.restarts for child in obs.health().children if child.name == "module:Mailbox"] == [1]


async def test_failing_for_good_ends_the_application(open_here: Open, autojump_clock: MockClock) -> None:
    """Wrong answers would be worse than none."""
    storage = BrokenStorage()

    async def use() -> None:
        async with open_here(storage=storage) as obs:
            storage.breaks, storage.replays_fail = "before", 100
            with pytest.raises(OutcomeUnknownError):
                await obs.mailbox.send_message("a", "x", "hello")
            await trio.sleep_forever()

    with pytest.raises(EssentialChildError, match=r"module:Mailbox has failed for good .* cannot be read"):
        await use()


async def test_failing_while_it_starts(open_here: Open, autojump_clock: MockClock) -> None:
    """What storage has is there in the end, once."""
    storage = BrokenStorage()
    async with open_here(storage=storage) as obs:
        for content in "123":
            await obs.mailbox.send_message("a", "x", content)
    storage.replays_fail = 2
    async with open_here(storage=storage) as obs:
        assert [message.content for message in obs.mailbox.get_messages("a")] == list("321")


class TestCancelledObservatory:
    """When an Observatory is cancelled, nobody outside of it waits for ever."""

    @pytest.fixture
    def gated(self) -> BrokenStorage:
        """Return a storage backend that never commits."""
        storage = BrokenStorage()
        storage.gate = trio.Event()
        return storage

    async def test_requests(self, open_here: Open, gated: BrokenStorage) -> None:
        """What is in hand has an unknown outcome, what waits has not happened, and nothing is accepted any more."""
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with open_here(storage=gated, mailbox={"max_requests": 1}) as obs:
                    send = obs.mailbox.send_message
                    nursery.start_soon(expect, OutcomeUnknownError, "in hand", send, "a", "x", "")
                    await wait_all_tasks_blocked()
                    for _ in range(3):  # one waits, two are held back
                        nursery.start_soon(expect, ClosedError, "nothing has happened", send, "a", "x", "")
                    await wait_all_tasks_blocked()
                    scope.cancel()
                    await trio.sleep_forever()
        await expect(ClosedError, "closing", obs.mailbox.send_message, "a", "x", "")
        await expect(ClosedError, "closing", obs.mailbox.mark_read, "a", "0" * 16)

    async def test_waiting_for_messages(self, open_here: Open) -> None:
        """`receive` and `request` say that nothing will come."""
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with open_here() as obs:
                    nursery.start_soon(expect, ClosedError, "no message will come", obs.mailbox.receive, "a")
                    nursery.start_soon(expect, ClosedError, "has not come", obs.mailbox.request, "b", "x", "?")
                    await wait_all_tasks_blocked()
                    scope.cancel()
                    await trio.sleep_forever()
        await expect(ClosedError, "no message will come", obs.mailbox.receive, "a")


async def expect(kind: type[Exception], match: str, function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function that must raise."""
    with pytest.raises(kind, match=match):
        await function(*arguments)
