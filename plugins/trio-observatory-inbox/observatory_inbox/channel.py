"""The delivery channel: batches in a worker thread, recovery, statistics."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from typing import Any

import trio

from observatory import Adopt, Context, DeliveryChannel, Job, Outcome
from observatory_inbox.hop import Hop
from observatory_inbox.listing import QueueStats, queue_stats
from observatory_inbox.placing import Placer
from observatory_inbox.recovery import Recovery
from observatory_inbox.settings import InboxSettings
from observatory_inbox.writing import Batch


class InboxChannel(DeliveryChannel):
    """Writes each message to `{root}/inbox/{to}/{id}.json`, and removes the file once it is acknowledged.

    Args:
        context: what Observatory hands to a delivery channel.
    """

    recovers = True

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._settings: InboxSettings = context.settings or InboxSettings()
        self._folder = os.path.join(context.root, "inbox")
        self._written = 0
        self._removed = 0
        self._recovery = Recovery(self._folder, self._settings.max_file_bytes, 0.0)

    async def start(self) -> None:
        """Make ready for work in a thread."""
        await trio.lowlevel.checkpoint()
        prefix = f".{secrets.token_hex(4)}-"
        self._placer = Placer(f"{prefix}{number}.tmp" for number in itertools.count())
        self._hop = Hop()

    async def aclose(self) -> None:
        """Give back what `start` took."""
        self._placer.close()
        self._hop.close()
        await trio.lowlevel.checkpoint()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Write and remove the files of a batch."""
        # Never abandoned: a batch is bounded, and a thread left behind could write after a later retraction.
        work = Batch(self._folder, batch, self._placer)
        outcomes = await self._hop.run(work.carry_out)
        self._written += work.written
        self._removed += work.removed
        return outcomes

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand the unread files to `adopt`, oldest first per recipient; leave what is not ours, and say so.

        Temporary files that a crash has left more than 36 h ago are removed.
        """
        recovery = self._recovery = Recovery(self._folder, self._settings.max_file_bytes, self._now())
        with closing(recovery.batches(agents)) as batches:
            while (batch := await trio.to_thread.run_sync(next, batches, None)) is not None:
                if batch:
                    await adopt(batch)

    async def queue_stats(self) -> tuple[QueueStats, ...]:
        """Return what waits in the inbox, for every recipient with at least one file, by name.

        Raises:
            OSError: when the inbox is there and cannot be listed.
        """
        return await trio.to_thread.run_sync(queue_stats, self._folder, self._now(), abandon_on_cancel=True)

    def statistics(self) -> Mapping[str, Any]:
        """Return files written and removed so far, and what the latest recovery has found, swept and left."""
        recovery = self._recovery
        return {
            "written": self._written,
            "removed": self._removed,
            "recovered": recovery.recovered,
            "swept": recovery.swept,
            "left": dict(recovery.left),
        }

    def _now(self) -> float:
        return self._clock.now().timestamp()
