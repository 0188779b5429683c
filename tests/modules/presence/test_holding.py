"""Leases: taken once, renewed while they are held, given back whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    ClosedError,
    ForbiddenError,
    Identity,
    InvalidInputError,
    LeaseLimitError,
    LeaseLostError,
    LeaseTakenError,
    Observatory,
    PresenceSettings,
    open_observatory,
)
from observatory.testing import cancel_at_every_checkpoint


@pytest.fixture
def clock(autojump_clock: MockClock) -> MockClock:
    """Time goes by as soon as nobody has anything to do."""
    return autojump_clock


def held(obs: Observatory) -> list[tuple[str, str]]:
    """Return who holds what."""
    return [(lease.holder, lease.resource) for lease in obs.presence.list_leases()]


async def test_a_block(open_here: Any, told: Any) -> None:
    """It is held while the block is entered, told of when it is taken and when it is over, and somebody else's then."""
    async with open_here() as obs, obs.pubsub.subscribe("presence:update") as updates:
        async with obs.presence.lease("ann", "src/parser.py") as lease:
            assert (lease.holder, lease.resource, lease.seconds) == ("ann", "src/parser.py", 30.0)
            assert held(obs) == [("ann", "src/parser.py")]
            with pytest.raises(LeaseTakenError, match=r"'src/parser\.py' is held by 'ann' until") as refusal:
                async with obs.presence.lease("bob", "src/parser.py"):
                    pytest.fail("two hold it")
            assert refusal.value.holder == "ann"
        assert held(obs) == []
        async with obs.presence.lease("bob", "src/parser.py"):
            pass
        update = await told(updates)
        taken = [one.holder for each in update for one in each.taken]
        over = [(one.lease.holder, one.reason) for each in update for one in each.released]
        assert (taken, over) == (["ann", "bob"], [("ann", "released"), ("bob", "released")])


async def test_not_twice_by_the_same(open_here: Any) -> None:
    """Who holds something does not get it again."""
    async with open_here() as obs, obs.presence.lease("ann", "x"):
        with pytest.raises(LeaseTakenError):
            obs.presence.acquire_lease("ann", "x")


async def test_as_long_as_the_block(open_here: Any, clock: MockClock) -> None:
    """However long the block is entered, nobody else gets it, and its holder is not gone."""
    async with open_here() as obs, obs.presence.lease("ann", "x"):
        await trio.sleep(10_000)
        [lease] = obs.presence.list_leases()
        assert lease.expires_at > obs.clock.now()
        with pytest.raises(LeaseTakenError):
            obs.presence.acquire_lease("bob", "x")
        [agent] = obs.presence.list_agents()
        assert (agent.status, agent.sources) == ("idle", ("lease",))


async def test_an_error_in_the_block(open_here: Any) -> None:
    """It comes out as itself, and the lease is given back."""
    async with open_here() as obs:
        with pytest.raises(KeyError, match="mine"):
            async with obs.presence.lease("ann", "x"):
                raise KeyError("mine")
        assert held(obs) == []


async def test_cancelled_anywhere(open_here: Any) -> None:
    """Wherever it is cancelled, nothing is held after it."""
    async with open_here() as obs:

        async def hold() -> None:
            async with obs.presence.lease("ann", "x"):
                await trio.lowlevel.checkpoint()
                await obs.mailbox.send_message("a", "ann", "I have it")

        async def check() -> None:
            await trio.lowlevel.checkpoint()
            assert held(obs) == []

        assert await cancel_at_every_checkpoint(hold, check) >= 3


async def test_expires(open_here: Any, told: Any, clock: MockClock) -> None:
    """What nobody renews is over in time, and told of then; what is renewed is not."""
    async with open_here() as obs, obs.pubsub.subscribe("presence:update") as updates:
        left, kept = (obs.presence.acquire_lease("ann", resource) for resource in "xy")
        await trio.sleep(20)
        obs.presence.renew_lease(kept.id)
        await trio.sleep(9.9)
        assert len(held(obs)) == 2
        await told(updates)
        await trio.sleep(0.2)
        [update] = await told(updates)
        assert [(one.lease.id, one.reason) for one in update.released] == [(left.id, "expired")]
        assert held(obs) == [("ann", "y")]
        with pytest.raises(LeaseLostError) as lost:
            obs.presence.renew_lease(left.id)
        assert lost.value.id == left.id
        await trio.sleep(30)
        assert held(obs) == []


async def test_renewing_is_a_sign_of_life(open_here: Any, clock: MockClock) -> None:
    """Who renews is active."""
    async with open_here() as obs:
        lease = obs.presence.acquire_lease("ann", "x")
        for _ in range(100):
            await trio.sleep(20)
            obs.presence.renew_lease(lease.id)
        [agent] = obs.presence.list_agents()
        assert agent.status == "active"


