"""What is kept on the disks whose power is cut, and what must be found on them afterwards."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from observatory import Observatory, open_observatory

from ..histories.checker import problems
from ..histories.client import Plan, content_of, make_team, unread
from ..histories.history import Found, History

KINDS: Mapping[str, Mapping[str, Any]] = {
    "the inbox at fsynced": {"inbox": "fsynced"},
    "sqlite": {"storage": "sqlite", "inbox": None},
    "both": {"storage": "sqlite", "inbox": "fsynced"},
    "team inboxes at fsynced": {"inbox": "fsynced", "team": True},
}
"""What a plan says of each."""

NEW = "new"
"""The content of what is sent afterwards, and its sender."""


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
    if plan.team:
        _start_team(attrs.evolve(plan, root=str(root)))
    async with open_observatory(attrs.evolve(plan.settings(), root=root, plugins=alone)) as observatory:
        agents = observatory.mailbox.get_stats()
        history = judge({agent: unread(observatory, agent) for agent in agents})
        found = [*problems(history), *_left(observatory)]
        if not found:
            found = await _use(observatory, history, plan.agent(0))
    return history, [*found, *(_misappended(root, history) if plan.team else ())]


def _start_team(plan: Plan) -> None:
    """Start the team's session again; that there is power again has taken longer than 10 seconds: locks are stale."""
    make_team(plan)
    for lock in Path(plan.root).glob("teams/*/inboxes/*.lock"):
        os.utime(lock, (0, 0))


def _left(observatory: Observatory) -> list[str]:
    """Return which files are no messages, by reason: there is none that is half written."""
    inbox = observatory.statistics().channels.get("inbox", {})
    return [f"{count} files are {reason}" for reason, count in inbox.get("left", {}).items()]


def _misappended(root: Path, history: History) -> Iterator[str]:
    """Yield what is not in team inboxes although it was promised, or has a file; what is there half, or twice.

    An entry is durable before its message has a file, so whatever survives as a file is there, promised or not.
    """
    contents = {content_of(send.label) for send in history.sends} | {NEW}
    there: dict[str, Counter[str]] = {}
    for path in root.glob("teams/*/inboxes/*.json"):
        try:
            entries = json.loads(path.read_bytes())
        except ValueError as error:
            yield f"{path} is half: {error}"
            continue
        there[f"{path.stem}@{path.parts[-3]}"] = ids = Counter(entry["msg_id"] for entry in entries)
        yield from (f"{id} is there twice, in {path}" for id, count in ids.items() if count > 1)
        yield from (f"{entry} was never sent, in {path}" for entry in entries if entry["text"] not in contents)
    kept = {(send.to, send.id) for send in history.sends if send.kept and send.id}
    for to, id in kept | {(to, id) for to, found in history.final.items() for id, _ in found}:
        if id not in there.get(to, ()):
            yield f"{id} is not in the team inbox of {to}"


async def _use(observatory: Observatory, history: History, agent: str) -> list[str]:
    """Go on: send something new, and what was sent last under a key once more, which must have no effect."""
    mailbox = observatory.mailbox
    receipt = await mailbox.send_message(agent, NEW, NEW)
    found = [f"a new message is not written: {each}" for each in receipt.deliveries.values() if each.state != "written"]
    keyed = [send for send in history.sends if send.key and send.id and history.lasting]
    for send in keyed[-1:]:
        again = await mailbox.send_message(send.to, send.client, content_of(send.label), idempotency_key=send.key)
        if (again.duplicate, again.message.id, again.sequence) != (True, send.id, send.sequence):
            found.append(f"{send} is done again: {again}")
    return found
