"""The suite for sources of skills passes one that keeps the laws, and finds those that do not."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
import trio

from observatory import (
    SKILL_FILE,
    Context,
    Problem,
    SkillFile,
    SkillSource,
    SkillSourceFactory,
    UnknownNameError,
)
from observatory.testing import SkillSourceConformance


class Shelf(SkillSource):
    """Keeps the laws: skills in a dict."""

    def __init__(self, context: Context) -> None:
        self.news = trio.Event()

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Look at all of them."""
        await trio.lowlevel.checkpoint()
        before = {file.location: file for file in known}
        return [self.look(name, before) for name in sorted(shelf)]

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Look at one."""
        text = shelf[name].get(SKILL_FILE)
        if text is None:
            return Problem(name, None, "nobody has written it yet")
        file = before.get(name)
        return file if file and file.stamp == text else SkillFile(name, name, text[:70], stamp=text)

    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Look at what belongs to one."""
        await trio.lowlevel.checkpoint()
        return sorted(set(shelf[skill.folder]) - {SKILL_FILE})

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Read a part of one."""
        await trio.lowlevel.checkpoint()
        if path not in shelf[skill.folder]:
            raise UnknownNameError("resource", path, shelf[skill.folder])
        return shelf[skill.folder][path]

    async def watch(
        self, changed: Callable[[], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen for whoever puts something there."""
        listeners.append(changed)
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            listeners.remove(changed)


shelf: dict[str, Mapping[str, bytes]] = {}
listeners: list[Callable[[], None]] = []
opened: list[int] = []


@pytest.fixture(autouse=True)
def _clear() -> object:
    yield
    shelf.clear()
    while opened:
        os.close(opened.pop())


class Suite(SkillSourceConformance):
    """A shelf."""

    @pytest.fixture
    def source_factory(self) -> SkillSourceFactory:
        """Return what makes a source."""
        return Shelf

    async def put(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put it there."""
        await trio.lowlevel.checkpoint()
        shelf[name] = files
        for listener in listeners:
            listener()

    async def remove(self, name: str) -> None:
        """Take it away."""
        await trio.lowlevel.checkpoint()
        del shelf[name]

    async def spoil(self) -> None:
        """Put an empty one there."""
        await self.put("empty", {})


class TestShelf(Suite):
    """A source that has all that there may be."""


class Silent(Shelf):
    """Never tells of changes."""

    watch = SkillSource.watch


class Sound(Suite):
    """Has nothing that cannot be read."""

    can_fail = False


class TestSilent(Sound):
    """A source without news, and without problems."""

    @pytest.fixture
    def source_factory(self) -> SkillSourceFactory:
        """Return what makes a source."""
        return Silent


class Ghosts(Shelf):
    """Finds what is not there."""

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """See one more."""
        return [*await super().load(known), SkillFile("ghost", "ghost", b"")]


class Doubts(Shelf):
    """Finds that something is wrong with everything."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Shake the head."""
        return Problem(name, None, "not good enough")


class Forgets(Shelf):
    """Does not look at what was known."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Look anew."""
        return super().look(name, {})


class Remembers(Shelf):
    """Does not see that something has changed."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Look at what was known only."""
        return before.get(name) or super().look(name, before)


class OnePlace(Shelf):
    """Has everything in one place."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Say the same of each."""
        return SkillFile(name, "here", shelf[name][SKILL_FILE])


class Keeps(Shelf):
    """Has seen what was taken away."""

    seen: Mapping[str, Mapping[str, bytes]] = {}

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Look at all there ever were."""
        Keeps.seen = {**Keeps.seen, **shelf}
        return [SkillFile(name, name, files[SKILL_FILE]) for name, files in Keeps.seen.items()]


class Skips(Shelf):
    """Leaves out what it cannot read, and says nothing."""

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Say nothing of what is wrong."""
        return [found for found in await super().load(known) if isinstance(found, SkillFile)]


class Nowhere(Shelf):
    """Does not say where something is wrong."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Say what only."""
        found = super().look(name, before)
        return Problem("", None, found.problem) if isinstance(found, Problem) else found


class TwoLines(Shelf):
    """Says in two lines what is wrong."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Say it at length."""
        found = super().look(name, before)
        return Problem(name, None, "nobody\nhas written it") if isinstance(found, Problem) else found


class Everything(Shelf):
    """Counts SKILL.md among the resources."""

    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Return all of them."""
        return sorted(shelf[skill.folder])


class Shortens(Shelf):
    """Does not read to the end."""

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Read the beginning."""
        return (await super().read(skill, path))[:5]


class Beheads(Shelf):
    """Has a head that is none."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Begin in the middle."""
        return SkillFile(name, name, shelf[name][SKILL_FILE][5:])


class Brief(Shelf):
    """Has a head in which the frontmatter does not end."""

    def look(self, name: str, before: Mapping[str, SkillFile]) -> SkillFile | Problem:
        """Stop soon."""
        return SkillFile(name, name, shelf[name][SKILL_FILE][:9])


class Helpful(Shelf):
    """Has an answer to everything."""

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Make something up."""
        return shelf[skill.folder].get(path, b"made up")


class Touches(Shelf):
    """Changes what it reads."""

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Read it, and leave a mark."""
        found = await super().read(skill, path)
        shelf[skill.folder] = {**shelf[skill.folder], path: found + b"read"}
        return found


class LeavesFile(Shelf):
    """Leaves a file open, where it is cancelled."""

    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Open one, and close it."""
        opened.append(os.open(os.devnull, os.O_RDONLY))
        found = await super().resources(skill)
        os.close(opened.pop())
        return found


@pytest.mark.parametrize(
    ("law", "kind", "finding"),
    [
        (Suite().test_nothing, Ghosts, "assert"),
        (Suite().test_load, Doubts, "it has found something wrong"),
        (Suite().test_load, Ghosts, "assert"),
        (Suite().test_load, OnePlace, "two skills have one location"),
        (Suite().test_load, Keeps, "what was removed is still there"),
        (Suite().test_what_cannot_be_read, Doubts, "assert"),
        (Suite().test_what_cannot_be_read, Skips, "is there a Problem"),
        (Sound().test_what_cannot_be_read, Doubts, "assert"),
        (Suite().test_what_cannot_be_read, Nowhere, "it does not say where"),
        (Suite().test_what_cannot_be_read, TwoLines, "not one line"),
        (Suite().test_what_has_not_changed, Forgets, "nothing has changed, and it is another object"),
        (Suite().test_what_has_not_changed, Remembers, "it has changed, and is the same object"),
        (Suite().test_resources, Everything, "assert"),
        (Suite().test_read, Shortens, "assert"),
        (Suite().test_read, Beheads, "head is not the beginning"),
        (Suite().test_read, Brief, "head does not go as far"),
        (Suite().test_read_elsewhere, Helpful, "can be read"),
        (Suite().test_only_looks, Touches, "looking has changed something"),
        (Suite().test_only_looks, LeavesFile, "something is left of it"),
    ],
)
async def test_broken(
    law: Callable[..., Awaitable[None]],
    kind: Callable[[Context], SkillSource],
    finding: str,
    context: Context,
    broken: Callable[..., Awaitable[str]],
) -> None:
    """A law that is broken is found, by the test of that law."""
    assert finding in await broken(law, lambda: kind(context))
