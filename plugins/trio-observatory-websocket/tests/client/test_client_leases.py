"""Leases that a client holds: renewed while it lives, and given back, or lost, as its block is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from observatory_websocket.client.calls import Calls
from trio.testing import wait_all_tasks_blocked

from observatory import (
    ClosedError,
    ForbiddenError,
    HookEvent,
    LeaseLostError,
    LeaseTakenError,
    Observatory,
    PresenceSettings,
    open_observatory,
)
from observatory.testing import cancel_at_every_checkpoint

OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]
Until = Callable[[Callable[[], object]], Awaitable[None]]

SHORT = PresenceSettings(lease_seconds=1.0)


def held(observatory: Observatory) -> list[tuple[str, str]]:
    """Return who holds what."""
    return [(lease.holder, lease.resource) for lease in observatory.presence.list_leases()]


async def test_renewed(open_proxied: OpenProxied) -> None:
    """It is held longer than it lasts, also over a connection that is lost for a moment, and is then given back."""
    async with open_proxied(presence=SHORT) as (observatory, proxy, client):
        async with client.presence.lease("ann", "x"):
            await trio.sleep(0.7)
            proxy.cut()
            await trio.sleep(0.9)
            assert held(observatory) == [("ann", "x")]
            with pytest.raises(LeaseTakenError) as refusal:
                observatory.presence.acquire_lease("bob", "x")
            assert refusal.value.holder == "ann"
        assert held(observatory) == []


async def test_client_that_dies(settings: Any, until: Until) -> None:
    """What nobody renews any more expires."""
    async with open_observatory(settings(presence=SHORT)) as observatory, trio.open_nursery() as nursery:
        async with open_client(root=observatory.settings.root) as client:
            await client.presence.acquire_lease("ann", "x")
            assert held(observatory) == [("ann", "x")]
        nursery.cancel_scope.deadline = trio.current_time() + 20
        await until(lambda: held(observatory) == [])


async def hold(client: WebSocketClient, entered: trio.Event) -> None:
    """Hold something for ever."""
    async with client.presence.lease("ann", "x"):
        entered.set()
        await trio.sleep_forever()


async def test_service_out_of_reach(open_proxied: OpenProxied, until: Until) -> None:
    """A block whose lease cannot be renewed in time is cancelled by the time at which another one may have it."""
    async with open_proxied(presence=SHORT) as (observatory, proxy, client):

        async def lose() -> None:
            async with client.presence.lease("ann", "x"):
                proxy.refusing = True
                proxy.cut()
                await trio.sleep_forever()

        with trio.fail_after(10), pytest.raises(LeaseLostError):
            await lose()
        proxy.refusing = False
        await until(lambda: held(observatory) == [])
        async with client.presence.lease("bob", "x"):
            assert held(observatory) == [("bob", "x")]


async def test_connected_anew(open_proxied: OpenProxied) -> None:
    """It is renewed as soon as there is another connection, perhaps with a service that knows nothing of it."""
    async with open_proxied() as (observatory, proxy, client):

        async def lose() -> None:
            async with client.presence.lease("ann", "x") as lease:
                observatory.presence.release_lease(lease.id)
                proxy.cut()
                await trio.sleep_forever()

        with trio.fail_after(10), pytest.raises(LeaseLostError):
            await lose()


async def test_given_up_before_it_is_asked_for(open_proxied: OpenProxied) -> None:
    """What nobody waits for any more is not taken later, and giving it up takes no time."""
    async with open_proxied() as (observatory, proxy, client):
        await proxy.cut_off()
        began = trio.current_time()
        for _ in range(3):
            with trio.move_on_after(0.01):
                await hold(client, trio.Event())
        assert trio.current_time() - began < 1
        proxy.refusing = False
        async with client.presence.lease("ann", "x"):
            assert held(observatory) == [("ann", "x")]


async def test_given_up_as_it_is_written() -> None:
    """What may not be written any more is left out; what comes after it is written."""
    calls = Calls()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: calls.ask("no", {}, may_write=lambda: False))
        await wait_all_tasks_blocked()
        nursery.start_soon(lambda: calls.ask("yes", {}, may_write=lambda: True))
        assert b'"yes"' in (await calls.next()).data
        nursery.cancel_scope.cancel()
    assert b'"observatory.cancel","params":{"id":2}' in (await calls.next()).data
    with trio.move_on_after(0.01) as patience:
        await calls.next()  # the service does not know of the other one
    assert patience.cancelled_caught


async def test_asked_for_long_before(open_proxied: OpenProxied) -> None:
    """It lasts from when the service was asked, however long there was none."""
    async with open_proxied(presence=SHORT) as (observatory, proxy, client):

        async def hold_later() -> None:
            async with client.presence.lease("ann", "x"):
                await trio.sleep(0.1)
                assert held(observatory) == [("ann", "x")]

        await proxy.cut_off()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold_later)
            await trio.sleep(1.1)
            proxy.refusing = False


async def test_lost_here_and_not_there(
    open_proxied: OpenProxied, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client has lost is given back where the service thinks that it is held."""
    async with open_proxied() as (observatory, _, client):
        take = client._calls.take

        def take_first(answer: Mapping[str, Any]) -> None:
            take({**answer, "result": {**answer["result"], "seconds": 0.5}})
            monkeypatch.setattr(client._calls, "take", lambda _: None)

        monkeypatch.setattr(client._calls, "take", take_first)
        with trio.fail_after(10), pytest.raises(LeaseLostError):
            await hold(client, trio.Event())
        await until(lambda: held(observatory) == [])


