"""What a delivery channel that is not required costs the senders when it is stuck or fails."""

from __future__ import annotations

import io
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import trio
from harness import MEMORY_FOLDER, Figure, Options, at_least, interleave, settings, speeds

from observatory import (
    ChannelFactory,
    DeliveryChannel,
    DeliverySettings,
    Done,
    Job,
    Outcome,
    Registrar,
    Settings,
    hookimpl,
    open_observatory,
)

_SENDERS = 50
_CONTENT = "x" * 100


class _Healthy(DeliveryChannel):
    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        await trio.lowlevel.checkpoint()
        return [Done("sent")] * len(batch)


class _Stuck(DeliveryChannel):
    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        await trio.sleep_forever()
        raise AssertionError


class _Failing(DeliveryChannel):
    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        await trio.lowlevel.checkpoint()
        raise ConnectionError("nobody is there")


class _Plugin:
    name = "bystander"

    def __init__(self, kind: Callable[[], DeliveryChannel]) -> None:
        self._kind = kind

    @hookimpl
    def observatory_register_channels(self, registrar: Registrar[ChannelFactory]) -> None:
        registrar.register("bystander", lambda context: self._kind())


def measure(options: Options) -> Iterator[Figure]:
    """Measure beside a file inbox, on a file system that costs little, and with nothing else that takes time."""
    folder = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else options.folder
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=folder) as root, _formatted_log():
        with_inbox = settings(root, "inbox")
        yield from _measure(with_inbox, "file inbox", options.size(20_000, 100), options, beside_none=0.9)
        in_memory = settings(root, delivery=DeliverySettings(required=()))
        yield from _measure(in_memory, "memory only", options.size(40_000, 100), options, beside_none=None)


def _measure(
    chosen: Settings, where: str, count: int, options: Options, *, beside_none: float | None
) -> Iterator[Figure]:
    kinds: Sequence[Callable[[], DeliveryChannel] | None] = (_Stuck, _Failing, _Healthy, None)
    sides = [partial(trio.run, _send, chosen, kind, count) for kind in kinds]
    stuck, failing, healthy, none = interleave(options, *sides)
    for name, seconds in (("stuck", stuck), ("failing", failing)):
        yield Figure(f"{where}, {name} channel", "the same channel healthy", speeds(seconds, healthy), at_least(0.9))
        goal = at_least(beside_none) if beside_none else None
        yield Figure(f"{where}, {name} channel", "no such channel", speeds(seconds, none), goal)
    yield Figure(f"{where}, healthy channel", "no such channel", speeds(healthy, none))


async def _send(chosen: Settings, kind: Callable[[], DeliveryChannel] | None, count: int) -> float:
    plugins = [_Plugin(kind)] if kind else []
    # Cancelled at the end, since what nobody can take would be drained for ten seconds.
    with trio.CancelScope() as scope:
        async with open_observatory(chosen, plugins=plugins, recover=()) as observatory:

            async def send(agent: str) -> None:
                for _ in range(count // _SENDERS):
                    await observatory.mailbox.send_message(agent, "dashboard", _CONTENT)

            start = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for number in range(_SENDERS):
                    nursery.start_soon(send, f"agent-{number}")
            seconds = time.perf_counter() - start
            scope.cancel()
            await trio.lowlevel.checkpoint()
    shutil.rmtree(chosen.root / "inbox", ignore_errors=True)
    return seconds


@contextmanager
def _formatted_log() -> Iterator[None]:
    """Format what is logged, which is part of the cost, and keep it out of the table."""
    handler = logging.StreamHandler(io.StringIO())
    logger = logging.getLogger("observatory")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
