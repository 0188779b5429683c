"""What tells of agents, and what is told of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    HookEvent,
    InvalidInputError,
    MemoryStorage,
    Message,
    Observatory,
)
from observatory.testing import DurableStorage, RecordingChannel

UPDATES = "presence:update"


@pytest.fixture
def clock(autojump_clock: MockClock) -> MockClock:
    """Time goes by as soon as nobody has anything to do."""
    return autojump_clock


def sources(obs: Observatory, name: str) -> tuple[str, ...] | None:
    """Return what has told of an agent."""
    agent = obs.presence.get_agent(name)
    return None if agent is None else agent.sources


async def test_senders(open_here: Any, told: Any) -> None:
    """Who sends is heard of, in each way of sending; who is written to is not."""
    async with open_here() as obs, obs.pubsub.subscribe(UPDATES) as updates:
        receipt = await obs.mailbox.send_message("a", "ann", "hello")
        await obs.mailbox.broadcast_to_many(["a", "b"], "bob", "hello")
        await obs.mailbox.reply(receipt.message, "yes")
        with trio.move_on_after(1):
            await obs.mailbox.request("a", "dan", "what?")
        joined = [agent.name for update in await told(updates) for agent in update.joined]
        assert joined == ["ann", "bob", "a", "dan"]
        assert obs.presence.get_agent("b") is None


async def test_recipients_who_act(open_here: Any) -> None:
    """Who acknowledges, or looks for mail, is heard of."""
    async with open_here() as obs:
        receipt = await obs.mailbox.send_message("a", "x", "hello")
        assert sources(obs, "a") is None
        await obs.mailbox.receive("a")
        assert sources(obs, "a") == ("message",)
        await obs.mailbox.send_message("b", "x", "hello")
        await obs.mailbox.mark_read("b")
        assert sources(obs, "b") == ("message",)
        assert obs.mailbox.unread_count("a") == 1
        assert receipt.message.to == "a"


async def test_who_waits_is_there(open_here: Any, clock: MockClock) -> None:
    """Who waits for mail is idle after a while, and never gone; it was there until it went."""
    async with open_here() as obs, trio.open_nursery() as nursery:
        nursery.start_soon(obs.mailbox.receive, "ann")
        await trio.sleep(24 * 3600)
        agent = obs.presence.get_agent("ann")
        assert agent is not None
        assert agent.status == "idle"
        nursery.cancel_scope.cancel()
        await trio.lowlevel.checkpoint_if_cancelled()
    agent = obs.presence.get_agent("ann")
    assert agent is not None
    assert agent.status == "active"


async def test_as_time_goes_by(open_here: Any, told: Any, clock: MockClock) -> None:
    """An agent is idle after two minutes and gone after thirty, and each is told when it is so, to the second."""
    async with open_here() as obs, obs.pubsub.subscribe(UPDATES) as updates:
        await obs.mailbox.send_message("a", "ann", "hello")
        await trio.sleep(119)
        assert [one.status for update in await told(updates) for one in update.joined] == ["active"]
        await trio.sleep(2)
        assert [one.status for update in await told(updates) for one in update.changed] == ["idle"]
        await trio.sleep(1_678)
        assert await told(updates) == []
        await trio.sleep(2)
        [update] = await told(updates)
        assert [(one.name, one.status) for one in update.left] == [("ann", "gone")]
        await obs.mailbox.send_message("a", "ann", "hello again")
        [update] = await told(updates)
        assert [(one.name, one.status) for one in update.joined] == [("ann", "active")]


async def test_nothing_to_do(open_here: Any, clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once everybody is gone, the task sleeps."""
    async with open_here() as obs:
        await obs.mailbox.send_message("a", "ann", "hello")
        await trio.sleep(10_000)
        monkeypatch.setattr(obs.presence.known, "updates", lambda now: pytest.fail("it looks"))
        await trio.sleep(10_000)
        assert obs.health().children[-1].restarts == 0


@pytest.mark.parametrize("agent", ["ann", None])
async def test_hook_events(open_here: Any, told: Any, agent: str | None) -> None:
    """A hook event tells of the agent, or where that is not known of the session; its end is told at once."""
    name = agent or "session-1"
    async with open_here() as obs, obs.pubsub.subscribe(UPDATES) as updates:
        for what in ("SessionStart", "PreToolUse"):
            obs.pubsub.publish("events:stream", HookEvent(what, "session-1", obs.clock.now(), agent))
        [update] = await told(updates)
        assert [(one.name, one.sources) for one in update.joined] == [(name, ("event",))]
        obs.pubsub.publish("events:stream", HookEvent("SessionEnd", "session-1", obs.clock.now(), agent))
        [update] = await told(updates)
        assert [(one.name, one.status) for one in update.left] == [(name, "gone")]


ODD: Any = HookEvent  # with what it should not be made of


@pytest.mark.parametrize(
    "payload",
    ["nonsense", ODD("Stop", "", None), ODD("Stop", "s", None, "a/b"), ODD("Stop", 5, None)],
)
async def test_other_events(open_here: Any, payload: Any) -> None:
    """What is no hook event, or of somebody to whom nobody could write, is passed over."""
    async with open_here() as obs:
        obs.pubsub.publish("events:stream", payload)
        await wait_all_tasks_blocked()
        assert obs.presence.list_agents() == []
        assert obs.health().healthy