async def test_session_ends(open_proxied: OpenProxied) -> None:
    """A block whose lease is taken away hears of it when it would have been renewed."""
    async with open_proxied(presence=SHORT) as (observatory, _, client):

        async def lose() -> None:
            async with client.presence.lease("ann", "x"):
                observatory.pubsub.publish(
                    "events:stream", HookEvent("SessionEnd", "s", observatory.clock.now(), "ann")
                )
                await trio.sleep_forever()

        with trio.fail_after(10), pytest.raises(LeaseLostError):
            await lose()


async def test_client_that_is_closed(settings: Any) -> None:
    """A block that goes on beyond its client has lost its lease."""
    async with open_observatory(settings()) as observatory, trio.open_nursery() as nursery:
        entered = trio.Event()
        lost: list[LeaseLostError] = []

        async def lose(client: WebSocketClient) -> None:
            try:
                await hold(client, entered)
            except LeaseLostError as error:
                lost.append(error)

        async with open_client(root=observatory.settings.root) as client:
            nursery.start_soon(lose, client)  # noqa: ASYNC111 -- that is what it is about
            await entered.wait()
    assert len(lost) == 1


async def test_client_that_was_closed(settings: Any) -> None:
    """Nothing is held by it any more."""
    async with open_observatory(settings()) as observatory:
        async with open_client(root=observatory.settings.root) as client:
            pass
        with pytest.raises(ClosedError):
            await hold(client, trio.Event())


async def test_cancelled_anywhere(open_proxied: OpenProxied, until: Until) -> None:
    """Wherever it is cancelled, also while the answer is on its way, nothing is held after it."""
    async with open_proxied() as (observatory, _, client):

        async def work() -> None:
            async with client.presence.lease("ann", "x"):
                await trio.lowlevel.checkpoint()

        async def check() -> None:
            await until(lambda: held(observatory) == [])

        assert await cancel_at_every_checkpoint(work, check) > 3
        await check()


async def test_an_error_in_the_block(open_proxied: OpenProxied) -> None:
    """It comes out as itself, once the lease is given back."""
    async with open_proxied() as (observatory, _, client):
        with pytest.raises(KeyError, match="mine"):
            async with client.presence.lease("ann", "x"):
                raise KeyError("mine")
        assert held(observatory) == []


async def test_more_than_an_answer_holds(open_proxied: OpenProxied) -> None:
    """However many agents and leases there are, all of them come."""
    settings = PresenceSettings(max_leases_each=1_000)
    async with open_proxied(presence=settings) as (observatory, _, client):
        for number in range(450):
            observatory.presence.hear(f"agent-{number}")
            observatory.presence.acquire_lease("ann", f"{number:03} {'🔔' * 1_020}")
        assert await client.presence.list_agents() == observatory.presence.list_agents()
        assert await client.presence.list_leases() == observatory.presence.list_leases()


async def test_an_agent_of_its_own(settings: Any, until: Until) -> None:
    """Who connects as an agent is heard of by that, stays as long as it is connected, and holds for itself only."""
    async with open_observatory(settings()) as observatory:
        async with open_client(root=observatory.settings.root, identity="ann") as client:
            [agent] = observatory.presence.list_agents()
            assert (agent.name, agent.status, agent.sources) == ("ann", "active", ("connection",))
            assert observatory.presence.known._entries["ann"].kept == 1
            before = agent.last_seen
            await client.health()
            [agent] = observatory.presence.list_agents()
            assert before is not None
            assert agent.last_seen is not None
            assert agent.last_seen > before
            with pytest.raises(ForbiddenError):
                await client.presence.acquire_lease("bob", "x")
            async with client.presence.lease("ann", "x"):
                assert held(observatory) == [("ann", "x")]
        await until(lambda: observatory.presence.known._entries["ann"].kept == 0)
        async with open_client(root=observatory.settings.root):
            assert [one.name for one in observatory.presence.list_agents()] == ["ann"]
