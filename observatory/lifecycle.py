"""Opening an Observatory, and closing it in order."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import trio

from observatory.application import Observatory
from observatory.arguments import given
from observatory.clock import Clock
from observatory.errors import RootError, one_line
from observatory.modules.checks import check_agents
from observatory.settings import Settings

_log = logging.getLogger("observatory")


def open_observatory(
    settings: Settings | None = None,
    *,
    plugins: Iterable[object] = (),
    clock: Clock | None = None,
    recover: Collection[str] | None = None,
    services: bool | Collection[str] = True,
) -> _Opening:
    """Open an Observatory for the time of an `async with` block.

    Left normally, or by an exception, it refuses new sends, drains the lanes (10 s by default) and flushes storage;
    what could not be drained is counted in `undelivered`. When cancelled it only flushes and closes, each step for at
    most 1 s. An exception of the block comes out as itself.

    Args:
        settings: by default `Settings()`.
        plugins: plugin objects beside the installed ones.
        clock: wall time; by default the system's.
        recover: whose inboxes are recovered at the start; by default everybody's.
        services: whether services are made and run, and delivery channels watch what other processes do; False for a
            program that does one thing and ends, such as a command. Names for one that is nobody's service, and needs
            some of them: the others are not made, and a name that nobody registers is passed over.

    Raises:
        InvalidInputError: an argument is not allowed.
        RootError: the root is no directory, or cannot be made or written.
        SettingsError: the settings name what there is not.
        PluginError: a plugin cannot be used.
        StorageError: the storage backend cannot be opened.
        EssentialChildError: something it cannot do without has failed for good.
    """
    settings = given("settings", Settings, settings)
    if recover is not None:
        recover = check_agents("recover", recover)
    return _Opening(settings, plugins=plugins, clock=given("clock", Clock, clock), recover=recover, services=services)


async def serve(
    settings: Settings | None = None, *, task_status: trio.TaskStatus[Observatory] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run an Observatory until cancelled, as `observatory = await nursery.start(serve, settings)`.

    Raises:
        What `open_observatory` raises.
    """
    async with open_observatory(settings) as observatory:
        task_status.started(observatory)
        await trio.sleep_forever()


class _Opening:
    """The asynchronous context manager that `open_observatory` returns."""

    def __init__(
        self,
        settings: Settings,
        *,
        plugins: Iterable[object],
        clock: Clock,
        recover: Collection[str] | None,
        services: bool | Collection[str],
    ) -> None:
        self._settings = settings
        self._plugins = plugins
        self._clock = clock
        self._recover = recover
        self._services = services

    async def __aenter__(self) -> Observatory:
        await trio.to_thread.run_sync(_prepare_root, self._settings.root)
        self._observatory = Observatory(
            self._settings,
            plugins=self._plugins,
            clock=self._clock,
            recover=self._recover,
            services=self._services,
        )
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        try:
            await self._observatory.start(self._nursery)
        except BaseException as error:
            outcome = await self._close(error)  # noqa: ASYNC102 -- shields what must not be cancelled
            if outcome is None or outcome is error:
                raise
            raise outcome from outcome.__cause__  # noqa: ASYNC104 -- what it was cancelled for
        return self._observatory

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = error
        if error is None or isinstance(error, Exception):
            outcome = await _finish(self._observatory.drain, error)  # noqa: ASYNC102 -- can be cancelled
        outcome = await self._close(outcome)  # noqa: ASYNC102 -- shields what must not be cancelled
        if outcome is not None and outcome is not error:
            raise outcome

    async def _close(self, error: BaseException | None) -> BaseException | None:
        """Flush, end every child, give everything back; return what is to be raised."""
        error = await _finish(self._observatory.flush, error)
        error = await _finish(self._observatory.stop, error)
        self._nursery.cancel_scope.cancel()
        # What has nothing to do with being cancelled does not go through the nursery, which would wrap it.
        inside = error if error is not None and _holds_cancelled(error) else None
        try:
            await self._nursery_manager.__aexit__(None if inside is None else type(inside), inside, None)
        except BaseExceptionGroup as group:
            error = _unwrap(group, error)
        return await _finish(self._observatory.aclose, error)


async def _finish(step: Callable[[], Awaitable[None]], error: BaseException | None) -> BaseException | None:
    """Take one step of closing, whatever it raises; return what is to be raised in the end, the first error if any."""
    try:
        await step()
    except trio.Cancelled as cancelled:  # noqa: ASYNC103 -- raised by the caller, after everything is closed
        return cancelled if error is None else error  # noqa: ASYNC104
    except BaseException as failure:  # noqa: BLE001 -- the same
        if error is None or not isinstance(failure, Exception):
            return failure
        _log.error("while closing after another error: %s", one_line(failure), exc_info=failure)
    return error


def _unwrap(group: BaseExceptionGroup[BaseException], error: BaseException | None) -> BaseException:
    """Find what the block or the one failed child has raised; a group only where there is more than that."""
    failures = [raised for raised in group.exceptions if not _is_cancellation(raised)]
    if error is not None and not _holds_cancelled(error):
        failures.insert(0, error)
    if len(failures) > 1:
        return BaseExceptionGroup(group.message, failures)
    return failures[0] if failures else group if error is None else error


def _holds_cancelled(error: BaseException) -> bool:
    return BaseExceptionGroup("", [error]).subgroup(trio.Cancelled) is not None


def _is_cancellation(error: BaseException) -> bool:
    return BaseExceptionGroup("", [error]).split(trio.Cancelled)[1] is None


def _make(root: Path) -> None:
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if missing:
        root.chmod(0o700)  # whatever the umask
    for folder in missing:  # so that a power cut takes none of them away again, with everything in it
        with suppress(OSError):  # a folder that may be entered and not read, a file system that syncs no folders
            descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _prepare_root(root: Path) -> None:
    """Make the root where it is missing, and see that one can write there.

    Raises:
        RootError: says why not.
    """
    try:
        _make(root)
        with tempfile.TemporaryFile(dir=root):
            pass
    except FileExistsError as error:
        raise RootError(str(root), "is no directory") from error
    except NotADirectoryError as error:
        raise RootError(str(root), "lies below something that is no directory") from error
    except OSError as error:
        raise RootError(str(root), f"cannot be made or written: {error.strerror}") from error
    except ValueError as error:
        raise RootError(repr(str(root)), "is no path that a file system can have") from error
