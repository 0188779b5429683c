"""The delivery channel: batches in a worker thread, recovery, statistics."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from typing import Any

import trio

from observatory import Adopt, Context, DeliveryChannel, Gone, Job, Outcome
from observatory_inbox.adopting.adoption import Adoption
from observatory_inbox.adopting.known import Known
from observatory_inbox.files.hop import Hop
from observatory_inbox.files.listing import QueueStats, queue_stats
from observatory_inbox.mail.disk import Disk
from observatory_inbox.mail.placing import Placer
from observatory_inbox.mail.recovery import Recovery
from observatory_inbox.mail.syncing import SyncedBatch
from observatory_inbox.mail.writing import Batch
from observatory_inbox.settings import InboxSettings
from observatory_inbox.teams.teams import Teams

_ADOPTED_AT_A_TIME = 500  # the Mailbox's task does nothing else meanwhile


class InboxChannel(DeliveryChannel):
    """Writes each message to `{root}/inbox/{to}/{id}.json`, and removes the file once it is acknowledged.

    Args:
        context: what Observatory hands to a delivery channel.
    """

    recovers = True
    watches = True

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._settings: InboxSettings = context.settings or InboxSettings()
        self._root = context.root
        self._folder = os.path.join(context.root, "inbox")
        self._written = 0
        self._removed = 0
        self._recovery = Recovery(self._folder, self._settings.max_file_bytes, 0.0)
        self.watches = self._settings.watch
        self._known = Known()
        self._adoption = Adoption(self._folder, self._known, self._recovery)

    async def start(self) -> None:
        """Make ready for work in a thread."""
        await trio.lowlevel.checkpoint()
        self._hop = Hop()  # the only thing here that can fail
        prefix = f".{secrets.token_hex(4)}-"
        names = (f"{prefix}{number}.tmp" for number in itertools.count())
        self._placer = Placer(names)
        synced = self._settings.durability == "fsynced"
        self._disk = Disk(self._root) if synced else None
        self._teams = Teams(self._root, self._settings, names, sync=synced) if self._settings.team_inboxes else None

    async def aclose(self) -> None:
        """Give back what `start` took."""
        self._placer.close()
        self._hop.close()
        await trio.lowlevel.checkpoint()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Write and remove the files of a batch."""
        # Never abandoned: a batch is bounded, and a thread left behind could write after a later retraction.
        work = self._work_for(batch)
        if self.watches:
            self._known.begin(batch)
            try:
                outcomes = await self._hop.run(work.carry_out)
                self._known.settle(batch, outcomes)
            finally:
                self._known.end()
        else:
            outcomes = await self._hop.run(work.carry_out)
        self._written += work.written
        self._removed += work.removed
        return outcomes

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand the unread files to `adopt`, oldest first per recipient; leave what is not ours, and say so.

        Temporary files that a crash has left more than 36 h ago are removed.
        """
        recovery = self._recovery = Recovery(self._folder, self._settings.max_file_bytes, self._now())
        self._adoption.note_recovery(recovery, agents)
        with closing(recovery.steps(agents)) as steps:
            while (found := await trio.to_thread.run_sync(next, steps, None)) is not None:
                for start in range(0, len(found), _ADOPTED_AT_A_TIME):
                    batch = found[start : start + _ADOPTED_AT_A_TIME]
                    await adopt(batch)
                    if self.watches:
                        self._known.add(batch)
                    await trio.lowlevel.checkpoint()  # taking them in needs not be one, and there may be thousands

    async def watch(  # noqa: ASYNC128 -- what it calls says that it has started
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell what other processes write into the inbox, and take from it, until cancelled.

        A file that is gone is told of when this process has written or adopted it, nothing that failed is being tried
        again, and its directory is still there and could be listed. What lay there unrecovered at first is not told of.
        """
        await self._adoption.run(adopt, gone, task_status=task_status)

    async def queue_stats(self) -> tuple[QueueStats, ...]:
        """Return what waits in the inbox, for every recipient with at least one file, by name.

        Raises:
            OSError: when the inbox is there and cannot be listed.
        """
        return await trio.to_thread.run_sync(queue_stats, self._folder, self._now(), abandon_on_cancel=True)

    def statistics(self) -> Mapping[str, Any]:
        """Return what was written and removed so far, what recovery has found, swept and left, and what others did."""
        recovery = self._recovery
        return {
            "written": self._written,
            "removed": self._removed,
            "recovered": recovery.recovered,
            "swept": recovery.swept,
            "left": dict(recovery.left),
            "adopted": self._adoption.adopted,
            "taken": self._adoption.taken,
        }

    def _work_for(self, batch: Sequence[Job]) -> Batch:
        if self._disk is None:
            return Batch(self._folder, batch, self._placer, self._teams)
        return SyncedBatch(self._folder, batch, self._placer, self._disk, self._teams)

    def _now(self) -> float:
        return self._clock.now().timestamp()
