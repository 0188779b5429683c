"""The system's news of what has changed in projects, teams and their tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, cast

import trio

from observatory.errors import SwarmSourceError
from observatory.sources.access import folders_in, is_path
from observatory.sources.task_file import TASKS
from observatory.sources.teams import MAX_TEAMS

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP = 25  # milliseconds between two looks at what has arrived: each wakes this process
_DEBOUNCE = 50  # milliseconds after which what has arrived is handed over although more is arriving


class Watching:
    """Listens in a worker thread, so that nothing waits for the system in a task.

    Of watchfiles it takes what lies below `awatch`, which cannot tell when it has begun to listen.

    Args:
        root: where everything is.
        projects: those that are no folders are passed over.
        changed: called in the task whose thread this is, when something may have changed.
        begun: called there once nothing is missed any more.
    """

    def __init__(
        self, root: str, projects: Collection[str], changed: Callable[[], None], begun: Callable[[], None]
    ) -> None:
        self._root = os.path.realpath(root)
        self._parents = {os.path.join(self._root, name) for name in ("teams", "tasks")}
        self._projects = frozenset(projects)
        self._changed = changed
        self._begun = begun

    def listen(self) -> None:
        """Listen until the task is cancelled.

        Raises:
            SwarmSourceError: the system tells nothing.
        """
        while True:
            trio.from_thread.check_cancelled()
            folders = self._folders()
            notify = self._open(folders)
            if notify is not None:
                with notify:
                    if folders == self._folders():  # else one has come before there was anybody to hear of it
                        self._listen_to(notify, folders)

    def _open(self, folders: Collection[str]) -> RustNotify | None:
        """Begin to listen, to each folder but not to what is below it; return None when one of them has just gone."""
        from watchfiles._rust_notify import RustNotify  # here, so that `import observatory` is quick

        try:
            return RustNotify(sorted(folders), False, False, 0, False, False)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as error:
            reason = f"the system tells nothing of changes, so they are found by looking: {error}"
            raise SwarmSourceError(self._root, reason) from error

    def _listen_to(self, notify: RustNotify, folders: Collection[str]) -> None:
        """Tell of changes, until it may be other folders that are to be listened to."""
        trio.from_thread.run_sync(self._begun)
        self._begun = self._changed  # when this begins anew, something may have been missed
        while True:
            try:
                news = notify.watch(_DEBOUNCE, _STEP, 0, _Cancelled())
            except RuntimeError:  # after a name that is no UTF-8 there are only errors
                return
            paths = {path for _, path in cast("set[tuple[int, str]]", news)}
            if any(path in folders or path in self._parents or _parent(path) in self._parents for path in paths):
                return
            if any(self._concerns(path) for path in paths):
                trio.from_thread.run_sync(self._changed)

    def _concerns(self, path: str) -> bool:
        parent = _parent(path)
        return _parent(parent) in self._parents or (os.path.basename(path) == TASKS and parent in self._projects)

    def _folders(self) -> set[str]:
        """Return what is to be listened to, as far as that is allowed."""
        folders = {self._root, *self._parents, *self._projects}
        for parent in self._parents:
            folders.update(os.path.join(parent, name) for name in _names(parent))
        return {path for path in folders if is_path(path) and os.path.isabs(path) and _is_readable_folder(path)}


class _Cancelled:
    """Ends listening when the task is cancelled: asked at each step, in the worker thread, it raises that there."""

    def is_set(self) -> bool:
        trio.from_thread.check_cancelled()
        return False


def _names(folder: str) -> Collection[str]:
    try:
        return folders_in(folder, MAX_TEAMS)[0]
    except OSError:
        return ()  # whoever looks for teams says so


def _is_readable_folder(path: str) -> bool:
    return os.path.isdir(path) and os.access(path, os.R_OK)


def _parent(path: str) -> str:
    return os.path.dirname(path)
