"""`observatory serve`."""

from __future__ import annotations

import gc
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import trio

from observatory import Observatory
from observatory.cli.endings import FAILED, OK
from observatory.cli.logs import log_everything
from observatory.cli.opening import opened
from observatory.cli.options import Options
from observatory.cli.output import complain, harmless, note


async def serve(*, options: Options = Options()) -> int:  # noqa: B008  # frozen
    """Run modules, delivery channels and services until Ctrl-C or SIGTERM.

    Prints a line that begins with `ready` once everything runs. Then it delivers what is left before it ends; a second
    Ctrl-C ends it at once. A terminal that is closed is like SIGTERM, except under `nohup`, which has that ignored.

    Args:
        options: Where, and with which settings.
    """
    settings = options.settings()
    _allow_open_files()
    stopping = trio.Event()
    running: Observatory | None = None
    with log_everything(), trio.open_signal_receiver(*_endings()) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, signals, stopping, nursery.cancel_scope)
            async with opened(settings, services=True) as running:
                gc.freeze()  # what is there by now stays: no search for garbage needs to look at all of it again
                print(_ready(running), flush=True)
                await stopping.wait()
                note("stopping; Ctrl-C again ends at once")
            nursery.cancel_scope.cancel()
    if running is None:
        complain("ended before it was ready")
        return FAILED
    # A second signal may have come from a wrapper that passes the first one on: it need not have cut anything short.
    if running.undelivered:
        complain("ended before everything was delivered")
        return FAILED
    return OK


def _allow_open_files() -> None:
    """Let as many files and sockets be open as the system allows: what is usual is too little for a door's clients."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems name a bound that is none
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _endings() -> list[signal.Signals]:
    """Return the signals that end it: that of a closed terminal too, unless whoever has started it has it ignored."""
    hangup = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


async def _watch(signals: AsyncIterator[int], stopping: trio.Event, scope: trio.CancelScope) -> None:
    await anext(signals)
    stopping.set()
    number = await anext(signals)
    while number == signal.SIGHUP:  # of a closed terminal the kernel tells, and often the shell again
        number = await anext(signals)
    signal.signal(number, signal.SIG_DFL)  # so that a third one ends even what Trio cannot cancel
    scope.cancel()


def _ready(observatory: Observatory) -> str:
    loaded = [info.name for info in observatory.plugins() if info.state == "loaded"]
    statistics = observatory.statistics()
    channels = ", ".join(statistics.lanes) or "none"
    doors = ", ".join(
        f"{name} at {one['url']}" for name, one in statistics.services.items() if isinstance(one.get("url"), str)
    )
    failed = ", ".join(child.name for child in observatory.health().children if child.state == "failed")
    return (
        f"ready: root {harmless(str(observatory.settings.root))}, process {os.getpid()}, "
        f"delivery channels {channels}, plugins {', '.join(loaded) or 'none'}"
        f"{f'; doors: {doors}' if doors else ''}"
        f"{f'; failed: {failed}' if failed else ''}"
    )
