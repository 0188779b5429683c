"""What every client can do about agents and leases."""

from __future__ import annotations

import pytest

from observatory import Client, LeaseTakenError, Observatory
from observatory.testing.same import assert_same


async def meet(obs: Observatory, client: Client) -> None:
    """See who is there, and hold something: the same through a client and through the library."""
    presence = client.presence
    await client.mailbox.send_message("lead", "ann", "I begin.")
    receipt = await client.mailbox.send_message("amn", "ann", "Are you there?")
    assert receipt.nearest is not None
    assert "ann" in receipt.nearest
    assert_same(await presence.list_agents(), obs.presence.list_agents())
    assert_same(await presence.get_agent("ann"), obs.presence.get_agent("ann"))
    assert_same(await presence.get_agent("nobody"), None)
    taken = await presence.acquire_lease("ann", "src/parser.py")
    assert_same(await presence.list_leases(), [taken])
    renewed = await presence.renew_lease(taken.id)
    assert renewed.expires_at > taken.expires_at
    assert_same([await presence.release_lease(taken.id) for _ in range(2)], [True, False])
    async with presence.lease("ann", "src/parser.py") as lease:
        assert [held.id for held in obs.presence.list_leases()] == [lease.id]
        with pytest.raises(LeaseTakenError) as refusal:
            await presence.lease("bob", "src/parser.py").__aenter__()
        assert (refusal.value.resource, refusal.value.holder) == ("src/parser.py", "ann")
    assert_same(obs.presence.list_leases(), [])
