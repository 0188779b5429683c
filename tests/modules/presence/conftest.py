"""What tests of presence share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from trio.testing import wait_all_tasks_blocked

from observatory import PresenceUpdate, Subscription


@pytest.fixture
def told() -> Callable[[Subscription], Awaitable[list[PresenceUpdate]]]:
    """Return what gives all updates that were told since it was asked last."""

    async def told(updates: Subscription) -> list[PresenceUpdate]:
        await wait_all_tasks_blocked()
        if not updates.statistics().pending:
            return []
        return [event.payload for event in await updates.receive_batch()]

    return told
