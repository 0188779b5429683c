"""The laws of `Check`."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory import Check, CheckFactory, Clock, Context, Finding, PubSub
from observatory.testing.cancelling import cancel_at_every_checkpoint
from observatory.testing.laws import Conformance, law
from observatory.testing.services import left_of, resources

Fresh: TypeAlias = Callable[[], Check]


class CheckConformance(Conformance):
    """The laws of a check. A subclass gives the fixture `check_factory`, and `spoil`."""

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """Return what the doctor would hand to a factory: an empty root, and the system's clock, as files have it."""
        root = tmp_path / "root"
        root.mkdir()
        return Context(root, Clock(), PubSub(), self.settings, {}, {})

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what the plugin registers."""
        raise NotImplementedError("give your suite a fixture `check_factory` that returns what you register")

    @pytest.fixture
    def fresh(self, check_factory: CheckFactory, context: Context) -> Fresh:
        """Return what makes one more check."""
        return lambda: check_factory(context)

    def spoil(self, root: Path) -> None:
        """Bring about everything that the check finds, below an empty root."""
        raise NotImplementedError("implement spoil: bring about what your check finds")

    @law
    async def test_nothing_wrong(self, fresh: Fresh, context: Context) -> None:
        """It finds nothing in an empty root, nor where there is no root yet."""
        assert await found_by(fresh) == [], "it finds something in an empty root"
        context.root.rmdir()
        assert await found_by(fresh) == [], "it finds something where there is no root yet"
        assert not context.root.exists(), "it has made the root"

    @law
    async def test_only_looks(self, fresh: Fresh, context: Context) -> None:
        """Looking changes nothing, and gives everything back, also when it is cancelled."""
        self.spoil(context.root)
        await found_by(fresh)  # what is made once for the whole process is made now
        files, held = state_of(context.root), resources()

        async def look() -> None:
            await fresh().run()

        await cancel_at_every_checkpoint(look)
        assert state_of(context.root) == files, "looking has changed something"
        assert not await left_of(held), "something is left of it"

    @law
    async def test_finds_the_same(self, fresh: Fresh, context: Context) -> None:
        """Looking again finds the same."""
        self.spoil(context.root)
        check = fresh()
        first = list(await check.run())
        assert list(await check.run()) == first, "asked again, it finds something else"
        assert await found_by(fresh) == first, "another one finds something else"

    @law
    async def test_one_line(self, fresh: Fresh, context: Context) -> None:
        """Problem and remedy of a finding are one line each."""
        self.spoil(context.root)
        found = await found_by(fresh)
        assert found, "it finds nothing: does spoil bring about what it looks for?"
        for finding in found:
            assert finding.subject, f"it does not say what it is about: {finding}"
            for text in (finding.problem, finding.remedy):
                assert text.strip(), f"it says nothing: {finding}"
                assert text.isprintable(), f"not one line of characters that can be printed: {text!r}"

    @law
    async def test_fixes(self, fresh: Fresh, context: Context) -> None:
        """What was fixed is not found again, and everything else is. To fix it once more changes nothing."""
        self.spoil(context.root)
        found = await found_by(fresh)
        fixes = [finding.fix for finding in found if finding.fix is not None]
        await _call_all(fixes)
        left = await found_by(fresh)
        assert left == [finding for finding in found if finding.fix is None], "not what could not be fixed is left"
        files = state_of(context.root)
        await _call_all(fixes)
        assert state_of(context.root) == files, "fixing it once more has changed something"


async def found_by(fresh: Fresh) -> list[Finding]:
    """Return what a new check finds."""
    return list(await fresh().run())


async def _call_all(fixes: Sequence[Callable[[], Awaitable[None]]]) -> None:
    for fix in fixes:
        await fix()


def state_of(root: Path) -> list[Any]:
    """Return what there is below a folder, in such a way that any change of it can be seen."""
    return sorted(_states(os.fsencode(root)))


def _states(path: bytes) -> Iterator[tuple[Any, ...]]:
    status = os.lstat(path)
    yield path, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    if stat.S_ISDIR(status.st_mode):
        for entry in os.scandir(path):
            yield from _states(entry.path)
