"""A module that keeps the laws passes the suite, which finds those that do not."""

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    Context,
    Module,
    ModuleFactory,
)
from observatory.testing import ModuleConformance


class Counter(Module):
    """Keeps the laws: counts, in its task, how often it is used."""

    def __init__(self, context: Context) -> None:
        self.root = context.root
        self.count = 0
        self.requests_in, self.requests = trio.open_memory_channel[trio.Event](10)

    async def use(self) -> None:
        """Be counted."""
        done = trio.Event()
        await self.requests_in.send(done)
        await done.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Count until cancelled."""
        task_status.started()
        while True:
            done = await self.requests.receive()
            self.count += 1
            done.set()


class Suite(ModuleConformance):
    """Uses a `Counter`."""

    async def use(self, module: Module) -> None:
        """Be counted."""
        assert isinstance(module, Counter)
        await module.use()

    def contents(self, module: Module) -> object:
        """Read the count."""
        assert isinstance(module, Counter)
        return module.count


class TestCounter(Suite):
    """The module that the broken ones are made of."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what makes one."""
        return Counter


class OpensFiles(Counter):
    """Opens a file in `__init__`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        with open(os.devnull):
            pass


class Returns(Counter):
    """Ends by itself."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be ready, and end."""
        await trio.lowlevel.checkpoint()
        task_status.started()


class NeverReady(Counter):
    """Does not say that it is ready."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:  # noqa: ASYNC128
        """Count, without a word."""
        await super().run()


class ReadyTwice(Counter):
    """Says twice that it is ready."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say it, and say it again."""
        task_status.started()
        await super().run(task_status=task_status)


class Swallows(Counter):
    """Keeps to itself that it was cancelled."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:  # noqa: ASYNC128
        """Swallow it."""
        with suppress(trio.Cancelled):
            await super().run(task_status=task_status)


class LosesTable(Counter):
    """Empties its table when it fails."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:  # noqa: ASYNC128
        """Count, and forget at the end."""
        try:
            await super().run(task_status=task_status)
        except Exception:
            self.count = 0
            raise


class LosesRequests(Counter):
    """Begins with an empty queue whenever it runs."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:  # noqa: ASYNC128
        """Forget who waits."""
        self.requests_in, self.requests = trio.open_memory_channel[trio.Event](10)
        await super().run(task_status=task_status)


class RunsOnce(Counter):
    """Cannot be run again."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:  # noqa: ASYNC128
        """Close the queue at the end."""
        async with self.requests:
            await super().run(task_status=task_status)


class Writes(Counter):
    """Writes a file when it is used."""

    async def use(self) -> None:
        """Write."""
        await super().use()
        (self.root / "counted").write_bytes(b"")


PERSISTENT = """
import json
import sqlite3
from sqlalchemy.orm import Session
from . import mailbox
"""


@pytest.mark.parametrize(
    ("law", "kind", "finding"),
    [
        ("test_runs_until_cancelled", Returns, "run returned although nobody cancelled it"),
        ("test_runs_until_cancelled", NeverReady, "it hangs"),
        ("test_runs_until_cancelled", ReadyTwice, "started() twice"),
        ("test_runs_until_cancelled", Swallows, "run did not pass on that it was cancelled"),
        ("test_runs_again", LosesTable, "the table was lost"),
        ("test_runs_again", LosesRequests, "it hangs"),
        ("test_plain", Writes, "it writes: ["),
    ],
)
async def test_broken(
    law: str,
    kind: ModuleFactory,
    finding: str,
    context: Context,
    broken: Callable[..., Awaitable[str]],
    autojump_clock: MockClock,
) -> None:
    """A law that is broken is found, by the test of that law."""
    assert finding in await broken(getattr(Suite(), law), lambda: kind(context))


def test_opening(context: Context) -> None:
    """A module that opens something in `__init__` is found."""
    with pytest.raises(AssertionError, match=r"__init__ is not plain: .*open '/dev/null'"):
        Suite().test_made_in_init(lambda: OpensFiles(context))


def test_different(context: Context) -> None:
    """A module that begins with whatever is found."""
    numbers = iter(range(2))

    def make() -> Module:
        module = Counter(context)
        module.count = next(numbers)
        return module

    with pytest.raises(AssertionError, match="two new modules hold different things"):
        Suite().test_made_in_init(make)


async def test_runs_once(context: Context) -> None:
    """A module that cannot be run again is found."""
    with pytest.RaisesGroup(trio.BrokenResourceError, flatten_subgroups=True):
        await Suite().test_runs_again(lambda: RunsOnce(context))


@pytest.fixture
def make_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Context
) -> Callable[[str], Callable[[], Module]]:
    """Return what makes modules from the text of a file, which is not run."""

    def make(source: str) -> Callable[[], Module]:
        written = ModuleType("written")
        written.__file__ = str(tmp_path / "written.py")
        Path(written.__file__).write_text(source)
        monkeypatch.setitem(sys.modules, "written", written)
        kind = type("Written", (Counter,), {"__module__": "written"})
        return lambda: kind(context)

    return make


async def test_long(make_written: Callable[[str], Any], broken: Callable[..., Awaitable[str]]) -> None:
    """A file of more than 300 lines is found."""
    await Suite().test_plain(make_written("\n" * 300))
    assert "the file of Written has 301 lines" in await broken(Suite().test_plain, make_written("\n" * 301))


async def test_persistence(make_written: Callable[[str], Any], broken: Callable[..., Awaitable[str]]) -> None:
    """A file that imports what means persistence is found."""
    finding = await broken(Suite().test_plain, make_written(PERSISTENT))
    assert "['sqlalchemy.orm', 'sqlite3']" in finding
