"""The laws of `Client`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, TypeAlias

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Client,
    ClientSubscription,
    EmbeddedClient,
    Event,
    Gap,
    Observatory,
    ObservatoryError,
    Settings,
    SwarmSettings,
    open_observatory,
)
from observatory.testing.calls import call, call_for_a_moment, call_in_vain, shelves
from observatory.testing.cancelling import cancel_at_every_checkpoint
from observatory.testing.laws import Conformance, law
from observatory.testing.presence import meet
from observatory.testing.refused import REFUSED
from observatory.testing.same import assert_same
from observatory.testing.services import left_of, resources
from observatory.testing.tasks import work_at_tasks

OpenClient: TypeAlias = Callable[[Observatory], AbstractAsyncContextManager[Client]]

_MANY = 100
_SOME = 10


class ClientConformance(Conformance):
    """The laws of a client, and of a connector. A subclass gives the fixture `open_client`."""

    plugins: ClassVar[tuple[str, ...]] = ()
    """Installed plugins that take part: the one that opens the door. No other one is loaded."""

    @pytest.fixture
    def open_client(self) -> OpenClient:
        """Return what opens a client for an Observatory that runs in this process."""
        raise NotImplementedError("give your suite a fixture `open_client` that returns what opens a client")

    @pytest.fixture
    def observatory_settings(self, tmp_path: Path) -> Settings:
        """Return settings for memory only, with the plugins of this suite."""
        others = {found.name for found in entry_points(group="observatory")} - set(self.plugins)
        quiet = SwarmSettings(follow=False)
        return Settings(root=tmp_path / "root", disabled_plugins=tuple(sorted(others)), swarm=quiet)

    @law
    async def test_values(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """Every method gives what the library gives, as values of the same classes."""
        async with open_observatory(observatory_settings, plugins=[shelves()]) as obs, open_client(obs) as client:
            await self._send(obs, client)
            await self._read(obs, client)
            await self._take_notes(obs, client)
            await work_at_tasks(obs, client)
            await self._follow_messages(obs, client)
            await meet(obs, client)
            await call(client)
            assert_same(await client.health(), obs.health())
            assert_same(await client.plugins(), obs.plugins())
            assert_same((await client.statistics()).mailbox, obs.statistics().mailbox)
            assert_same(await client.dead_letters(), obs.dead_letters())
            assert_same([await client.redeliver(), await client.redeliver(["0" * 16])], [0, 0])

    async def _send(self, obs: Observatory, client: Client) -> None:
        metadata = {"n": [1, 2.5, None], "ü": {"deep": True}}
        first = await client.mailbox.send_message("a", "b", "one\u2028 \U0001f514", type="command", metadata=metadata)
        again = [await client.mailbox.send_message("a", "b", "two", idempotency_key="key") for _ in range(2)]
        assert [(one.sequence, one.duplicate) for one in (first, *again)] == [(1, False), (2, False), (2, True)]
        lasting = await client.mailbox.send_message("a", "b", "three", expires_in=60.0)
        assert lasting.expires_at is not None
        receipts = [lasting, again[1], first]
        assert_same([receipt.message for receipt in receipts], obs.mailbox.get_messages("a"))
        outcomes = await client.mailbox.broadcast_to_many(["c", "..", "d"], "b", "to all")
        expected = await obs.mailbox.broadcast_to_many(["c", "..", "d"], "b", "to all")
        assert [type(outcome) for outcome in outcomes] == [type(outcome) for outcome in expected]
        assert_same(outcomes[1], expected[1])
        reply = await client.mailbox.reply(first.message, "yes", metadata={"x": 1})
        assert_same(reply.message, obs.mailbox.get_messages("b")[0])
        assert reply.message.metadata == {"x": 1, "in_reply_to": first.message.id}
        assert_same(await client.deliveries(first.message.id), obs.deliveries(first.message.id))
        await self._ask(obs, client)

    async def _ask(self, obs: Observatory, client: Client) -> None:
        async def answer() -> None:
            question = await client.mailbox.receive("oracle")
            await client.mailbox.reply(question, "42")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            got = await client.mailbox.request("oracle", "asker", "what?")
        assert_same(got, obs.mailbox.get_messages("asker")[0])
        assert (got.content, got.read) == ("42", True)

    async def _read(self, obs: Observatory, client: Client) -> None:
        mailbox = obs.mailbox
        ids = [message.id for message in mailbox.get_messages("a")]
        assert_same(await client.mailbox.receive("a"), await mailbox.receive("a"))
        assert_same(await client.mailbox.receive("a", after=ids[2]), await mailbox.receive("a", after=ids[2]))
        assert_same(await client.mailbox.get_messages("a", limit=2), mailbox.get_messages("a", limit=2))
        assert_same(await client.mailbox.get_messages("a", before=ids[1]), mailbox.get_messages("a", before=ids[1]))
        assert_same(await client.mailbox.get_messages("a", limit=0), [])
        assert_same(await client.mailbox.get_messages("nobody"), [])
        assert_same(await client.mailbox.mark_read("a", *ids[:2]), tuple(mailbox.get_messages("a", limit=2)))
        assert_same(await client.mailbox.mark_read("a"), ())
        assert_same(await client.mailbox.get_messages("a", unread_only=True), mailbox.get_messages("a", before=ids[1]))
        assert_same(await client.mailbox.unread_count("a"), 1)
        stats = await client.mailbox.agent_stats("a"), (await client.mailbox.get_stats())["a"]
        assert [(one.total, one.unread) for one in stats] == [(3, 1), (3, 1)]
        assert_same(await client.mailbox.agent_stats("nobody"), mailbox.agent_stats("nobody"))
        assert set(await client.mailbox.get_stats()) == set(mailbox.get_stats())
        assert_same(await client.mailbox.clear_messages("a"), 3)
        assert_same(mailbox.get_messages("a"), [])

    async def _take_notes(self, obs: Observatory, client: Client) -> None:
        assert_same(await client.notes.get_note("k"), None)
        written = [await client.notes.add_note("k", "one"), await client.notes.add_note("l", "")]
        assert_same([*reversed(written)], obs.notes.list_notes())
        assert_same(await client.notes.list_notes(), obs.notes.list_notes())
        assert_same(await client.notes.get_note("k"), written[0])
        assert_same([await client.notes.delete_note("k") for _ in range(2)], [True, False])

    async def _follow_messages(self, obs: Observatory, client: Client) -> None:
        traces = obs.traces.get_traces()
        assert_same(await client.traces.get_traces(), traces)
        assert_same(await client.traces.get_traces("a", limit=1), obs.traces.get_traces("a", limit=1))
        assert_same(await client.traces.get_trace(traces[0].id), traces[0])
        assert_same(await client.traces.get_trace("0" * 16), None)
        await client.traces.note_surfaced([traces[0].id, "0" * 16], "mcp")
        [surfaced] = [hop for hop in obs.traces.get_traces(limit=1)[0].hops if hop.name == "surfaced"]
        assert_same(surfaced.detail, "mcp")
        assert_same(await client.traces.get_surfaced("a"), obs.traces.get_surfaced("a"))
        others = await client.traces.get_surfaced("a", not_by="mcp", after="0" * 16)
        assert_same(others, obs.traces.get_surfaced("a", not_by="mcp", after="0" * 16))
        assert_same(await client.traces.get_statistics(), obs.traces.get_statistics())

    @law
    async def test_errors(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """What is not allowed, and what fails, raises the library's error, with the same attributes."""
        async with open_observatory(observatory_settings, plugins=[shelves()]) as obs, open_client(obs) as client:
            await obs.mailbox.send_message("a", "b", "1", idempotency_key="key")
            library = EmbeddedClient(obs)
            await call_in_vain(client, library)
            for what, call in REFUSED.items():
                with pytest.raises(ObservatoryError) as expected:
                    await call(library)
                try:
                    got: object = await call(client)
                except ObservatoryError as error:
                    got = error
                assert_same(got, expected.value, what)

    @law
    async def test_order(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """What is sent one after another by one task is carried out in that order."""
        async with open_observatory(observatory_settings) as obs, open_client(obs) as client:
            async with trio.open_nursery() as nursery:
                for number in range(_MANY):
                    nursery.start_soon(client.mailbox.send_message, "a", "b", str(number))
                    await trio.lowlevel.checkpoint()
            there = [message.content for message in reversed(obs.mailbox.get_messages("a", limit=_MANY))]
        assert there == [str(number) for number in range(_MANY)]

    @law
    async def test_subscription(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """A subscription has begun when `subscribe` returns: every event from then on comes once, and in order."""
        async with open_observatory(observatory_settings) as obs, open_client(obs) as client:
            obs.pubsub.publish("x:a", "before")
            async with await client.subscribe("x:a") as one, await client.subscribe("x:*") as all_of_them:
                published = [obs.pubsub.publish(f"x:{'ab'[number % 2]}", number) for number in range(_MANY)]
                assert_same(await take(one, _MANY // 2), published[::2])
                assert_same(await take(all_of_them, _MANY), published)
                receipt = await client.mailbox.send_message("a", "b", "hello")
                assert one.topic == "x:a"
            async with await client.subscribe("agent:a", since=0) as events:
                assert_same([event.payload for event in await take(events, 1)], [receipt.message])

    @law
    async def test_resume(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """With `since` comes first what was missed, or an event with a `Gap`."""
        async with open_observatory(observatory_settings) as obs, open_client(obs) as client:
            events = [obs.pubsub.publish("x:a", number) for number in range(_SOME)]
            since = events[4]
            async with await client.subscribe("x:a", since=since.sequence, epoch=since.epoch) as subscription:
                assert_same(await take(subscription, 5), events[5:])
            async with await client.subscribe("x:*", since=since.position) as subscription:
                assert_same(await take(subscription, 5), events[5:])
            for topic in ("x:a", "x:*"):
                async with await client.subscribe(topic, since=4, epoch="another") as subscription:
                    gap, *rest = await take(subscription, _SOME + 1)
                assert_same(gap, Event(topic, obs.pubsub.epoch, 0, Gap(None)))
                assert_same(rest, events)

    @law
    async def test_unsubscribe(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """A subscription ends by being closed, and the topic can be subscribed to again."""
        async with open_observatory(observatory_settings) as obs, open_client(obs) as client:
            for number in range(_SOME):
                async with await client.subscribe("x:a") as subscription:
                    published = [obs.pubsub.publish("x:a", number) for _ in range(3)]
                    assert_same(await take(subscription, 2), published[:2])
                with pytest.raises(StopAsyncIteration):
                    await anext(subscription)
                await subscription.aclose()  # twice is no error

    @law
    async def test_reading(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """Cancelling a read loses no event; a second reader gets `trio.BusyResourceError`."""
        async with open_observatory(observatory_settings) as obs, open_client(obs) as client:
            async with await client.subscribe("x:a") as subscription, trio.open_nursery() as nursery:
                nursery.start_soon(anext, subscription)
                await wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError):
                    await anext(subscription)
                nursery.cancel_scope.cancel()
            async with await client.subscribe("x:a") as subscription:
                published = [obs.pubsub.publish("x:a", number) for number in range(_SOME)]
                got: list[Event] = []

                async def read_one() -> None:
                    event = await anext(subscription)
                    got.append(event)

                await cancel_at_every_checkpoint(read_one)
                got += await take(subscription, _SOME - len(got))
                assert_same(got, published)

    @law
    async def test_cancelled(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """Every method can be cancelled at any point: nothing of it is left, and the client goes on working."""
        async with open_observatory(observatory_settings, plugins=[shelves()]) as obs, open_client(obs) as client:

            async def follow() -> None:
                async with await client.subscribe("x:a") as subscription:
                    event = obs.pubsub.publish("x:a", "hello")
                    assert_same(await anext(subscription), event)

            async def wait() -> None:
                with trio.move_on_after(0):
                    await client.mailbox.receive("nobody")
                await call_for_a_moment(client)

            for work in (follow, wait, client.mailbox.get_stats):
                assert await cancel_at_every_checkpoint(work, follow) > 0
            await wait_all_tasks_blocked(0.01)
            topics = {each.topic for each in obs.pubsub.statistics().subscriptions}
            assert "x:a" not in topics, "a subscription is left"

    @law
    async def test_gives_back(self, open_client: OpenClient, observatory_settings: Settings) -> None:
        """Closing the client gives back everything: sockets, files, tasks."""

        async def use() -> None:
            async with open_client(obs) as client, await client.subscribe("x:a") as subscription:
                event = obs.pubsub.publish("x:a", "hello")
                assert_same(await anext(subscription), event)
            await wait_all_tasks_blocked(0.01)  # the other side hears of it, too

        async with open_observatory(observatory_settings) as obs:
            await use()  # what is made once for the whole process is made now
            before = resources()
            await use()
            assert not await left_of(before), "something is left of it"


async def take(subscription: ClientSubscription, count: int) -> list[Event]:
    """Read so many events."""
    return [await anext(subscription) for _ in range(count)]
