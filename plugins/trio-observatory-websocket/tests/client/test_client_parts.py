"""Parts of the client by themselves, and what it relies on at the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient, WebSocketSubscription
from observatory_websocket.client.calls import Again, Calls
from observatory_websocket.client.link import Address
from observatory_websocket.client.session import Session
from observatory_websocket.server.following import Following
from trio.testing import wait_all_tasks_blocked

from observatory import ClosedError, Event, Gap, Observatory, OutcomeUnknownError, Settings, open_observatory

OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]


class TestSubscription:
    """Where a subscription goes on, should the connection be lost."""

    @pytest.mark.parametrize(
        ("topic", "events", "since", "epoch"),
        [
            ("x:a", [], 7, "one"),
            ("x:*", [], 7, "one"),
            ("x:a", [Event("x:a", "one", 8, 0, position=20)], 8, "one"),
            ("x:*", [Event("x:a", "one", 8, 0, position=20)], 20, "one"),
            ("x:a", [Event("x:a", "one", 11, Gap(4))], 11, "one"),
            ("x:*", [Event("x:*", "one", 0, Gap(4))], 7, "one"),
            ("x:a", [Event("x:a", "two", 2, Gap(None))], 2, "two"),
            ("x:*", [Event("x:*", "two", 0, Gap(None))], 0, "two"),
            ("x:*", [Event("x:*", "two", 0, Gap(None)), Event("x:a", "two", 1, 0, position=3)], 3, "two"),
        ],
    )
    def test_goes_on(self, topic: str, events: Sequence[Event], since: int, epoch: str) -> None:
        """It goes on after the last event, or gap, that has come in; in another epoch from its beginning."""
        subscription = WebSocketSubscription(topic, None, None, lambda _: None)
        subscription.begin({"newest": 7, "epoch": "one"})
        for event in events:
            subscription.take(event, 1)
        assert subscription.params == {"topic": topic, "since": since, "epoch": epoch}

    @pytest.mark.parametrize(
        ("sizes", "missed", "left"), [((4, 4, 4, 4), 0, 4), ((4, 4, 4, 5), 1, 3), ((9, 9), 1, 1), ((9, 17, 17), 2, 1)]
    )
    async def test_bytes(self, sizes: Sequence[int], missed: int, left: int) -> None:
        """Of more than 16 MiB the oldest go, and a gap says how many, but the newest stays, however large it is."""
        subscription = WebSocketSubscription("x:a", 0, "one", lambda _: None)
        events = [Event("x:a", "one", number, None) for number, _ in enumerate(sizes, 1)]
        for event, size in zip(events, sizes, strict=True):
            subscription.take(event, size * 1024 * 1024)
        subscription.end()
        got = [event async for event in subscription]
        gap = [Event("x:a", "one", missed, Gap(missed))] if missed else []
        assert got == gap + events[-left:]

    async def test_bytes_read(self) -> None:
        """What was read takes no room any more."""
        subscription = WebSocketSubscription("x:a", 0, "one", lambda _: None)
        for number in range(1, 9, 2):
            events = [Event("x:a", "one", number, None), Event("x:a", "one", number + 1, None)]
            for event in events:
                subscription.take(event, 8 * 1024 * 1024)
            assert [await anext(subscription), await anext(subscription)] == events


class TestCalls:
    """Calls over one connection after another."""

    async def test_order(self) -> None:
        """What was sent already and is asked again keeps its place before what was not."""
        calls = Calls()
        async with trio.open_nursery() as nursery:
            for name in "abcd":
                nursery.start_soon(lambda name: calls.ask(name, {}, again=Again.YES), name)
                await wait_all_tasks_blocked()
            for _ in range(2):
                for _ in range(2):
                    await calls.next()
                calls.lose(too_big=False)
            written = [(await calls.next()).data for _ in range(4)]
            nursery.cancel_scope.cancel()
        assert [b'"method":"%c"' % name in data for name, data in zip(b"abcd", written, strict=True)] == [True] * 4

    async def test_answered(self) -> None:
        """What was answered before the connection was lost is answered."""
        calls = Calls()
        results: list[object] = []

        async def ask() -> None:
            results.append(await calls.ask("a", {}))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await calls.next()
            calls.take({"id": 1, "result": "yes"})
            calls.lose(too_big=False)
        assert results == ["yes"]

    async def test_too_big(self) -> None:
        """What was in hand when a connection was closed over the size of a message is not asked again."""
        calls = Calls()

        async def ask() -> None:
            with pytest.raises(OutcomeUnknownError, match="larger than one may be"):
                await calls.ask("notes.list", {}, again=Again.YES)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await calls.next()
            calls.lose(too_big=True)


async def test_found_too_early(settings: Callable[..., Settings]) -> None:
    """A service that was started again after it was found, and so refuses the token, is looked for again."""
    async with open_observatory(settings()) as observatory, trio.open_nursery() as nursery:
        url = observatory.service("websocket").url
        tokens = iter(["of an earlier run"])

        async def locate() -> Address:
            await trio.lowlevel.checkpoint()
            return Address(url, next(tokens, observatory.security.token))

        session = Session(locate)
        await nursery.start(session.run)
        assert await session.calls.ask("notes.get", {"key": "x"}) is None
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("impatient")
async def test_service_that_ends(open_proxied: OpenProxied, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription that a service refuses since it is ending goes on over the next connection."""
    async with open_proxied() as (observatory, proxy, client), await client.subscribe("x") as subscription:
        refused = trio.Event()

        def subscribe(*_: object) -> None:
            refused.set()
            raise ClosedError("this Observatory is closed")

        with monkeypatch.context() as patch:
            patch.setattr(Following, "subscribe", subscribe)
            proxy.cut()
            await refused.wait()
        await client.health()
        proxy.cut()
        event = observatory.pubsub.publish("x", "hello")
        with trio.fail_after(5):
            assert await anext(subscription) == event


@pytest.mark.usefixtures("impatient")
async def test_closed_before_it_comes_back(open_proxied: OpenProxied, until: Callable[..., Any], followed: Any) -> None:
    """What is closed while it waits for its turn to come back does not come back."""
    async with open_proxied(security={"requests_per_second": 50.0, "burst": 30}) as (observatory, proxy, client):
        subscriptions = [await client.subscribe(f"x:{number}") for number in range(25)]
        proxy.cut()
        await until(lambda: len(followed(observatory)) in range(1, 20))
        for subscription in subscriptions:
            await subscription.aclose()
        await until(lambda: not followed(observatory))
        await trio.sleep(0.5)
        assert not followed(observatory)
