"""What hearing of agents costs: of how many CPU seconds for each second, with 1,000 agents heard of ten times in it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import trio
from harness import Figure, Options, at_most, interleave, settings
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import HookEvent, Message, Observatory, TrioClock, open_observatory

_TIMES = 10
"""How often each agent is heard of in a second."""

_Hear: TypeAlias = Callable[[Observatory, str], object]


def measure(options: Options) -> Iterator[Figure]:
    """Measure by messages, without what sending them takes, and by hook events, with all that their topic takes.

    Trio's clock is moved by hand, so that looking at all agents is part of it, and waiting is not.
    """
    agents, seconds = options.size(1_000, 10), options.size(20, 2)
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=options.folder) as root:
        by_message, by_event = interleave(
            options,
            partial(_hear, root, agents, seconds, _by_message),
            partial(_hear, root, agents, seconds, _by_event),
        )
    name = f"{agents:,} agents heard of {_TIMES} times a second:"
    yield Figure(f"{name} by messages", "one core", by_message, at_most(0.1))
    yield Figure(f"{name} by hook events", "one core", by_event, at_most(0.1))


def _by_message(observatory: Observatory, name: str) -> None:
    observatory.presence.known.note(Message("0" * 16, name, "dashboard", "", observatory.clock.now()))


def _by_event(observatory: Observatory, name: str) -> None:
    observatory.pubsub.publish("events:stream", HookEvent("PreToolUse", name, observatory.clock.now()))


def _hear(root: str, agents: int, seconds: int, hear: _Hear) -> float:
    """Return the CPU seconds that one second takes."""
    clock = MockClock()

    async def run() -> float:
        names = [f"agent-{number}" for number in range(agents)]
        async with open_observatory(settings(root), clock=TrioClock()) as observatory:
            start = time.process_time()
            for _ in range(seconds * _TIMES):
                for name in names:
                    hear(observatory, name)
                clock.jump(1 / _TIMES)
                await wait_all_tasks_blocked()
            taken = time.process_time() - start
            if len(observatory.presence.list_agents()) != agents:
                raise RuntimeError("not everybody was heard of")
        return taken / seconds

    return trio.run(run, clock=clock)
