"""Runs modules, lanes and services as children of one nursery, and runs them again when they fail."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

import trio

from observatory.backoff import backoff
from observatory.errors import EssentialChildError, SettingsError, one_line
from observatory.messages import ChildHealth, Health
from observatory.pubsub import PubSub
from observatory.settings import SupervisionSettings

_log = logging.getLogger("observatory.supervisor")

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0


class Run(Protocol):
    """What a child runs: calls `started()` when it is ready, and goes on until it is cancelled."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run until cancelled."""


class _Child:
    """State of one child; also the task status its run reports readiness to."""

    def __init__(self, name: str, run: Run, essential: bool, changed: Callable[[], None]) -> None:
        self.name = name
        self.run = run
        self.essential = essential
        self.state: Literal["starting", "running", "backing-off", "failed", "finished"] = "starting"
        self.restarts = 0
        self.error: str | None = None
        self.failures: deque[float] = deque()
        self.settled = trio.Event()  # it has become ready, or will never be
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self._changed = changed

    def started(self, value: None = None) -> None:
        self.enter("running")
        self.settled.set()

    def enter(self, state: Literal["starting", "running", "backing-off", "failed", "finished"]) -> None:
        self.state = state
        self._changed()

    def health(self) -> ChildHealth:
        return ChildHealth(self.name, self.state, self.restarts, self.error)


class Supervisor:
    """Parent of everything that runs in an Observatory.

    Args:
        settings: how many failures a child may have.
        pubsub: where changes are told, on topic `health:update`.
        broken_plugins: names and reasons of plugins that were left out; part of the health.
    """

    def __init__(self, settings: SupervisionSettings, pubsub: PubSub, broken_plugins: dict[str, str]) -> None:
        self._settings = settings
        self._pubsub = pubsub
        self._broken_plugins = broken_plugins
        self._children: list[_Child] = []
        self._chance = random.Random()

    async def start(self, nursery: trio.Nursery, name: str, run: Run, *, essential: bool = False) -> None:
        """Start a child and wait until it is ready, or has failed for good; `SettingsError` comes out of the nursery.

        Args:
            nursery: hosts the child; cancelling it ends the child.
            name: such as `module:Mailbox`.
            run: the child.
            essential: whether a child that failed for good ends everything, with `EssentialChildError`.
        """
        child = _Child(name, run, essential, self._tell)
        self._children.append(child)
        nursery.start_soon(self._host, child, name=name)
        await child.settled.wait()

    def health(self) -> Health:
        """Return the state of every child."""
        failed = any(child.state == "failed" for child in self._children)
        return Health(
            healthy=not (failed or self._broken_plugins or self._pubsub.closed),
            children=tuple(child.health() for child in self._children),
            broken_plugins=dict(self._broken_plugins),
        )

    async def stop(self) -> None:
        """End every child, the latest first."""
        for child in reversed(self._children):
            child.scope.cancel()
            await child.ended.wait()

    async def _host(self, child: _Child) -> None:
        try:
            with child.scope:
                await self._keep_running(child)
        finally:
            if child.state != "failed":
                child.state = "finished"  # nobody is told: pub/sub is closed by then
            child.ended.set()

    async def _keep_running(self, child: _Child) -> None:
        while True:
            try:
                await child.run(task_status=child)
            except SettingsError as error:
                if not child.settled.is_set():
                    raise  # nothing that was set changes while it is tried again, and whoever opens can mend it
                self._note_failure(child, error)
            except Exception as error:  # noqa: BLE001 -- one of the four edges: contained in the child
                self._note_failure(child, error)
            except BaseExceptionGroup as group:
                raise _log_failures(child.name, group) from None
            else:
                child.enter("finished")
                child.settled.set()
                return
            if child.state == "failed":
                child.settled.set()
                return
            await trio.sleep(self._delay(child))
            child.restarts += 1
            child.enter("starting")

    def _note_failure(self, child: _Child, error: Exception) -> None:
        now = trio.current_time()
        child.error = one_line(error)
        child.failures.append(now)
        while child.failures[0] < now - self._settings.window:
            child.failures.popleft()
        if len(child.failures) <= self._settings.max_failures:
            _log.error("%s failed: %s", child.name, child.error, exc_info=error)
            child.enter("backing-off")
            return
        _log.error("%s has failed for good: %s", child.name, child.error, exc_info=error)
        child.enter("failed")
        if child.essential:
            raise EssentialChildError(child.name, child.error) from error

    def _delay(self, child: _Child) -> float:
        return backoff(len(child.failures), first=_FIRST_DELAY, longest=_LONGEST_DELAY, chance=self._chance)

    def _tell(self) -> None:
        self._pubsub.publish("health:update", self.health())


def _log_failures(name: str, group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Contain also what failed in a child while it was cancelled; return what is to be raised."""
    cancelled, failure = group.split(trio.Cancelled)
    if cancelled is None or not isinstance(failure, Exception | None):
        return group
    if failure is not None:
        _log.error("%s failed while it was cancelled: %s", name, one_line(failure), exc_info=failure)
    return cancelled