async def test_expires_before_anybody_looks(open_here: Any, mock_clock: MockClock) -> None:
    """What has expired can be taken, also before the task has had its turn."""
    async with open_here() as obs:
        obs.presence.acquire_lease("ann", "x")
        mock_clock.jump(30)
        obs.presence.acquire_lease("bob", "x")
        assert held(obs) == [("bob", "x")]


async def test_bounds(bare_settings: Any) -> None:
    """There are so many leases, of one agent and in all."""
    settings = bare_settings(presence=PresenceSettings(max_leases=3, max_leases_each=2))
    async with open_observatory(settings) as obs:
        first = obs.presence.acquire_lease("ann", "1")
        obs.presence.acquire_lease("ann", "2")
        with pytest.raises(LeaseLimitError, match=r"presence\.max_leases_each is 2"):
            obs.presence.acquire_lease("ann", "3")
        obs.presence.acquire_lease("bob", "3")
        with pytest.raises(LeaseLimitError, match=r"presence\.max_leases is 3"):
            async with obs.presence.lease("cid", "4"):
                pytest.fail("there is no room")
        obs.presence.release_lease(first.id)
        async with obs.presence.lease("cid", "4"):
            pass


@pytest.mark.parametrize("resource", ["", "x" * 1_025, "a\nb", 5, None])
async def test_resources(open_here: Any, resource: Any) -> None:
    """What can be no resource is refused; 1,024 printable characters, of any kind, can be one."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match="resource"):
            obs.presence.acquire_lease("ann", resource)
        with pytest.raises(InvalidInputError, match="resource"):
            async with obs.presence.lease("ann", resource):
                pytest.fail("it is none")
        assert obs.presence.acquire_lease("ann", "ü/" * 512).resource == "ü/" * 512


async def test_exactly(open_here: Any) -> None:
    """Resources are what they are: other spellings of a path are others."""
    async with open_here() as obs:
        for resource in ("a/b", "./a/b", "A/B", "a/b "):
            obs.presence.acquire_lease("ann", resource)
        assert len(held(obs)) == 4
        assert [lease.resource for lease in obs.presence.list_leases(after="A/B", limit=2)] == ["a/b", "a/b "]


async def test_for_oneself(open_here: Any) -> None:
    """Over a door an agent holds and gives back for itself only; the service's owner for anybody."""
    async with open_here() as obs:
        ann, owner = Identity("ann"), Identity(None)
        lease = obs.presence.acquire_lease("bob", "x", identity=owner)
        with pytest.raises(ForbiddenError):
            obs.presence.acquire_lease("bob", "y", identity=ann)
        for ask in (obs.presence.renew_lease, obs.presence.release_lease):
            with pytest.raises(ForbiddenError):
                ask(lease.id, identity=ann)
        assert held(obs) == [("bob", "x")]
        own = obs.presence.acquire_lease("ann", "y", identity=ann)
        assert obs.presence.renew_lease(own.id, identity=ann).holder == "ann"
        assert obs.presence.release_lease(own.id, identity=ann)


@pytest.mark.parametrize("id", [5, None])
async def test_ids(open_here: Any, id: Any) -> None:
    """What can be no id of a lease is refused."""
    async with open_here() as obs:
        for ask in (obs.presence.renew_lease, obs.presence.release_lease):
            with pytest.raises(InvalidInputError, match="id: expected the id of a lease"):
                ask(id)


async def test_closed(open_here: Any) -> None:
    """Nothing can be held once it is closed; what is held is given back without harm."""
    async with trio.open_nursery() as nursery:
        async with open_here() as obs:

            async def hold(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC114
                async with obs.presence.lease("ann", "x"):
                    task_status.started()
                    await trio.sleep_forever()

            await nursery.start(hold)
        with pytest.raises(ClosedError):
            obs.presence.acquire_lease("ann", "y")
        nursery.cancel_scope.cancel()
    assert held(obs) == []


async def test_many_who_want_it(open_here: Any) -> None:
    """Of many who want the same at once one has it at a time."""
    async with open_here() as obs:
        inside: list[str] = []
        times = 0

        async def work(name: str) -> None:
            nonlocal times
            while True:
                try:
                    async with obs.presence.lease(name, "x"):
                        inside.append(name)
                        await trio.lowlevel.checkpoint()
                        assert inside == [name]
                        inside.remove(name)
                        times += 1
                        return
                except LeaseTakenError:
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(work, f"agent-{number}")
        assert times == 20
        await wait_all_tasks_blocked()
        assert held(obs) == []
