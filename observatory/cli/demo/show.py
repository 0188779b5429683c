"""A subscription to every mailbox, and who is shown what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from observatory import Message, Observatory
from observatory.cli.demo.agents import YOU


class Show(Protocol):
    """Whoever shows what happens."""

    frame: float
    """Seconds between two looks at what has happened; it slows nobody down."""

    def show(self, messages: Sequence[Message]) -> None:
        """Show messages that were sent since the last time."""


async def follow(
    observatory: Observatory, show: Show, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Show what happens in every mailbox, until the report has come."""
    # Should it fall behind so far, it is told of a `Gap`, which is no message: the oldest are not shown then.
    async with observatory.pubsub.subscribe("agent:*", capacity=10_000) as subscription:
        task_status.started()
        finished = False
        while not finished:
            events = await subscription.receive_batch()
            messages = [event.payload for event in events if isinstance(event.payload, Message)]
            show.show(messages)
            finished = any(message.to == YOU for message in messages)
            await trio.sleep(0 if finished else show.frame)
