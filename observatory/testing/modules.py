"""The laws of `Module`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import Context, Module, ModuleFactory
from observatory.testing.exposing import check_exposed
from observatory.testing.laws import Conformance, law
from observatory.testing.plain import Watch, imported_persistence, lines_of
from observatory.testing.running import running

Fresh: TypeAlias = Callable[[], Module]


class ModuleConformance(Conformance):
    """The laws of an ephemeral module. A subclass gives the fixture `module_factory`, `use` and `contents`."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what the plugin registers."""
        raise NotImplementedError("give your suite a fixture `module_factory` that returns what you register")

    @pytest.fixture
    def fresh(self, module_factory: ModuleFactory, context: Context) -> Fresh:
        """Return what makes one more module."""
        return lambda: module_factory(context)

    async def use(self, module: Module) -> None:
        """Change the table through the client API, as its users do; return when it is changed."""
        raise NotImplementedError("implement use: call what changes the table, so that there is something in it")

    def contents(self, module: Module) -> object:
        """Read the table through the client API: a value that can be compared and changes no more."""
        raise NotImplementedError("implement contents: return what the plain reading methods give")

    @law
    def test_made_in_init(self, fresh: Fresh) -> None:
        """The table is made in `__init__`, which starts and opens nothing."""
        before = self.contents(fresh())  # outside of Trio: nothing can have been started; and imports are done
        with Watch() as watch:
            module = fresh()
        assert not watch.seen, f"__init__ is not plain: {watch.seen}"
        assert self.contents(module) == before, "two new modules hold different things"

    @law
    async def test_runs_until_cancelled(self, fresh: Fresh) -> None:
        """`run` calls `task_status.started()` once it is ready, and runs until it is cancelled."""
        async with running(fresh().run):
            await wait_all_tasks_blocked()

    @law
    async def test_runs_again(self, fresh: Fresh) -> None:
        """`run` may be called again after it failed."""
        module = fresh()
        async with running(module.run, fail=True):
            await self.use(module)
            held = self.contents(module)
        assert self.contents(module) == held, "the table was lost when run failed"
        done = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._use_and_tell, module, done)
            await wait_all_tasks_blocked()
            async with running(module.run):
                await done.wait()  # asked before run was called again: the request has waited

    async def _use_and_tell(self, module: Module, done: trio.Event) -> None:
        await self.use(module)
        done.set()

    @law
    async def test_plain(self, fresh: Fresh) -> None:
        """It follows the plain-module rule: no database, no writing of files, at most 300 lines."""
        module = fresh()
        assert lines_of(type(module)) <= 300, f"the file of {type(module).__name__} has {lines_of(type(module))} lines"
        assert not imported_persistence(type(module))
        async with running(module.run):
            await self.use(module)  # once, so that imports are done
            with Watch() as watch:
                await self.use(module)
        assert not watch.written, f"it writes: {watch.written}"

    @law
    def test_exposes(self, fresh: Fresh) -> None:
        """What it exposes are public methods with a docstring, of each of which an `Operation` can be made."""
        check_exposed(fresh())
