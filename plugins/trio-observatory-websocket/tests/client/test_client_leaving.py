"""What is closed, or given up, while the connection is being lost, and what is waited for while the client ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from trio.testing import wait_all_tasks_blocked

from observatory import ClosedError, Observatory, ObservatoryError, Settings, UnauthorizedError, open_observatory

OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]
Until = Callable[[Callable[[], object]], Awaitable[None]]

TOPICS = [f"x:{number}" for number in range(100)]

pytestmark = pytest.mark.usefixtures("impatient")


def cut(observatory: Observatory) -> None:
    """Let the service end the connection: there are few turns between that and its end at the client."""
    [connection] = observatory.service("websocket")._connections
    connection._nursery.cancel_scope.cancel()


async def pause(turns: int) -> None:
    """Let so many turns of the loop go by."""
    for _ in range(turns):
        await trio.lowlevel.checkpoint()


async def follow_again(client: WebSocketClient, observatory: Observatory) -> None:
    """See that every topic can be followed."""
    with trio.fail_after(10):  # noqa: ASYNC912 -- there are some
        for topic in TOPICS:
            async with await client.subscribe(topic) as again:
                event = observatory.pubsub.publish(topic, "again")
                assert await anext(again) == event


@pytest.mark.parametrize("turns", [1, 2, 3])  # at each one the connection would never be without tasks
async def test_closed_at_every_turn(open_proxied: OpenProxied, turns: int) -> None:
    """A subscription can be closed at every turn of the loop around a cut; its topic can be followed again."""
    async with open_proxied() as (observatory, _, client):
        subscriptions = [await client.subscribe(topic) for topic in TOPICS]
        connection = client._session._connection
        cut(observatory)
        for subscription in subscriptions:
            await subscription.aclose()  # takes a turn
            await pause(turns - 1)
        assert client._session._connection is not connection, "the cut is not among the turns"
        await follow_again(client, observatory)


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_given_up_at_every_turn(open_proxied: OpenProxied, until: Until, turns: int, followed: Any) -> None:
    """So can subscribing be cancelled."""
    async with open_proxied() as (observatory, _, client):
        connection = client._session._connection
        cut(observatory)
        for topic in TOPICS:
            with trio.CancelScope() as scope:
                scope.cancel()
                await client.subscribe(topic)  # takes a turn
            await pause(turns - 1)
        assert client._session._connection is not connection, "the cut is not among the turns"
        await client.health()
        await until(lambda: not followed(observatory))
        await follow_again(client, observatory)


async def subscribe(client: WebSocketClient, ends: list[ObservatoryError]) -> None:
    """Follow a topic, and note why that was not possible."""
    try:
        await client.subscribe("x")
    except ObservatoryError as error:
        ends.append(error)


async def test_waits_while_client_ends(settings: Callable[..., Settings]) -> None:
    """Who waits to follow something while the client is closed is told so."""
    ends: list[ObservatoryError] = []
    async with trio.open_nursery() as nursery:
        async with open_observatory(settings()) as observatory:
            ending = trio.Event()

            async def hold(*, task_status: trio.TaskStatus[WebSocketClient]) -> None:  # noqa: ASYNC114
                async with open_client(root=observatory.settings.root) as client:
                    task_status.started(client)
                    await ending.wait()

            client = await nursery.start(hold)
        nursery.start_soon(subscribe, client, ends)
        await wait_all_tasks_blocked(0.01)
        assert not ends
        ending.set()
    assert [type(error) for error in ends] == [ClosedError]


async def test_waits_while_refused(open_proxied: OpenProxied, until: Until) -> None:
    """Who waits to follow something is told when the service does not let this client in any more."""
    ends: list[ObservatoryError] = []
    async with open_proxied() as (observatory, proxy, client), trio.open_nursery() as nursery:
        await proxy.cut_off()
        nursery.start_soon(subscribe, client, ends)
        await wait_all_tasks_blocked(0.01)
        observatory.security.token = "another"
        proxy.refusing = False
        await until(lambda: ends)
        with pytest.raises(UnauthorizedError):
            await client.subscribe("x")
    assert [type(error) for error in ends] == [UnauthorizedError]
