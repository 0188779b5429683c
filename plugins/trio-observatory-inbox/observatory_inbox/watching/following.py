"""Following what happens in the directories of a folder: by the system's news, and by looking every 2 s.

News come within milliseconds, but some do not come: of what the system had to forget because nobody took it in time, of
file systems without news, beyond the system's limit of watches. So every 2 s what has changed is looked for: one `stat`
per directory.
"""

from __future__ import annotations

import logging
import sys
from typing import Protocol

import trio

from observatory_inbox.watching.changes import Changes, Listener

if sys.platform == "linux":
    from observatory_inbox.watching.linux import LinuxListener as SystemListener
else:
    from observatory_inbox.watching.portable import PortableListener as SystemListener

POLL = 2.0
"""Seconds between two sweeps."""

_REST = 20
"""How much longer than a sweep the pause after it is at least, so that sweeping a large inbox takes 5 % of a core."""

_LONGEST_PAUSE = 60.0
"""Seconds after which listening is tried again at the latest, when it has failed again and again."""

_MAX_PENDING = 50_000
"""Changes that may wait; beyond, only a sweep is due."""

_log = logging.getLogger("observatory.inbox")


class Looker(Protocol):
    """Who looks at what has changed; one call at a time."""

    async def look(self, changes: Changes) -> None:
        """Look at what the system tells."""

    async def sweep(self) -> None:
        """Look for whatever has changed since the last sweep."""


class Watching:
    """Follows one folder; `run` it once.

    Args:
        folder: the path; it may be missing.
        looker: who looks at what has changed.
    """

    def __init__(self, folder: str, looker: Looker) -> None:
        self._folder = folder
        self._looker = looker
        self._pending = Changes()
        self._news = trio.Event()
        self._due = trio.current_time()
        self._pause = POLL
        self._complaint: str | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow until cancelled.

        Args:
            task_status: told once everything was looked at, and nothing is missed any more.
        """
        await self._sweep()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._listen)
            await self._sweep()
            task_status.started()
            await self._serve()

    async def _serve(self) -> None:
        while True:
            with trio.move_on_at(self._due):
                await self._news.wait()
            self._news = trio.Event()
            changes, self._pending = self._pending, Changes()
            if changes:
                await self._looker.look(changes)
            if trio.current_time() >= self._due:
                await self._sweep()

    async def _sweep(self) -> None:
        started = trio.current_time()
        await self._looker.sweep()
        now = trio.current_time()
        self._due = now + max(POLL, (now - started) * _REST)

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen, and begin again when that ends, after a pause when it has failed."""
        while True:
            listener = await self._open()
            task_status.started()
            task_status = trio.TASK_STATUS_IGNORED
            if listener is not None and await self._hear(listener):
                self._pause = POLL
            else:
                await trio.sleep(self._pause)
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    async def _open(self) -> Listener | None:
        try:
            listener = await trio.to_thread.run_sync(SystemListener, self._folder)
        except FileNotFoundError:
            self._pause = POLL  # nothing has failed: the sweeps find it once it is there
            return None
        except OSError as error:
            self._complain(f"{self._folder!r} cannot be watched, so files are found every 2 s: {error}")
            return None
        self._look_now()
        return listener

    async def _hear(self, listener: Listener) -> bool:
        """Take news until there are no more, and return whether they ended well."""
        try:
            self._complain_of(listener.shortfall)
            while (changes := await listener.wait()) is not None:
                self._complain_of(listener.shortfall)
                self._take(changes)
        except OSError as error:
            self._complain(str(error))
            return False
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(listener.close)
            self._look_now()
        return True

    def _take(self, changes: Changes) -> None:
        if self._pending:
            self._pending.merge(changes)
        else:
            self._pending = changes
        if len(self._pending) > _MAX_PENDING:
            self._pending = Changes()
            self._look_now()
        if self._pending or self._due <= trio.current_time():
            self._news.set()

    def _look_now(self) -> None:
        self._due = trio.current_time()
        self._news.set()

    def _complain_of(self, shortfall: OSError | None) -> None:
        if shortfall is not None:
            self._complain(f"not all of {self._folder!r} is watched, where files are found every 2 s: {shortfall}")

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            _log.warning("%s", text)
        self._complaint = text
