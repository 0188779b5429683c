"""What a trace tells of the way of one message."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import HookEvent, Message, Observatory, Trace
from observatory.testing import FailingChannel, RecordingChannel
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]

ERROR = "planned by the test"


def trace_of(obs: Observatory, message: Message) -> Trace:
    """Return the trace of a message, which must have one."""
    trace = obs.traces.get_trace(message.id)
    assert trace is not None
    assert sorted(trace.hops, key=lambda hop: hop.at) == list(trace.hops)
    return trace


def way(obs: Observatory, message: Message) -> list[tuple[str, str | None, str | None]]:
    """Return what has happened to a message after it was published."""
    hops: list[tuple[str, str | None, str | None]] = [
        (hop.name, hop.channel, hop.detail) for hop in trace_of(obs, message).hops
    ]
    assert hops[:3] == [("accepted", None, None), ("committed", None, None), ("published", None, None)]
    return hops[3:]


async def send(obs: Observatory, content: str = "hello", to: str = "a") -> Message:
    """Send a message."""
    return (await obs.mailbox.send_message(to, "x", content, type="question")).message


async def test_what_it_is_of(open_here: Open) -> None:
    """A trace says whose message it is, and holds nothing of what that says."""
    async with open_here() as obs:
        await send(obs)
        message = await send(obs, "secret")
        trace = trace_of(obs, message)
        assert (trace.id, trace.from_, trace.to, trace.type) == (message.id, "x", "a", "question")
        assert (trace.sequence, trace.origin, trace.accepted) == (2, None, message.timestamp)
        assert "secret" not in repr(trace)


async def test_delivered_and_acknowledged(open_here: Open) -> None:
    """Each delivery channel reports for itself, and the recipient acknowledges."""
    channels = {"files": RecordingChannel(), "more": RecordingChannel()}
    async with open_here(channels=channels, delivery={"required": ["files", "more"]}) as obs:
        message = await send(obs)
        await obs.mailbox.mark_read("a", message.id)
        *written, last = way(obs, message)
        assert sorted(written) == [("written", "files", None), ("written", "more", None)]  # each in its own time
        assert last == ("acknowledged", None, None)
        assert trace_of(obs, message).hops[0].at == message.timestamp


async def test_when_it_was_committed(open_here: Open, gated_storage: Any, autojump_clock: MockClock) -> None:
    """A commit that takes its time shows: what was accepted at once was committed and published later."""
    gated_storage.gate.set()
    async with open_here(storage=gated_storage) as obs, trio.open_nursery() as nursery:
        gated_storage.gate = trio.Event()
        nursery.start_soon(send, obs)
        await trio.sleep(3)
        gated_storage.gate.set()
        await wait_all_tasks_blocked()
        (trace,) = obs.traces.get_traces()
        accepted, committed, published = [hop.at for hop in trace.hops]
        assert committed - accepted == pytest.approx(timedelta(seconds=3), abs=timedelta(milliseconds=1))
        assert published - committed < timedelta(milliseconds=1)


async def test_tried_again(open_here: Open, autojump_clock: MockClock) -> None:
    """Every attempt that failed is a hop, with the reason."""
    async with open_here(channels={"files": FailingChannel(2)}) as obs:
        message = await send(obs)
        await trio.sleep(60)
        failed = ("retrying", "files", ERROR)
        assert way(obs, message) == [failed, failed, ("written", "files", None)]


async def test_behind_one_that_is_tried_again(open_here: Open, autojump_clock: MockClock) -> None:
    """What comes while its recipient is backing off is queued first."""
    async with open_here(channels={"files": FailingChannel(1)}) as obs:
        await send(obs)
        await wait_all_tasks_blocked()
        second = await send(obs)
        await trio.sleep(60)
        assert way(obs, second) == [("queued", "files", ERROR), ("written", "files", None)]


async def test_given_up_and_redelivered(open_here: Open) -> None:
    """A dead letter is one of its hops, and that it came in the end another."""
    channel = FailingChannel(permanent=True)
    async with open_here(channels={"files": channel}) as obs:
        message = await send(obs)
        await wait_all_tasks_blocked()
        channel.left["a"] = 0
        await obs.redeliver()
        await wait_all_tasks_blocked()
        assert way(obs, message) == [("dead", "files", ERROR), ("written", "files", None)]


async def test_acknowledged_before_it_was_delivered(open_here: Open, gated_channel: Any) -> None:
    """A delivery channel that has not come to it drops it."""
    async with open_here(channels={"files": gated_channel}) as obs:
        await send(obs)
        await wait_all_tasks_blocked()  # the first one is in hand, and holds up what follows
        message = await send(obs)
        await obs.mailbox.mark_read("a", message.id)
        gated_channel.gate.set()
        await wait_all_tasks_blocked()
        dropped = ("dropped", "files", "acknowledged before it was delivered")
        assert way(obs, message) == [("acknowledged", None, None), dropped]


async def test_cleared(open_here: Open) -> None:
    """The owner has removed it, whether it was read or not."""
    async with open_here() as obs:
        read, unread = await send(obs), await send(obs)
        await obs.mailbox.mark_read("a", read.id)
        await obs.mailbox.clear_messages("a")
        assert way(obs, read) == [("acknowledged", None, None), ("cleared", None, None)]
        assert way(obs, unread) == [("cleared", None, None)]


async def test_expired(open_here: Open, autojump_clock: MockClock) -> None:
    """Nobody has acknowledged it in time."""
    async with open_here() as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello", expires_in=5)).message
        await trio.sleep(10)
        assert way(obs, message) == [("expired", None, None)]


async def test_taken_from_where_it_was_delivered(open_here: Open) -> None:
    """A recipient that takes its file away has acknowledged it."""
    async with open_here() as obs:
        message = await send(obs)
        await obs.mailbox.taken("a", [message.id])
        assert way(obs, message) == [("acknowledged", None, None)]


async def test_of_another_process(open_here: Open) -> None:
    """It says where it was found; when it was accepted is for that process to say."""
    async with open_here(channels={"files": RecordingChannel()}) as obs:
        (message,) = messages("a")
        await obs.mailbox.adopt([message], "files")
        trace = trace_of(obs, message)
        assert (trace.origin, trace.hops[0].at) == ("files", message.timestamp)
        assert obs.traces.get_statistics().latencies == ()


async def test_surfaced(open_here: Open) -> None:
    """Whoever puts messages before their recipient says so; of one that is not known any more it may as well."""
    async with open_here() as obs:
        message = await send(obs)
        obs.traces.note_surfaced([message.id, "0" * 16], "mcp")
        assert way(obs, message) == [("surfaced", None, "mcp")]


async def test_what_happens_meanwhile(open_here: Open) -> None:
    """Its recipient's events are hops for as long as it is unread, and nobody else's are."""
    async with open_here() as obs:

        def tell(name: str, session: str, agent: str | None = None) -> None:
            obs.pubsub.publish("events:stream", HookEvent(name, session, obs.clock.now(), agent))

        tell("SessionStart", "a")
        message = await send(obs)
        tell("PreToolUse", "a")
        tell("Stop", "b")
        obs.pubsub.publish("events:stream", {"name": "of another kind"})
        tell("PostToolUse", "s-1", "a")
        await obs.mailbox.mark_read("a", message.id)
        tell("Stop", "a")
        await wait_all_tasks_blocked()
        events = [("event", None, "PreToolUse"), ("event", None, "PostToolUse")]
        assert way(obs, message) == [*events, ("acknowledged", None, None)]


async def test_busy_meanwhile(open_here: Open) -> None:
    """Events have what room the other hops leave, and do not count in the figures."""
    async with open_here() as obs:
        message = await send(obs)
        for number in range(150):
            obs.pubsub.publish("events:stream", HookEvent(f"{number}-{'x' * 300}", "a", obs.clock.now()))
        await wait_all_tasks_blocked()
        hops = trace_of(obs, message).hops
        assert [hop.name for hop in hops[:4]] == ["accepted", "committed", "published", "event"]
        assert (len(hops), hops[-1].detail) == (100, f"149-{'x' * 196}")
        assert [one.hop for one in obs.traces.get_statistics().latencies] == ["committed", "published"]


async def test_odd_events(open_here: Open) -> None:
    """Whose agent has no name, or that know no time, harm nobody."""
    async with open_here() as obs:
        message = await send(obs)
        odd: Any = ["a"]
        for event in (
            HookEvent("Stop", odd, obs.clock.now()),
            HookEvent("Stop", "a", obs.clock.now(), ""),
            HookEvent("naive", "a", obs.clock.now().replace(tzinfo=None)),
        ):
            obs.pubsub.publish("events:stream", event)
        await wait_all_tasks_blocked()
        assert way(obs, message) == [("event", None, "naive")]
        assert obs.health().healthy
        assert sum(child.restarts for child in obs.health().children) == 0


async def test_a_file_with_the_id_of_another_message(open_here: Open) -> None:
    """It takes nobody's place."""
    async with open_here(channels={"files": RecordingChannel()}) as obs:
        message = await send(obs)
        await obs.mailbox.adopt([attrs.evolve(message, from_="mallory", to="eve")], "files")
        assert (trace_of(obs, message).from_, trace_of(obs, message).to) == ("x", "a")


async def test_of_a_clock_that_is_ahead(open_here: Open) -> None:
    """That it was accepted comes first, whenever that was."""
    async with open_here(channels={"files": RecordingChannel()}) as obs:
        (message,) = messages("a")
        ahead = attrs.evolve(message, timestamp=datetime(9999, 12, 31, 23, tzinfo=UTC))
        await obs.mailbox.adopt([ahead], "files")
        trace = obs.traces.get_trace(message.id)
        assert trace is not None
        assert [hop.name for hop in trace.hops] == ["accepted", "committed", "published"]


async def test_known_only_after_its_commit_failed(open_here: Open, broken_storage: Any) -> None:
    """What was committed all the same has a trace, once that is found out."""
    async with open_here(storage=broken_storage) as obs:
        old = await send(obs)
        broken_storage.breaks = "after"
        with pytest.raises(Exception, match="ended with this request in hand"):
            await obs.mailbox.mark_read("a", old.id)
        broken_storage.breaks = "after"
        with pytest.raises(Exception, match="ended with this request in hand"):
            await send(obs)
        await wait_all_tasks_blocked()
        new = await obs.mailbox.receive("a")
        assert way(obs, old) == [("acknowledged", None, None)]
        assert way(obs, new) == []
