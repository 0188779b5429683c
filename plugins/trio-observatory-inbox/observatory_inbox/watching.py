"""Following what happens in the directories of a folder: by the system's news, and by looking every 2 s.

News come within milliseconds, but some do not come: of files made in a directory before its watch began, of what
the system had to forget because nobody took it in time (the library does not say when), of file systems without
news, beyond the system's limit of watches. So every 2 s what has changed is looked for: one `stat` per directory.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

import trio

from observatory_inbox.listener import Changes, Listener

POLL = 2.0
"""Seconds between two sweeps."""

_SOON = 0.1
"""Seconds after which a directory that appeared is looked at once more: its watch may have begun after the first."""

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

    async def sweep(self) -> str | None:
        """Look for whatever has changed since the last sweep.

        Returns:
            The path of a symbolic link, or of a directory where none belongs, which may hold some: the system would
            follow it, so its news are not taken while it is there. None when there is none.
        """


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
        self._earliest = self._due
        self._obstacle: str | None = None
        self._failed = False
        self._complaint: str | None = None
        self._stop = threading.Event()
        self._limiter = trio.CapacityLimiter(1)  # a thread of its own: it is taken for as long as this runs

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow until cancelled.

        Args:
            task_status: told once everything was looked at, and nothing is missed any more.
        """
        await self._sweep()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, await self._open())
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
            if changes.appeared:
                self._due = min(self._due, max(self._earliest, trio.current_time() + _SOON))
            if trio.current_time() >= self._due:
                await self._sweep()

    async def _sweep(self) -> None:
        started = trio.current_time()
        obstacle = await self._looker.sweep()
        now = trio.current_time()
        self._earliest = now + (now - started) * _REST
        self._due = max(self._earliest, now + POLL)
        if obstacle is not None and obstacle != self._obstacle:
            _log.warning("%r is in the way of watching; until it is removed, files are found every 2 s", obstacle)
            self._stop.set()
        self._obstacle = obstacle

    async def _listen(self, listener: Listener | None) -> None:
        """Listen, and begin again after a pause when that ends; failures make the pause longer."""
        pause = POLL
        while True:
            begun = trio.current_time()
            if listener is not None:
                await self._hear(listener)
            if not self._failed or trio.current_time() - begun > _LONGEST_PAUSE:
                pause = POLL
            came = listener is not None and listener.awaits and not self._failed
            await trio.sleep(0 if came else pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            listener = await self._open()

    async def _open(self) -> Listener | None:
        self._failed = False
        if self._obstacle is not None:
            return None
        self._stop.clear()
        try:
            listener = await trio.to_thread.run_sync(Listener, self._folder, limiter=self._limiter)
        except FileNotFoundError:
            return None  # the sweeps find it once it is there
        except (OSError, RuntimeError) as error:
            self._complain(f"{self._folder!r} cannot be watched, so files are found every 2 s: {error}")
            return None
        self._look_now()
        return listener

    async def _hear(self, listener: Listener) -> None:
        """Take news until there are no more."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_when_cancelled)
                while (changes := await self._wait(listener)) is not None:
                    self._take(changes)
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(listener.close, limiter=self._limiter)
            self._look_now()

    async def _wait(self, listener: Listener) -> Changes | None:
        try:
            return await trio.to_thread.run_sync(listener.wait, self._stop, limiter=self._limiter)
        except RuntimeError as error:
            self._complain(f"watching {self._folder!r} was interrupted: {error}")
            return None

    async def _stop_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._stop.set()  # a thread cannot be cancelled, but asked

    def _take(self, changes: Changes) -> None:
        self._pending.merge(changes)
        if len(self._pending) > _MAX_PENDING:
            self._pending = Changes()
            self._look_now()
        self._news.set()

    def _look_now(self) -> None:
        self._due = trio.current_time()
        self._news.set()

    def _complain(self, text: str) -> None:
        self._failed = True
        if text != self._complaint:
            _log.warning("%s", text)
        self._complaint = text
