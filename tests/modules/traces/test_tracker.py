"""The traces of many messages: which are kept, who may see them, and what their figures are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import ForbiddenError, HookEvent, Identity, InvalidInputError, Observatory, TraceStatistics
from observatory.testing import FailingChannel, RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


async def send(obs: Observatory, to: str = "a", from_: str = "x", type: str = "text") -> str:
    """Send a message; return its id."""
    return (await obs.mailbox.send_message(to, from_, "hello", type=type)).message.id


async def test_newest_first(open_here: Open) -> None:
    """So many as are asked for."""
    async with open_here() as obs:
        ids = [await send(obs) for _ in range(4)]
        assert [trace.id for trace in obs.traces.get_traces()] == ids[::-1]
        assert [trace.id for trace in obs.traces.get_traces(limit=2)] == [ids[3], ids[2]]
        assert obs.traces.get_traces(limit=0) == []


async def test_the_oldest_leave(open_here: Open) -> None:
    """Of two hundred at most, whatever becomes of the older ones."""
    async with open_here(channels={"files": RecordingChannel()}) as obs:
        ids = [await send(obs) for _ in range(205)]
        await obs.mailbox.mark_read("a", *ids)
        obs.traces.note_surfaced(ids, "mcp")
        assert [trace.id for trace in obs.traces.get_traces(limit=1_000)] == ids[:4:-1]
        assert obs.traces.get_trace(ids[4]) is None


async def test_what_fails_of_those_that_have_left(open_here: Open, autojump_clock: MockClock) -> None:
    """Is not noted; of those that are kept it is."""
    async with open_here(channels={"files": FailingChannel(1)}, traces={"max_traces": 1}) as obs:
        await obs.mailbox.broadcast_to_many(["a", "b"], "x", "hello")
        await trio.sleep(60)
        (trace,) = obs.traces.get_traces()
        assert (trace.to, [hop.name for hop in trace.hops[3:]]) == ("b", ["retrying", "written"])


async def test_a_batch_that_is_larger_than_that(open_here: Open) -> None:
    """The last ones of it are kept."""
    async with open_here(traces={"max_traces": 3}) as obs:
        await obs.mailbox.broadcast_to_many(["a", "b", "c", "d", "e"], "x", "hello")
        assert [trace.to for trace in obs.traces.get_traces()] == ["e", "d", "c"]


async def test_none(open_here: Open) -> None:
    """Somebody who wants no traces has none."""
    async with open_here(traces={"max_traces": 0}) as obs:
        id = await send(obs)
        await obs.mailbox.mark_read("a", id)
        assert (obs.traces.get_traces(), obs.traces.get_trace(id)) == ([], None)
        assert obs.traces.get_statistics() == TraceStatistics(0, {}, 0, {}, ())


async def test_the_oldest_hops_leave(open_here: Open, autojump_clock: MockClock) -> None:
    """Of a hundred at most, here ten: what was last is known."""
    async with open_here(channels={"files": FailingChannel(12)}, traces={"max_hops": 10}) as obs:
        id = await send(obs)
        for _ in range(2):
            await trio.sleep(60)
            await obs.redeliver()
        await trio.sleep(60)
        trace = obs.traces.get_trace(id)
        assert trace is not None
        assert [hop.name for hop in trace.hops] == [*["retrying"] * 6, "dead", "retrying", "retrying", "written"]


async def test_events_beyond_their_bound(open_here: Open) -> None:
    """A hundred events of an agent are kept, of two hundred agents: those that were heard of last."""
    async with open_here(traces={"max_hops": 1_000}) as obs:
        old, other, busy = await send(obs, "old"), await send(obs, "other"), await send(obs, "busy")
        for agent in ("old", "other", *["busy"] * 150, *map(str, range(197)), "other", "one-more"):
            obs.pubsub.publish("events:stream", HookEvent("Stop", agent, obs.clock.now()))
            await wait_all_tasks_blocked()
        hops = {trace.id: len(trace.hops) - 3 for trace in obs.traces.get_traces()}
        assert hops == {old: 0, other: 2, busy: 100}


async def test_of_one_agent(open_here: Open) -> None:
    """What it has sent, and what it is sent."""
    async with open_here() as obs:
        sent, got = await send(obs, "b", "a"), await send(obs, "a", "b")
        await send(obs, "b", "c")
        assert [trace.id for trace in obs.traces.get_traces("a")] == [got, sent]


async def test_who_may_see_them(open_here: Open) -> None:
    """Over a door an agent sees its own only, and the owner all."""
    async with open_here() as obs:
        mine, theirs = await send(obs, "a", "b"), await send(obs, "b", "c")
        agent, owner = Identity("a"), Identity(None)
        assert [trace.id for trace in obs.traces.get_traces(identity=agent)] == [mine]
        assert [trace.id for trace in obs.traces.get_traces("a", identity=agent)] == [mine]
        with pytest.raises(ForbiddenError, match="cannot act as 'b'"):
            obs.traces.get_traces("b", identity=agent)
        assert obs.traces.get_trace(theirs, identity=agent) is None
        assert obs.traces.get_trace(mine, identity=agent) == obs.traces.get_trace(mine)
        assert len(obs.traces.get_traces(identity=owner)) == 2
        assert obs.traces.get_trace(theirs, identity=owner) is not None


async def test_figures_every_five_seconds(open_here: Open, autojump_clock: MockClock) -> None:
    """On their topic, as they are then."""
    async with open_here() as obs, obs.pubsub.subscribe("protocols:update") as subscription:
        await trio.sleep(0.5)
        await send(obs)
        start = trio.current_time()
        first = await anext(subscription)
        assert trio.current_time() - start == pytest.approx(4.5, abs=0.01)
        assert first.payload == obs.traces.get_statistics()
        await anext(subscription)
        assert trio.current_time() - start == pytest.approx(9.5, abs=0.01)


async def test_figures(open_here: Open, gated_channel: Any, autojump_clock: MockClock) -> None:
    """Messages by type, what is unread, what waits in lanes, and how long it takes to each hop."""
    async with open_here(channels={"files": gated_channel}) as obs:
        ids = [await send(obs, type="question"), await send(obs), await send(obs, "b")]
        await wait_all_tasks_blocked()
        before = obs.traces.get_statistics()
        assert (before.traces, before.by_type, before.unread) == (3, {"question": 1, "text": 2}, 3)
        assert before.queued == {"files": 3}
        await trio.sleep(2)
        gated_channel.gate.set()
        await trio.sleep(1)
        await obs.mailbox.mark_read("a", ids[0])
        await wait_all_tasks_blocked()
        after = obs.traces.get_statistics()
        assert (after.traces, after.unread, after.queued) == (3, 2, {"files": 0})
        told = [(one.hop, one.channel, one.count, round(one.p50), round(one.p99)) for one in after.latencies]
        assert told == [
            ("committed", None, 3, 0, 0),
            ("published", None, 3, 0, 0),
            ("written", "files", 3, 2, 2),
            ("acknowledged", None, 1, 3, 3),
        ]


async def test_percentiles_are_values_that_were_measured(open_here: Open, autojump_clock: MockClock) -> None:
    """Half of them are at most the one, and all but one of a hundred at most the other."""
    async with open_here() as obs:
        ids = [await send(obs) for _ in range(200)]
        for id in ids:
            await trio.sleep(1)
            await obs.mailbox.mark_read("a", id)
        acknowledged = obs.traces.get_statistics().latencies[-1]
        assert (acknowledged.hop, acknowledged.channel, acknowledged.count) == ("acknowledged", None, 200)
        assert [acknowledged.p50, acknowledged.p99] == pytest.approx([100, 198], abs=0.1)


async def test_the_first_time_counts(open_here: Open, autojump_clock: MockClock) -> None:
    """A message that is surfaced again has not taken longer to come there."""
    async with open_here() as obs:
        id = await send(obs)
        for _ in range(2):
            await trio.sleep(1)
            obs.traces.note_surfaced([id], "mcp")
        surfaced = obs.traces.get_statistics().latencies[-1]
        assert (surfaced.hop, surfaced.count, round(surfaced.p99)) == ("surfaced", 1, 1)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda obs: obs.traces.get_traces("a b"), "'a b' is no name"),
        (lambda obs: obs.traces.get_traces(limit=-1), "an integer of at least 0"),
        (lambda obs: obs.traces.get_trace(5), "expected the id of a message, got int"),
        (lambda obs: obs.traces.note_surfaced("abc", "mcp"), "expected a collection of ids of messages"),
    ],
)
async def test_what_is_not_allowed(open_here: Open, call: Callable[[Observatory], object], problem: str) -> None:
    """It is refused, with what is allowed."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match=problem):
            call(obs)
