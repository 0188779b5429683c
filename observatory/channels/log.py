"""The delivery channel that writes one line a message to the standard library's logger `observatory.messages`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import trio

from observatory.abc import DeliveryChannel
from observatory.jobs import Done, Dropped, Job, Outcome, Post

_SHOWN = 200
"""Characters of a message's content that are shown."""

_DONE = Done("sent")


class LogChannel(DeliveryChannel):
    """One line for each message: who, to whom, what kind, how long, and how it begins."""

    def __init__(self) -> None:
        import structlog  # here, since importing it takes longer than all of observatory and most never log

        self._log: Any = structlog.wrap_logger(
            logging.getLogger("observatory.messages"),
            # renders values with repr, which escapes whatever could move a cursor or begin a line of its own
            processors=[
                structlog.processors.KeyValueRenderer(key_order=["event", "to", "from_", "id"], drop_missing=True)
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Write the lines."""
        await trio.lowlevel.checkpoint()
        for job in batch:
            self._write(job)
        return [_DONE] * len(batch)

    def _write(self, job: Job) -> None:
        if isinstance(job, Post):
            message = job.message
            self._log.info(
                "message",
                to=message.to,
                from_=message.from_,
                id=message.id,
                sequence=job.sequence,
                type=message.type,
                length=len(message.content),
                content=message.content[:_SHOWN],
            )
        elif isinstance(job, Dropped):
            self._log.warning("dropped", count=job.count)
        else:
            self._log.info("retracted", to=job.to, id=job.id)
