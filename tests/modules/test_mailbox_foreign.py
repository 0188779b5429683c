"""What other processes do on the same root, as a delivery channel that watches tells of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import Adopt, Gone, InvalidInputError, Message, MessagesRead, Observatory, Retraction, open_observatory
from observatory.testing import FailingStorage, RecordingChannel, observatory_plugin
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class WatchingChannel(RecordingChannel):
    """Tells what the test wants it to tell.

    Attributes:
        adopt: takes messages.
        gone: takes acknowledgements.
        watched: how often it was asked to watch.
    """

    recovers = True
    watches = True
    adopt: Adopt
    gone: Gone
    watched = 0

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Find nothing."""
        await trio.lowlevel.checkpoint()

    async def watch(
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep the callbacks for the test."""
        self.adopt, self.gone = adopt, gone
        self.watched += 1
        task_status.started()
        await trio.sleep_forever()


async def test_a_message_of_another_process(open_here: Open) -> None:
    """It is in the table under its own id, subscribers hear of it and where it came from, and whoever waits gets it."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}) as obs, obs.pubsub.subscribe("agent:a") as subscription:
        (message,) = messages("a")
        async with trio.open_nursery() as nursery:
            received: list[Message] = []

            async def receive() -> None:
                received.append(await obs.mailbox.receive("a"))

            nursery.start_soon(receive)
            await wait_all_tasks_blocked()
            await channel.adopt([message])
        assert received == obs.mailbox.get_messages("a") == [message]
        (event,) = await subscription.receive_batch()
        assert (event.payload, event.origin, event.verified) == (message, "w", False)


async def test_an_own_message_has_no_origin(open_here: Open) -> None:
    """An event says where its message came from only when that was another process."""
    async with open_here(channels={"w": WatchingChannel()}) as obs, obs.pubsub.subscribe("agent:a") as subscription:
        await obs.mailbox.send_message("a", "x", "hello")
        assert (await subscription.receive_batch())[0].origin is None


async def test_only_live_lanes_get_it(open_here: Open) -> None:
    """It goes to the delivery channels that keep nothing, and never back to one that does."""
    watching, live, keeping = WatchingChannel(), RecordingChannel(), WatchingChannel()
    async with open_here(channels={"w": watching, "live": live, "keeping": keeping}) as obs:
        found = messages("a", "b")
        await watching.adopt(found)
        await wait_all_tasks_blocked()
        assert obs.statistics().mailbox.unread == 2
    assert live.delivered == found
    assert watching.delivered == keeping.delivered == []


async def test_what_is_known_is_ignored(open_here: Open) -> None:
    """Told of twice, in one batch or in two, read or unread, it is there once and as it was."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}) as obs, obs.pubsub.subscribe("agent:a") as subscription:
        own = (await obs.mailbox.send_message("a", "x", "own")).message
        await obs.mailbox.mark_read("a", own.id)
        (foreign,) = messages("a")
        await channel.adopt([foreign, own, foreign])
        await channel.adopt([foreign])
        assert [message.id for message in obs.mailbox.get_messages("a")] == [foreign.id, own.id]
        assert len(await subscription.receive_batch()) == 3


async def test_without_room(open_here: Open, caplog: pytest.LogCaptureFixture) -> None:
    """What has no room, or is not allowed, is left where it is, counted and named."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, mailbox={"max_messages": 2}) as obs:
        found = messages("a", "a", "a")
        wrong = Message("0" * 16, "no name!", "a", "", found[0].timestamp)
        await channel.adopt([wrong, *found])
        assert obs.mailbox.get_messages("a") == found[1::-1]
        assert obs.statistics().mailbox.left_behind == 2
    assert f"message '{found[2].id}' of 'a' is left where it is" in caplog.text


async def test_it_makes_room(open_here: Open) -> None:
    """At the cap read messages go for it, as for any other."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, mailbox={"max_messages": 2}) as obs:
        old = [(await obs.mailbox.send_message("a", "x", text)).message for text in "12"]
        await obs.mailbox.mark_read("a", old[0].id)
        (found,) = messages("a")
        await channel.adopt([found])
        assert obs.mailbox.get_messages("a") == [found, old[1]]


async def test_taken(open_here: Open) -> None:
    """What its reader has removed is acknowledged; what is unknown or read already is ignored."""
    channel = WatchingChannel()
    required = {"required": ("w",)}
    async with (
        open_here(channels={"w": channel}, delivery=required) as obs,
        obs.pubsub.subscribe("agent:a") as subscription,
    ):
        first, second = [(await obs.mailbox.send_message("a", "x", text)).message for text in "12"]
        await wait_all_tasks_blocked()
        await channel.gone("a", [first.id, first.id, "0" * 16])
        await channel.gone("a", [first.id])
        await channel.gone("nobody", ["0" * 16])
        assert obs.mailbox.get_messages("a", unread_only=True) == [second]
        payloads = [event.payload for event in await subscription.receive_batch()]
        assert payloads == [first, second, MessagesRead("a", (first.id,))]
    assert channel.jobs[2:] == [Retraction("a", first.id)]


async def test_taken_twice_at_once(open_here: Open) -> None:
    """Two who tell of the same at the same time acknowledge it once."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}) as obs, obs.pubsub.subscribe("agent:a") as subscription:
        message = (await obs.mailbox.send_message("a", "x", "1")).message
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(channel.gone, "a", [message.id])
        assert obs.mailbox.unread_count("a") == 0
        assert len(await subscription.receive_batch()) == 2


async def test_the_commit_fails(open_here: Open) -> None:
    """Nothing has happened, and it can be told again."""
    storage, channel = FailingStorage(), WatchingChannel()
    async with open_here(storage=storage, channels={"w": channel}, mailbox={"max_messages": 1}) as obs:
        own = (await obs.mailbox.send_message("a", "x", "own")).message
        await obs.mailbox.mark_read("a", own.id)
        found = messages("a")
        storage.failing = True
        with pytest.raises(Exception, match="planned"):
            await channel.adopt(found)
        with pytest.raises(Exception, match="planned"):
            await channel.gone("b", [(await _unread(obs, storage)).id])
        assert [message.id for message in obs.mailbox.get_messages("a")] == [own.id]
        storage.failing = False
        await channel.adopt(found)
        assert obs.mailbox.get_messages("a") == found


async def _unread(obs: Observatory, storage: FailingStorage) -> Message:
    """Send a message to somebody else, although storage fails for the others."""
    storage.failing = False
    message = (await obs.mailbox.send_message("b", "x", "")).message
    storage.failing = True
    return message


async def test_while_closing(open_here: Open, gated_channel: Any, autojump_clock: MockClock) -> None:
    """What is found while Observatory closes stays where it is, and breaks nothing."""
    channel = WatchingChannel()
    async with trio.open_nursery() as nursery, open_here(channels={"w": channel, "slow": gated_channel}) as obs:
        await obs.mailbox.send_message("b", "x", "keeps it closing")

        async def tell() -> None:
            await trio.sleep(1)
            await channel.adopt(messages("a"))
            await channel.gone("b", ["0" * 16])
            gated_channel.gate.set()

        nursery.start_soon(tell)
    assert obs.mailbox.get_messages("a") == []


@pytest.mark.parametrize("services", [True, False])
async def test_who_does_one_thing_and_ends(bare_settings: Any, services: bool) -> None:
    """Without services nobody watches either."""
    channel = WatchingChannel()
    plugin = observatory_plugin("test", channels={"w": lambda _: channel})
    async with open_observatory(bare_settings(), plugins=[plugin], services=services):
        assert channel.watched == services


async def test_watching_fails(open_here: Open, autojump_clock: MockClock) -> None:
    """It is begun again, and shows in the health."""

    class Failing(WatchingChannel):
        async def watch(  # noqa: ASYNC128 -- its parent says that it has started
            self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
        ) -> None:
            await trio.lowlevel.checkpoint()
            self.watched += 1
            if self.watched < 3:
                raise InvalidInputError("folder", "is gone")
            await super().watch(adopt, gone, task_status=task_status)

    channel = Failing()
    async with open_here(channels={"w": channel}) as obs:
        (child,) = [child for child in obs.health().children if child.name == "watch:w"]
        assert (child.state, child.restarts) == ("running", 2)
        await channel.adopt(messages("a"))
        assert obs.mailbox.unread_count("a") == 1


async def test_a_delivery_channel_that_cannot_watch() -> None:
    """One that does not say how cannot be asked to."""

    async def never(*_: Any) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(NotImplementedError, match="RecordingChannel does not watch"):
        await RecordingChannel().watch(never, never)


async def test_adopted_twice_at_once(open_here: Open) -> None:
    """Two who have found the same message at the same time add it once."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}) as obs:
        found = messages("a")
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(channel.adopt, found)
        assert obs.mailbox.agent_stats("a").total == obs.mailbox.unread_count("a") == 1
        await obs.mailbox.mark_read("a", found[0].id)
        assert obs.mailbox.unread_count("a") == 0


async def test_left_behind_at_once(open_here: Open) -> None:
    """What several have to leave where it is at the same time is counted together."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, mailbox={"max_messages": 1}) as obs:
        await obs.mailbox.send_message("a", "x", "full")
        async with trio.open_nursery() as nursery:
            for message in messages("a", "a", "a"):
                nursery.start_soon(channel.adopt, [message])
        assert obs.statistics().mailbox.left_behind == 3
