"""Which process reads the outbox."""

from __future__ import annotations

import os
import stat
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


async def test_the_lock_s_mode_does_not_depend_on_the_umask(office: Any) -> None:
    """It is 0600, so that the next process can take it, and says who has it."""
    before = os.umask(0o777)
    try:
        async with office.running(office.service()):
            lock = office.root / "observatory" / "owner.lock"
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600
            assert stat.S_IMODE(lock.parent.stat().st_mode) == 0o700
            assert lock.read_text() == f"{os.getpid()}\n"
    finally:
        os.umask(before)
