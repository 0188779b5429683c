"""The system's news of what has changed in folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

import trio

from observatory_skills.places.access import is_text

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP = 40  # milliseconds between two looks at what has arrived: each wakes this process
_DEBOUNCE = 50  # milliseconds after which what has arrived is handed over although more is arriving
_MODIFIED = 2
_TRIES = 5  # where folders come and go faster than anybody can begin to listen to them


class Watching:
    """Listens in a worker thread, so that nothing waits for the system in a task.

    Of watchfiles it takes what lies below `awatch`, which cannot tell when it has begun to listen. It listens to each
    folder but not to what is below it, as a folder that is not there yet is awaited where there may be a lot else.

    Args:
        paths: what is to be watched; what is not there is waited for.
        folders: returns the folders that are to be listened to for one of them.
        changed: called in the task whose thread this is, when something may have changed: with the paths, or with
            none where it may be anything.
        begun: called there once nothing is missed any more.
    """

    def __init__(
        self,
        paths: Sequence[str],
        folders: Callable[[str], Iterable[str]],
        changed: Callable[..., None],
        begun: Callable[[], None],
    ) -> None:
        self._paths = paths
        self._folders_of = folders
        self._changed = changed
        self._begun = begun

    def listen(self) -> None:
        """Listen until the task is cancelled, or the system tells nothing, or not fast enough."""
        tries = 0
        while tries < _TRIES:
            tries += 1
            trio.from_thread.check_cancelled()
            folders = self._folders()
            try:
                notify = _open(folders)
            except FileNotFoundError:
                continue  # one of them has just gone
            except (OSError, RuntimeError):
                break
            with notify:
                if folders == self._folders():  # else one has come before there was anybody to hear of it
                    tries = 0
                    self._listen_to(notify, folders)
        self._tell()

    def _listen_to(self, notify: RustNotify, folders: set[str]) -> None:
        """Tell of changes, until it is other folders that are to be listened to."""
        self._tell()
        while True:
            try:
                news = cast("set[tuple[int, str]]", notify.watch(_DEBOUNCE, _STEP, 0, _Cancelled()))
            except RuntimeError:  # after a name that is no UTF-8 there are only errors
                return
            trio.from_thread.run_sync(self._changed, *{path for _, path in news})
            if any(kind != _MODIFIED for kind, _ in news) and folders != self._folders():
                return

    def _tell(self) -> None:
        trio.from_thread.run_sync(self._begun)
        self._begun = self._changed  # when this begins anew, something may have been missed

    def _folders(self) -> set[str]:
        """Return what is to be listened to: without links, so that it tells when one leads elsewhere."""
        folders: set[str] = set()
        for path in self._paths:
            if os.path.islink(path):
                folders.add(os.path.realpath(os.path.dirname(path)))
            folders.update(self._folders_of(os.path.realpath(path)) if os.path.exists(path) else [_nearest(path)])
        return {folder for folder in folders if is_text(folder)}


class _Cancelled:
    """Ends listening when the task is cancelled: asked at each step, in the worker thread, it raises that there."""

    def is_set(self) -> bool:
        trio.from_thread.check_cancelled()
        return False


def _open(folders: set[str]) -> RustNotify:
    from watchfiles._rust_notify import RustNotify  # here, so that the plugin is quick to import

    return RustNotify(sorted(folders), False, False, 0, False, True)  # what may not be read is passed over


def _nearest(path: str) -> str:
    """Return the folder nearest to a path that is there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