async def test_more_events_than_are_read(open_here: Any) -> None:
    """What was missed of a burst does no harm."""
    async with open_here() as obs:
        for number in range(3_000):
            obs.pubsub.publish("events:stream", HookEvent("Stop", f"s-{number % 10}", obs.clock.now()))
        await wait_all_tasks_blocked()
        assert len(obs.presence.list_agents()) == 10


async def test_doors(open_here: Any, clock: MockClock) -> None:
    """A door tells of connections and requests: who is connected is never gone."""
    async with open_here() as obs:
        obs.presence.hear("bob")
        with obs.presence.staying("ann"):
            await trio.sleep(24 * 3600)
            assert [(one.name, one.status) for one in obs.presence.list_agents()] == [("ann", "idle"), ("bob", "gone")]
        await trio.sleep(24 * 3600)
        assert [(one.status, one.sources) for one in obs.presence.list_agents()] == [("gone", ("connection",))] * 2


async def test_after_a_restart(open_here: Any, told: Any, clock: MockClock) -> None:
    """Senders of messages that are still there are known at once, as of when they sent them last."""
    storage = MemoryStorage()
    async with open_here(storage=storage) as obs:
        for to, sender in (("a", "bob"), ("b", "ann"), ("a", "ann"), ("b", "bob"), ("a", "ann")):
            sent = (await obs.mailbox.send_message(to, sender, "hello")).message.timestamp
            await trio.sleep(1)
    async with open_here(storage=storage) as obs:
        assert [agent.name for agent in obs.presence.list_agents()] == ["ann", "bob"]
        assert obs.presence.list_agents()[0].last_seen == sent
        assert (await obs.mailbox.send_message("ann", "x", "hello")).nearest is None


async def test_messages_of_others(open_here: Any, clock: MockClock) -> None:
    """Whose message another process has delivered is heard of, though its clock may be ahead; and who takes one."""
    async with open_here(channels={"keep": RecordingChannel()}) as obs:
        ahead = obs.clock.now() + timedelta(days=1)
        good = Message("0" * 16, "ann", "a", "hello", ahead)
        wrong = Message("1" * 16, "no name", "a", "hello", ahead)
        await obs.mailbox.adopt([good, wrong], origin="keep")
        [agent] = obs.presence.list_agents()
        assert agent.name == "ann"
        assert agent.last_seen is not None
        assert agent.last_seen < ahead
        await obs.mailbox.taken("a", [good.id])
        assert sources(obs, "a") == ("message",)


async def test_refused_while_closing(open_here: Any) -> None:
    """What others deliver while it is closing is refused, and tells of its sender; who takes mail then, of nobody."""
    async with open_here() as obs:
        await obs.mailbox.close()
        await obs.mailbox.adopt([Message("0" * 16, "ann", "a", "hello", obs.clock.now())], origin="keep")
        await obs.mailbox.taken("a", ["0" * 16])
        assert [agent.name for agent in obs.presence.list_agents()] == ["ann"]


async def test_the_task_fails(open_here: Any, told: Any, monkeypatch: pytest.MonkeyPatch, clock: MockClock) -> None:
    """A failure of the task costs nothing that was known, and what it has not told it tells when it runs again."""
    async with open_here() as obs, obs.pubsub.subscribe(UPDATES) as updates:
        await obs.mailbox.send_message("a", "ann", "hello")
        await told(updates)
        with monkeypatch.context() as patched:
            patched.setattr(obs.presence.known, "updates", lambda now: 1 // 0)
            await obs.mailbox.send_message("a", "bob", "hello")
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(10)
        assert [one.name for update in await told(updates) for one in update.joined] == ["bob"]
        assert obs.health().healthy


async def test_asking(open_here: Any) -> None:
    """Questions that are none are refused."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match="name"):
            obs.presence.get_agent("a b")
        for ask in (obs.presence.list_agents, obs.presence.list_leases):
            with pytest.raises(InvalidInputError, match="limit"):
                ask(limit=-1)
        assert obs.presence.list_agents(after="z", limit=5) == []


async def test_sender_of_another_process_is_known_to_who_gets_it(open_here: Any) -> None:
    """So that it can be answered where strangers are refused."""
    async with open_here(channels={"keep": RecordingChannel()}) as obs, trio.open_nursery() as nursery:
        known: list[Any] = []

        async def receive() -> None:
            message = await obs.mailbox.receive("a")
            known.append(obs.presence.get_agent(message.from_))

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        await obs.mailbox.adopt([Message("0" * 16, "ann", "a", "hello", obs.clock.now())], origin="keep")
        await wait_all_tasks_blocked()
        assert [agent.name for agent in known] == ["ann"]


async def test_who_has_read_mail_is_known_after_a_restart(open_here: Any) -> None:
    """As who has sent it is."""
    storage = DurableStorage()
    async with open_here(storage=storage) as obs:
        read = (await obs.mailbox.send_message("a", "ann", "hello")).message
        await obs.mailbox.send_message("b", "ann", "hello")
        await obs.mailbox.mark_read("a", read.id)
    async with open_here(storage=storage) as obs:
        assert {agent.name for agent in obs.presence.list_agents()} == {"a", "ann"}


async def test_hostile_names(open_here: Any) -> None:
    """Doors name agents as they can be written to, and what a program calls itself is passed over if it is no name."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError):
            obs.presence.hear("a\nb")
        with pytest.raises(InvalidInputError), obs.presence.staying("a b"):
            pass
        obs.pubsub.publish("events:stream", HookEvent("Stop", "a\x1b[2J", obs.clock.now()))
        await wait_all_tasks_blocked()
        assert obs.presence.list_agents() == []
