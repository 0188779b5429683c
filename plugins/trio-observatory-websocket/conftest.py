"""What tests of the websocket share, those of the client, too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from observatory import Observatory

_ALWAYS = {"events:stream", "swarm:update"}


@pytest.fixture
def followed() -> Callable[[Observatory], list[str]]:
    """Return what tells which topics are followed, but for those that modules of the core always follow."""
    return lambda house: [one.topic for one in house.pubsub.statistics().subscriptions if one.topic not in _ALWAYS]
