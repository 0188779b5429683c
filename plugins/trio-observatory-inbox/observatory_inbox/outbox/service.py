"""The service that publishes what agents write into their outboxes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from contextlib import closing

import trio

from observatory import Context, Service
from observatory_inbox.outbox.owner import own
from observatory_inbox.outbox.tray import Tray, is_response
from observatory_inbox.settings import InboxSettings
from observatory_inbox.watching.changes import Changes
from observatory_inbox.watching.following import POLL, Watching
from observatory_inbox.watching.stamps import Stamps


class Outbox(Service):
    """Publishes each `{root}/outbox/{session_id}/*.json` on `session:{session_id}`, and then removes it.

    The payload is a `CommandResponse`. A file that stays as it is for a second and does not decode is moved to
    `{root}/outbox/.quarantine/`, beside a file `.reason`. Of several processes on one root, the one that holds
    `{root}/observatory/owner.lock` reads the outbox, and when it ends, another.

    Args:
        context: what Observatory hands to a service.
    """

    def __init__(self, context: Context) -> None:
        settings: InboxSettings = context.settings or InboxSettings()
        self._pubsub = context.pubsub
        self._root = context.root
        self._folder = os.path.join(context.root, "outbox")
        self._tray = Tray(self._folder, settings.max_file_bytes)
        self._published = 0

    @property
    def published(self) -> int:
        """How many responses were published so far."""
        return self._published

    @property
    def quarantined(self) -> int:
        """How many files were put aside so far."""
        return self._tray.quarantined

    @property
    def left(self) -> Counter[str]:
        """What was left where it is so far, by reason."""
        return Counter(self._tray.left)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Publish until cancelled; being there beside another process's outbox counts as serving, too."""
        lock = await trio.to_thread.run_sync(own, self._root)
        if lock is None:
            task_status.started()
            task_status = trio.TASK_STATUS_IGNORED
        while lock is None:
            await trio.sleep(POLL)
            lock = await trio.to_thread.run_sync(own, self._root)
        try:
            self._stamps = Stamps(self._folder)
            await Watching(self._folder, self).run(task_status=task_status)
        finally:
            os.close(lock)

    async def look(self, changes: Changes) -> None:
        """Publish what the system tells of."""
        for session in changes.vanished:
            self._tray.forget(session)
        written = {session for session, names in changes.written.items() if any(map(is_response, names))}
        await self._publish({*changes.appeared, *changes.vanished, *written})

    async def sweep(self) -> None:
        """Publish what has been missed, and look again at what could not be decoded."""
        try:
            changed, vanished = await trio.to_thread.run_sync(self._stamps.changed)
        except FileNotFoundError:
            changed, vanished = [], self._stamps.clear()
        except OSError:
            return  # such as a link in its place
        for session in vanished:
            self._tray.forget(session)
        await self._publish({*changed, *self._tray.unfinished()})

    async def _publish(self, sessions: Collection[str]) -> None:
        if not sessions:
            return
        with closing(self._tray.take(sessions, trio.current_time())) as batches:
            while (batch := await trio.to_thread.run_sync(next, batches, None)) is not None:
                for taken in batch:
                    response = taken.response
                    self._pubsub.publish(f"session:{response.session_id}", response, size=taken.size)
                    self._published += 1
                if batch:
                    with trio.CancelScope(shield=True):  # what was published is not published again
                        await trio.to_thread.run_sync(self._tray.remove, batch)
