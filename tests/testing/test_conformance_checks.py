"""The suite for checks passes one that keeps the laws, and finds those that do not."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from observatory import Check, CheckFactory, Context, Finding
from observatory.testing import CheckConformance


class Litter(Check):
    """Keeps the laws: finds crumbs, which it removes, and stones."""

    def __init__(self, context: Context) -> None:
        self.root = context.root

    async def run(self) -> Sequence[Finding]:
        """Look into the root."""
        await trio.lowlevel.checkpoint()
        names = sorted(os.listdir(self.root)) if self.root.exists() else []
        return [self.finding(self.root / name) for name in names if name in ("crumb", "stone")]

    def finding(self, path: Path) -> Finding:
        """Return what is to be said of a file."""
        fix = self.fix(path) if path.name == "crumb" else None
        return Finding(str(path), self.problem(path), f"rm {path.name}", fix)

    def problem(self, path: Path) -> str:
        """Return what is wrong with it."""
        return "somebody has dropped it"

    def fix(self, path: Path) -> Callable[[], Awaitable[None]]:
        """Return what removes it."""

        async def remove() -> None:
            await trio.lowlevel.checkpoint()
            with suppress(FileNotFoundError):
                os.unlink(path)

        return remove


class Suite(CheckConformance):
    """A root with a crumb and a stone."""

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what makes a check."""
        return Litter

    def spoil(self, root: Path) -> None:
        """Drop both."""
        for name in ("crumb", "stone", "flower"):
            (root / name).write_text(name)


class TestLitter(Suite):
    """A check of files."""


class NeedsRoot(Litter):
    """Fails where there is no root."""

    async def run(self) -> Sequence[Finding]:
        """List it without asking."""
        os.listdir(self.root)
        return await super().run()


class MakesRoot(Litter):
    """Makes the root where there is none."""

    async def run(self) -> Sequence[Finding]:
        """Make it."""
        self.root.mkdir(exist_ok=True)
        return await super().run()


class FindsNone(Litter):
    """Has something to say of an empty root."""

    async def run(self) -> Sequence[Finding]:
        """Find that there is nothing."""
        return await super().run() or [Finding("root", "it is empty", "send something")]


class Touches(Litter):
    """Changes a file's mode, and changes it back."""

    async def run(self) -> Sequence[Finding]:
        """Look as it may not look."""
        for path in self.root.iterdir():
            path.chmod(0o600)
            path.chmod(0o644)
        return await super().run()


class LeavesFile(Litter):
    """Leaves a file open, where it is cancelled."""

    async def run(self) -> Sequence[Finding]:
        """Open one, and close it."""
        opened.append(os.open(os.devnull, os.O_RDONLY))
        found = await super().run()
        os.close(opened.pop())
        return found


class Counts(Litter):
    """Counts how often it was asked."""

    asked = 0

    def problem(self, path: Path) -> str:
        """Say how often."""
        Counts.asked += 1
        return f"found {self.asked} times"


class Fickle(Litter):
    """Finds something else each time it is made."""

    made = 0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        Fickle.made += 1
        self.text = f"found by number {Fickle.made}"

    def problem(self, path: Path) -> str:
        """Say which one has found it."""
        return self.text


class TwoLines(Litter):
    """Says it in two lines."""

    def problem(self, path: Path) -> str:
        """Say it in two lines."""
        return "somebody\nhas dropped it"


class Silent(Litter):
    """Says nothing."""

    def problem(self, path: Path) -> str:
        """Say nothing."""
        return " "


class Nameless(Litter):
    """Does not say what it is about."""

    def finding(self, path: Path) -> Finding:
        """Return nearly nothing."""
        return Finding("", "somebody has dropped something", "find it")


class Blind(Litter):
    """Finds nothing."""

    async def run(self) -> Sequence[Finding]:
        """Look away."""
        await trio.lowlevel.checkpoint()
        return []


class Mends(Litter):
    """Does not mend what it says it mends."""

    def fix(self, path: Path) -> Callable[[], Awaitable[None]]:
        """Return what does nothing."""
        return trio.lowlevel.checkpoint


class MendsAll(Litter):
    """Mends more than it says."""

    def fix(self, path: Path) -> Callable[[], Awaitable[None]]:
        """Return what removes everything."""

        async def remove() -> None:
            await trio.lowlevel.checkpoint()
            for each in self.root.iterdir():
                each.unlink()

        return remove


class MendsBlindly(Litter):
    """Does not look again before it mends."""

    def fix(self, path: Path) -> Callable[[], Awaitable[None]]:
        """Return what exchanges the file."""

        async def exchange() -> None:
            await trio.lowlevel.checkpoint()
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            os.rename(path, path.with_name("swept"))

        return exchange


opened: list[int] = []


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    while opened:
        os.close(opened.pop())


@pytest.mark.parametrize(
    ("law", "kind", "finding"),
    [
        (Suite().test_nothing_wrong, MakesRoot, "it has made the root"),
        (Suite().test_nothing_wrong, FindsNone, "it finds something in an empty root"),
        (Suite().test_only_looks, Touches, "looking has changed something"),
        (Suite().test_only_looks, LeavesFile, "something is left of it"),
        (Suite().test_finds_the_same, Counts, "asked again, it finds something else"),
        (Suite().test_finds_the_same, Fickle, "another one finds something else"),
        (Suite().test_one_line, TwoLines, "not one line"),
        (Suite().test_one_line, Silent, "it says nothing"),
        (Suite().test_one_line, Nameless, "it does not say what it is about"),
        (Suite().test_one_line, Blind, "it finds nothing"),
        (Suite().test_fixes, Mends, "not what could not be fixed is left"),
        (Suite().test_fixes, MendsAll, "not what could not be fixed is left"),
        (Suite().test_fixes, MendsBlindly, "fixing it once more has changed something"),
    ],
)
async def test_broken(
    law: Callable[..., Awaitable[None]],
    kind: Callable[[Context], Check],
    finding: str,
    context: Context,
    broken: Callable[..., Awaitable[str]],
) -> None:
    """A law that is broken is found, by the test of that law."""
    assert finding in await broken(law, lambda: kind(context), context)


async def test_needs_root(context: Context) -> None:
    """A check that fails where there is no root is found, by its own error."""
    with pytest.raises(FileNotFoundError):
        await Suite().test_nothing_wrong(lambda: NeedsRoot(context), context)
