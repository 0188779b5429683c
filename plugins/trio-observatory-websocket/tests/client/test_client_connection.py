"""What a client does while its connection is lost, refused, silent or full."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Gap,
    InvalidInputError,
    Observatory,
    OutcomeUnknownError,
    RateLimitError,
    Settings,
    UnauthorizedError,
    open_observatory,
)

MakeSettings = Callable[..., Settings]
OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]

Until = Callable[[Callable[[], object]], Awaitable[None]]

pytestmark = pytest.mark.usefixtures("impatient")


async def test_waits(open_proxied: OpenProxied) -> None:
    """While there is no connection, calls wait, and can be cancelled; then they are not carried out."""
    async with open_proxied() as (observatory, proxy, client):
        await proxy.cut_off()
        with trio.move_on_after(0.01) as scope:
            await client.mailbox.send_message("a", "b", "cancelled")
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.mailbox.send_message, "a", "b", "patient")
            await wait_all_tasks_blocked(0.01)
            assert observatory.mailbox.get_messages("a") == []
            proxy.refusing = False
        assert [message.content for message in observatory.mailbox.get_messages("a")] == ["patient"]


async def test_in_hand(open_proxied: OpenProxied, until: Until) -> None:
    """What must not be done twice is in doubt when the connection is lost with it in hand; what may, is asked again."""
    async with open_proxied() as (observatory, proxy, client), trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(OutcomeUnknownError, match="the connection to the service was lost"):
                await client.mailbox.request("oracle", "asker", "what?")

        received: list[str] = []

        async def receive() -> None:
            received.append((await client.mailbox.receive("a")).content)

        nursery.start_soon(ask)
        nursery.start_soon(receive)
        await until(lambda: observatory.mailbox.get_messages("oracle"))
        await proxy.cut_off()
        await observatory.mailbox.send_message("a", "b", "meanwhile")
        proxy.refusing = False
        await until(lambda: received)
    assert received == ["meanwhile"]


async def test_meanwhile(open_proxied: OpenProxied) -> None:
    """What is published while there is no connection comes afterwards, in order."""
    async with (
        open_proxied() as (observatory, proxy, client),
        await client.subscribe("x:*") as all_of_them,
        await client.subscribe("x:a") as one,
    ):
        published = [observatory.pubsub.publish("x:a", "before")]
        assert await anext(one) == published[0]
        await proxy.cut_off()
        published += [observatory.pubsub.publish("x:a", number) for number in range(10)]
        proxy.refusing = False
        assert [await anext(one) for _ in range(10)] == published[1:]
        assert [await anext(all_of_them) for _ in range(11)] == published


async def test_given_number(open_proxied: OpenProxied) -> None:
    """A number that the caller gave counts until the first event, also when the connection is lost before that."""
    async with open_proxied() as (observatory, proxy, client):
        published = [observatory.pubsub.publish("x:a", number) for number in range(10)]
        await proxy.cut_off()
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            got: list[Any] = []

            async def follow() -> None:
                subscription = await stack.enter_async_context(await client.subscribe("x:a", since=5))
                got.extend([await anext(subscription) for _ in range(5)])

            nursery.start_soon(follow)
            answer = 400
            proxy.budget = lambda: answer  # the handshake, and a part of what follows
            proxy.refusing = False
            while not got:
                await trio.sleep(0.005)
                answer += 50
        assert got == published[5:]


async def test_closed_meanwhile(open_proxied: OpenProxied, followed: Any) -> None:
    """What is unsubscribed while there is no connection does not come back; the topic can be followed again."""
    async with open_proxied() as (observatory, proxy, client):
        subscription = await client.subscribe("x")
        await proxy.cut_off()
        await subscription.aclose()
        proxy.refusing = False
        await client.health()
        assert not followed(observatory)
        async with await client.subscribe("x") as again:
            event = observatory.pubsub.publish("x", 1)
            assert await anext(again) == event


async def test_subscribe_cancelled_meanwhile(open_proxied: OpenProxied, followed: Any) -> None:
    """A subscription that is given up while there is no connection is not made."""
    async with open_proxied() as (observatory, proxy, client):
        await proxy.cut_off()
        with trio.move_on_after(0.01):
            await client.subscribe("x")
        proxy.refusing = False
        await client.health()
        assert not followed(observatory)


async def test_two_of_one_topic(open_proxied: OpenProxied) -> None:
    """A second subscription to a topic is refused, also while the first one is being made; then it is possible."""
    async with open_proxied() as (_, proxy, client):
        await proxy.cut_off()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.subscribe, "x")
            await wait_all_tasks_blocked()
            with pytest.raises(InvalidInputError, match="'x' is followed by this client already; open another one"):
                await client.subscribe("x")
            proxy.refusing = False
        with pytest.raises(InvalidInputError, match="followed by this client already"):
            await client.subscribe("x")


async def hold(  # noqa: ASYNC114 -- started in a nursery, by `start`
    root: Path, *, task_status: trio.TaskStatus[WebSocketClient] = trio.TASK_STATUS_IGNORED
) -> None:
    """Hold a client open."""
    async with open_client(root=root) as client:
        task_status.started(client)
        await trio.sleep_forever()


async def test_started_again(settings: MakeSettings, root: Path) -> None:
    """A client that finds the service by its root finds it again, with another port, token and epoch."""
    async with trio.open_nursery() as nursery:
        async with open_observatory(settings()) as observatory:
            client = await nursery.start(hold, root)
            subscriptions = [await client.subscribe(topic) for topic in ("x:a", "x:*")]
            before = observatory.pubsub.publish("x:a", "before")
            for subscription in subscriptions:
                assert await anext(subscription) == before
        async with open_observatory(settings()) as observatory:
            after = [observatory.pubsub.publish("x:a", number) for number in range(3)]
            for subscription in subscriptions:
                assert (await anext(subscription)).payload == Gap(None)
                assert [await anext(subscription) for _ in range(3)] == after
            await client.mailbox.send_message("a", "b", "hello")
        nursery.cancel_scope.cancel()


async def test_other_token(settings: MakeSettings, open_proxied: OpenProxied, until: Until) -> None:
    """A token of an earlier run ends calls and subscriptions, those that wait and those that come."""
    async with open_proxied() as (observatory, proxy, client), trio.open_nursery() as nursery:
        subscription = await client.subscribe("x")
        event = observatory.pubsub.publish("x", "last")
        await until(lambda: subscription._events)
        ends: list[object] = []

        async def wait() -> None:
            with pytest.raises(UnauthorizedError) as refusal:
                await client.mailbox.receive("nobody")
            ends.append(refusal.value)

        await proxy.cut_off()
        nursery.start_soon(wait)
        observatory.security.token = "another"
        proxy.refusing = False
        with trio.fail_after(5):
            assert await anext(subscription) == event
            with pytest.raises(UnauthorizedError):
                await anext(subscription)
            for call in (client.health(), client.mailbox.send_message("a", "b", "c"), client.subscribe("y")):
                with pytest.raises(UnauthorizedError):
                    await call
            await subscription.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(subscription)
        await wait_all_tasks_blocked()
        assert len(ends) == 1


async def test_silent(open_proxied: OpenProxied, monkeypatch: pytest.MonkeyPatch, until: Until, log: Any) -> None:
    """A connection over which nothing comes any more is given up, and another one made."""
    log.expected.append("does not answer any more")
    monkeypatch.setattr("observatory_websocket.client.link._PING", 0.05)
    async with open_proxied() as (_, proxy, client):
        await trio.sleep(0.2)
        assert proxy.connections == 1, "a connection that answers is kept"
        proxy.silent = True
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.health)
                await wait_all_tasks_blocked()
                await until(lambda: not proxy.connections)
                proxy.silent = False


async def test_slow_reader(open_proxied: OpenProxied, until: Until) -> None:
    """Of a reader that is behind the oldest events go, and a gap says how many; the others of its client lose none."""
    async with (
        open_proxied() as (observatory, _, client),
        await client.subscribe("x:a") as slow,
        await client.subscribe("x:*") as slow_too,
    ):
        async with await client.subscribe("x:b") as quick:
            everything = []
            for number in range(1_500):
                everything.append(observatory.pubsub.publish("x:a", number))
                if number % 100 == 99:
                    everything.append(observatory.pubsub.publish("x:b", number))
                    assert await anext(quick) == everything[-1]
            published = [event for event in everything if event.topic == "x:a"]
            await until(lambda: slow._events[-1][0] == published[-1])
        gap, *rest = [await anext(slow) for _ in range(1_000)]
        assert (gap.payload, gap.sequence) == (Gap(501), 501)
        assert rest == published[501:]
        gap, *rest = [await anext(slow_too) for _ in range(1_000)]
        assert (gap.payload, gap.sequence) == (Gap(516), 0)
        assert rest == everything[516:]


async def test_gap_forgotten(open_proxied: OpenProxied, until: Until) -> None:
    """A gap that goes with the oldest events is counted for what it stands for."""
    async with open_proxied() as (observatory, _, client):
        for number in range(3):
            observatory.pubsub.publish("x", number)
        async with await client.subscribe("x", since=0, epoch="another") as unknown:
            for number in range(1_100):
                last = observatory.pubsub.publish("x", number)
            await until(lambda: last in [event for event, _ in unknown._events])
            assert (await anext(unknown)).payload == Gap(None)


async def test_too_often(open_proxied: OpenProxied) -> None:
    """What is followed comes back although the service refuses so many requests at a time."""
    security = {"requests_per_second": 20.0, "burst": 6}
    async with open_proxied(security=security) as (observatory, proxy, client):
        subscriptions = []
        for number in range(10):
            while True:
                try:
                    subscriptions.append(await client.subscribe(f"x:{number}"))
                    break
                except RateLimitError as error:
                    await trio.sleep(error.retry_after)
        proxy.cut()
        events = [observatory.pubsub.publish(f"x:{number}", number) for number in range(10)]
        with trio.fail_after(10):  # noqa: ASYNC100 -- there are some
            assert [await anext(subscription) for subscription in subscriptions] == events


async def test_nonsense(open_proxied: OpenProxied, caplog: pytest.LogCaptureFixture, until: Until, log: Any) -> None:
    """What is no answer of a service ends the connection, with a line in the log, and another one is made."""
    log.expected.append("has failed")
    async with open_proxied() as (observatory, proxy, client):
        [connection] = observatory.service("websocket")._connections
        await connection._socket.send_message("nonsense")
        await until(lambda: not proxy.connections)
        await client.health()
    assert "the connection to ws://127.0.0.1" in caplog.text
