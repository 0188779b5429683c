"""What is closed, or given up, while the connection is being lost, and what is waited for while the client ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient

from observatory import Observatory

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
async def test_given_up_at_every_turn(open_proxied: OpenProxied, until: Until, turns: int) -> None:
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
        await until(lambda: observatory.pubsub.statistics().subscriptions == ())
        await follow_again(client, observatory)
