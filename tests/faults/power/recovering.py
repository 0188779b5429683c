"""What is kept on the disks whose power is cut, and what must be found on them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from observatory import Observatory, open_observatory

from ..histories.checker import problems
from ..histories.client import Plan, content_of, unread
from ..histories.history import Found, History

KINDS: Mapping[str, Mapping[str, Any]] = {
    "the inbox at fsynced": {"inbox": "fsynced"},
    "sqlite": {"storage": "sqlite", "inbox": None},
    "both": {"storage": "sqlite", "inbox": "fsynced"},
}
"""What a plan says of each."""


async def recover(plan: Plan, root: Path, judge: Callable[[Mapping[str, Found]], History]) -> tuple[History, list[str]]:
    """Open an Observatory on what was left, see what it finds, and use it.

    Args:
        plan: what was done before.
        root: where it lies now.
        judge: makes a history of that and of what is found.

    Returns:
        The history, and what is wrong with it.
    """
    alone = {"inbox": {"watch": False, "outbox": False}} if plan.inbox else {}
    async with open_observatory(attrs.evolve(plan.settings(), root=root, plugins=alone)) as observatory:
        agents = observatory.mailbox.get_stats()
        history = judge({agent: unread(observatory, agent) for agent in agents})
        found = [*problems(history), *_left(observatory)]
        if not found:
            found = await _use(observatory, history)
    return history, found


def _left(observatory: Observatory) -> list[str]:
    """Return which files are no messages, by reason: there is none that is half written."""
    inbox = observatory.statistics().channels.get("inbox", {})
    return [f"{count} files are {reason}" for reason, count in inbox.get("left", {}).items()]


async def _use(observatory: Observatory, history: History) -> list[str]:
    """Go on: send something new, and what was sent last under a key once more, which must have no effect."""
    mailbox = observatory.mailbox
    receipt = await mailbox.send_message("agent-0", "new", "new")
    found = [f"a new message is not written: {each}" for each in receipt.deliveries.values() if each.state != "written"]
    keyed = [send for send in history.sends if send.key and send.id and history.lasting]
    for send in keyed[-1:]:
        again = await mailbox.send_message(send.to, send.client, content_of(send.label), idempotency_key=send.key)
        if (again.duplicate, again.message.id, again.sequence) != (True, send.id, send.sequence):
            found.append(f"{send} is done again: {again}")
    return found
