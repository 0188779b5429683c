"""Leases that are lost: their blocks are cancelled."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from observatory import (
    HookEvent,
    LeaseLostError,
    LeaseTakenError,
    Observatory,
)


def held(obs: Observatory) -> list[tuple[str, str]]:
    """Return who holds what."""
    return [(lease.holder, lease.resource) for lease in obs.presence.list_leases()]


@pytest.mark.parametrize("waits", [True, False])
async def test_given_back_by_somebody_else(open_here: Any, waits: bool) -> None:
    """A block whose lease somebody else gives back is cancelled, and says that the lease is lost."""
    async with open_here() as obs:
        reached: list[str] = []

        async def hold() -> None:
            async with obs.presence.lease("ann", "x") as lease:
                given_back = [obs.presence.release_lease(lease.id) for _ in range(2)]
                assert given_back == [True, False]
                if waits:
                    await trio.sleep_forever()
                reached.append("end")

        with trio.fail_after(5), pytest.raises(LeaseLostError):
            await hold()
        assert reached == ([] if waits else ["end"])
        assert held(obs) == []


async def test_own_error_beside_a_lost_lease(open_here: Any) -> None:
    """The block's own error counts more than that its lease is lost."""
    async with open_here() as obs:

        async def fail() -> None:
            async with obs.presence.lease("ann", "x") as lease:
                obs.presence.release_lease(lease.id)
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await fail()


async def test_the_session_ends(open_here: Any, told: Any) -> None:
    """All leases of an agent whose session ends are over, and it is gone; those of others are not."""
    async with open_here() as obs, obs.pubsub.subscribe("presence:update") as updates:
        obs.presence.acquire_lease("ann", "x")
        obs.presence.acquire_lease("bob", "y")

        async def hold() -> None:
            async with obs.presence.lease("ann", "z"):
                obs.pubsub.publish("events:stream", HookEvent("SessionEnd", "session", obs.clock.now(), "ann"))
                await trio.sleep_forever()

        with trio.fail_after(5), pytest.raises(LeaseLostError):
            await hold()
        assert held(obs) == [("bob", "y")]
        update = await told(updates)
        over = [(one.lease.resource, one.reason) for each in update for one in each.released]
        assert over == [("x", "ended"), ("z", "ended")]
        assert [one.name for each in update for one in each.left] == ["ann"]


async def test_nobody_else_has_it_while_a_block_cleans_up(open_here: Any) -> None:
    """A lease that is taken away is over when its block is left, however long that takes."""
    async with open_here() as obs:
        tried: list[str] = []

        async def hold() -> None:
            async with obs.presence.lease("ann", "x") as lease:
                obs.presence.release_lease(lease.id)
                try:
                    await trio.sleep_forever()
                finally:
                    with pytest.raises(LeaseTakenError):
                        obs.presence.acquire_lease("bob", "x")
                    with pytest.raises(LeaseLostError):
                        obs.presence.renew_lease(lease.id)
                    tried.append("cleaned up")

        with trio.fail_after(5), pytest.raises(LeaseLostError):
            await hold()
        assert tried == ["cleaned up"]
        obs.presence.acquire_lease("bob", "x")
