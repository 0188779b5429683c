"""Which process reads the outbox."""

from __future__ import annotations

import os
from typing import Any

import trio


async def test_a_lock_that_is_no_file(office: Any, hurried_clock: Any) -> None:
    """Nobody waits in it, and the outbox is read once it is away."""
    lock = office.root / "observatory" / "owner.lock"
    lock.parent.mkdir(mode=0o700)
    os.mkfifo(lock)
    async with office.running(office.service()) as service, office.pubsub.subscribe("session:*") as responses:
        office.write("1.json", {})
        await trio.sleep(10)
        assert service.published == 0
        lock.unlink()
        (response,) = await responses.receive_batch()
        assert response.payload.id == "1"
