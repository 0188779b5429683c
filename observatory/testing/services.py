"""The laws of `Service`."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import Context, Service, ServiceFactory
from observatory.testing.exposing import check_exposed
from observatory.testing.laws import Conformance, law
from observatory.testing.running import running

_LOOKS = 50
"""How often it is looked for what is left, a hundredth of a second apart."""

Fresh: TypeAlias = Callable[[], Service]


class ServiceConformance(Conformance):
    """The laws of a service. A subclass gives the fixture `service_factory`."""

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what the plugin registers; for a server on a socket, one with a port of the system's choice."""
        raise NotImplementedError("give your suite a fixture `service_factory` that returns what you register")

    @pytest.fixture
    def fresh(self, service_factory: ServiceFactory, context: Context) -> Fresh:
        """Return what makes one more service."""
        return lambda: service_factory(context)

    async def use(self, service: Service) -> None:
        """Use the running service as its clients do, such as by connecting to it; by default not at all."""
        await trio.lowlevel.checkpoint()

    @law
    async def test_runs_until_cancelled(self, fresh: Fresh) -> None:
        """`run` calls `task_status.started()` once it serves, and runs until it is cancelled."""
        service = fresh()
        async with running(service.run):
            await self.use(service)
            await wait_all_tasks_blocked()

    @law
    async def test_runs_again(self, fresh: Fresh) -> None:
        """`run` may be called again after it failed."""
        service = fresh()
        for fail in (True, False):
            async with running(service.run, fail=fail):
                await self.use(service)

    @law
    async def test_gives_back(self, fresh: Fresh) -> None:
        """Cancelling `run` gives back everything: sockets, files, tasks."""
        await self._run_once(fresh())  # what is made once for the whole process is made now
        before = resources()
        await self._run_once(fresh())
        assert not await left_of(before), "something is left of it"

    @law
    async def test_exposes(self, fresh: Fresh) -> None:
        """What it exposes are public methods with a docstring, of each of which an `Operation` can be made."""
        await trio.lowlevel.checkpoint()
        check_exposed(fresh())  # here, since some services can only be made where Trio runs

    async def _run_once(self, service: Service) -> None:
        async with running(service.run):
            await self.use(service)


async def left_of(before: Counter[str]) -> Counter[str]:
    """Return what there is more of than before: what is left to a thread, such as a watch on a folder, has a moment."""
    for _ in range(_LOOKS):
        if not resources() - before:
            break
        await trio.to_thread.run_sync(time.sleep, 0.01)  # which no mock clock hurries
    return resources() - before


def resources() -> Counter[str]:
    """Return how many files and sockets are open in this process, and how many tasks Trio has.

    Afterwards there may be fewer: what was left to a thread before is closed later.
    """
    return Counter(
        {
            "open files and sockets": len(os.listdir("/dev/fd")),
            "tasks": trio.lowlevel.current_statistics().tasks_living,
        }
    )
