"""The Mailbox's task dies, and runs again: what was in hand, what waited, and what the table holds then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    EssentialChildError,
    Message,
    MessagesRead,
    Observatory,
    OutcomeUnknownError,
    Post,
    Retraction,
)
from observatory.testing import FailingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
OpenBench = Callable[..., AbstractAsyncContextManager[Any]]


async def check_later(bench: Any) -> None:
    """Give lanes and Mailbox time, then see that everybody knows the same."""
    await trio.sleep(10)
    await bench.check()


async def test_not_committed(open_bench: OpenBench, autojump_clock: MockClock) -> None:
    """The request in hand has an unknown outcome; the table is what storage has: without it."""
    async with open_bench() as bench:
        await bench.send("1")
        bench.storage.breaks = "before"
        with pytest.raises(OutcomeUnknownError, match="with this request in hand"):
            await bench.send("2")
        await bench.send("3")
        assert bench.contents() == ["1", "3"]
        assert bench.restarts == 1
        await check_later(bench)


async def test_committed_all_the_same(open_bench: OpenBench, autojump_clock: MockClock) -> None:
    """What storage has committed is in the table, is published, is delivered, and wakes whoever waits for it."""
    async with open_bench() as bench, trio.open_nursery() as nursery:
        subscription = bench.obs.pubsub.subscribe("agent:*")
        received: list[Message] = []

        async def receive() -> None:
            received.append(await bench.mailbox.receive("b"))

        nursery.start_soon(receive)
        await bench.send("1")
        bench.storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await bench.send("2")
        bench.storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await bench.mailbox.send_message("b", "x", "3")
        await bench.send("4")
        assert bench.contents() == ["1", "2", "4"]
        assert [event.payload.content for event in await subscription.receive_batch()] == list("1234")
        await wait_all_tasks_blocked()
        assert [message.content for message in received] == ["3"]
        await check_later(bench)


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_acknowledging(open_bench: OpenBench, autojump_clock: MockClock, breaks: str) -> None:
    """Whether it was committed or not, it can be repeated, and the file goes."""
    async with open_bench() as bench:
        messages = [await bench.send(str(number)) for number in range(3)]
        subscription = bench.obs.pubsub.subscribe("agent:a")
        bench.storage.breaks = breaks
        with pytest.raises(OutcomeUnknownError):
            await bench.mailbox.mark_read("a", messages[1].id)
        await trio.sleep(10)
        assert bench.mailbox.unread_count("a") == (2 if breaks == "after" else 3)
        await bench.mailbox.mark_read("a", messages[1].id)
        assert bench.mailbox.unread_count("a") == 2
        assert [event.payload for event in await subscription.receive_batch()] == [MessagesRead("a", (messages[1].id,))]
        await check_later(bench)


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_clearing(open_bench: OpenBench, autojump_clock: MockClock, breaks: str) -> None:
    """Whether it was committed or not, the mailbox can be used on."""
    async with open_bench() as bench:
        for number in range(3):
            await bench.send(str(number))
        bench.storage.breaks = breaks
        with pytest.raises(OutcomeUnknownError):
            await bench.mailbox.clear_messages("a")
        await bench.send("new")
        assert bench.contents() == ([] if breaks == "after" else ["0", "1", "2"]) + ["new"]
        await check_later(bench)


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_evicting(open_bench: OpenBench, autojump_clock: MockClock, breaks: str) -> None:
    """What was to go has gone only if that was committed."""
    async with open_bench(mailbox={"max_messages": 2}) as bench:
        await bench.mailbox.mark_read("a", (await bench.send("1")).id, (await bench.send("2")).id)
        bench.storage.breaks = breaks
        with pytest.raises(OutcomeUnknownError):
            await bench.send("3")
        await trio.sleep(10)
        assert bench.contents(unread_only=False) == (["2", "3"] if breaks == "after" else ["1", "2"])
        await bench.send("4")
        await check_later(bench)


async def test_queued_requests_survive(open_bench: OpenBench, autojump_clock: MockClock) -> None:
    """What was not in hand waits for the next run, and is served in its order."""
    async with open_bench() as bench, trio.open_nursery() as nursery:
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
        assert bench.contents() == list("123")
        assert bench.restarts == 1
        await check_later(bench)


async def test_every_request_in_hand_is_answered(open_bench: OpenBench, autojump_clock: MockClock) -> None:
    """Of whatever kind it is; what was committed before the failure has its true answer."""
    async with open_bench() as bench, trio.open_nursery() as nursery:
        outcomes: dict[str, str] = {}

        async def note(name: str, function: Callable[..., Any], *arguments: Any) -> None:
            try:
                await function(*arguments)
                outcomes[name] = "done"
            except OutcomeUnknownError:
                outcomes[name] = "unknown"

        message = await bench.send("1")
        await bench.mailbox.send_message("b", "x", "")
        bench.storage.gate = trio.Event()
        nursery.start_soon(note, "first", bench.send, "2")
        await wait_all_tasks_blocked()
        # All that waits becomes one batch, in which each kind is one commit: the one that clears breaks.
        bench.storage.works = 2
        bench.storage.breaks = "before"
        nursery.start_soon(note, "acknowledge", bench.mailbox.mark_read, "a", message.id)
        nursery.start_soon(note, "clear", bench.mailbox.clear_messages, "b")
        nursery.start_soon(note, "broadcast", bench.mailbox.broadcast_to_many, ["a", "b"], "x", "3")
        nursery.start_soon(note, "send", bench.send, "4")
        await wait_all_tasks_blocked()
        bench.storage.gate.set()
        await trio.sleep(10)
        unknown = {"clear": "unknown", "broadcast": "unknown", "send": "unknown"}
        assert outcomes == {"first": "done", "acknowledge": "done", **unknown}
        await check_later(bench)


async def test_a_table_that_was_filled_in_part_is_not_used(open_bench: OpenBench, autojump_clock: MockClock) -> None:
    """When storage cannot be read at first, it is read again; until then reads give what was known before."""
    async with open_bench() as bench:
        for content in "123":
            await bench.send(content)
        bench.storage.breaks, bench.storage.replays_fail = "before", 3
        with pytest.raises(OutcomeUnknownError):
            await bench.send("lost")
        assert bench.contents() == list("123")
        await bench.send("4")
        assert bench.restarts == 4
        assert bench.contents() == list("1234")
        await check_later(bench)


async def test_a_table_that_is_sound_is_kept(open_bench: OpenBench, autojump_clock: MockClock) -> None:
    """When something else than a commit has failed, the Mailbox goes on with its table."""
    async with open_bench(mailbox={"cleanup_age": 1}) as bench:
        await bench.mailbox.mark_read("a", (await bench.send("1")).id)
        await bench.send("2")
        bench.storage.compact_breaks = True
        bench.storage.replays_fail = 1  # it would be noticed if the table was filled again
        await trio.sleep(90)
        await bench.send("3")
        assert bench.contents(unread_only=False) == ["2", "3"]
        assert (bench.restarts, bench.storage.replays_fail) == (1, 1)


async def test_failing_for_good_ends_the_application(
    open_here: Open, broken_storage: Any, autojump_clock: MockClock
) -> None:
    """Wrong answers would be worse than none."""

    async def use() -> None:
        async with open_here(storage=broken_storage) as obs:
            broken_storage.breaks, broken_storage.replays_fail = "before", 100
            with pytest.raises(OutcomeUnknownError):
                await obs.mailbox.send_message("a", "x", "hello")
            await trio.sleep_forever()

    with pytest.raises(EssentialChildError, match=r"module:Mailbox has failed for good .* cannot be read"):
        await use()


async def test_failing_while_it_starts(open_here: Open, broken_storage: Any, autojump_clock: MockClock) -> None:
    """What storage has is there in the end, once."""
    async with open_here(storage=broken_storage) as obs:
        for content in "123":
            await obs.mailbox.send_message("a", "x", content)
    broken_storage.replays_fail = 2
    async with open_here(storage=broken_storage) as obs:
        assert [message.content for message in obs.mailbox.get_messages("a")] == list("321")


SLOW = {"retry_first": 60.0, "retry_longest": 60.0, "retry_total": 1_000.0, "retry_attempts": 2}


async def break_once(obs: Observatory, storage: Any) -> None:
    """Let the table be filled again."""
    storage.breaks = "before"
    with pytest.raises(OutcomeUnknownError):
        await obs.mailbox.send_message("b", "x", "lost")
    await trio.sleep(10)


async def test_what_is_under_way_looks_at_the_new_table(
    open_here: Open, broken_storage: Any, autojump_clock: MockClock
) -> None:
    """A post that backs off while the table is filled again is still cancelled by an acknowledgement."""
    channel = FailingChannel(times=1)
    async with open_here(storage=broken_storage, channels={"c": channel}, delivery=SLOW) as obs:
        message = (await obs.mailbox.send_message("a", "x", "1")).message
        await break_once(obs, broken_storage)
        await obs.mailbox.mark_read("a", message.id)
        await trio.sleep(60)
    assert [type(job) for batch in channel.batches for job in batch] == [Post, Retraction]


async def test_a_dead_letter_looks_at_the_new_table(
    open_here: Open, broken_storage: Any, autojump_clock: MockClock
) -> None:
    """A dead letter from before the table was filled again is cancelled by an acknowledgement on its second way."""
    channel = FailingChannel(times=3)
    async with open_here(storage=broken_storage, channels={"c": channel}, delivery=SLOW) as obs:
        message = (await obs.mailbox.send_message("a", "x", "1")).message
        await trio.sleep(60)
        await break_once(obs, broken_storage)
        other = (await obs.mailbox.send_message("a", "x", "backs off")).message
        await wait_all_tasks_blocked()
        assert await obs.redeliver() == 1
        await wait_all_tasks_blocked()
        await obs.mailbox.mark_read("a", message.id)
        await trio.sleep(60)
        assert channel.ids("a") == [other.id]
        assert channel.jobs.count(Post(message, 1)) == 2


async def test_a_retraction_under_way(open_here: Open, broken_storage: Any, autojump_clock: MockClock) -> None:
    """A retraction that backs off while the table is filled again is carried out."""
    channel = FailingChannel(times=0)
    async with open_here(storage=broken_storage, channels={"c": channel}, delivery=SLOW) as obs:
        message = (await obs.mailbox.send_message("a", "x", "1")).message
        await wait_all_tasks_blocked()
        channel.left["a"] = 1
        await obs.mailbox.mark_read("a", message.id)
        await break_once(obs, broken_storage)
        assert channel.delivered == [message]
        await trio.sleep(60)
        assert channel.delivered == []


async def test_a_retraction_in_hand(
    open_here: Open, broken_storage: Any, gated_channel: Any, autojump_clock: MockClock
) -> None:
    """A retraction that is being carried out while the table is filled again goes on."""
    gated_channel.gate.set()
    async with open_here(storage=broken_storage, channels={"c": gated_channel}, delivery=SLOW) as obs:
        message = (await obs.mailbox.send_message("a", "x", "1")).message
        await wait_all_tasks_blocked()
        gated_channel.gate = trio.Event()
        await obs.mailbox.mark_read("a", message.id)
        await break_once(obs, broken_storage)
        gated_channel.gate.set()
        await wait_all_tasks_blocked()
        assert gated_channel.delivered == []
