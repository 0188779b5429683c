"""What agents' programs tell of themselves: on which topic, and whose program it is."""

from __future__ import annotations

from observatory.arguments import is_name
from observatory.messages import HookEvent

EVENTS = "events:stream"
"""The topic on which `HookEvent`s are published, by whoever hears of them."""


def agent_of(event: HookEvent) -> str | None:
    """Return whose program it is; None where nobody could write to that, whatever it calls itself."""
    name: object = event.session_id if event.agent is None else event.agent
    return name if isinstance(name, str) and is_name(name) else None
