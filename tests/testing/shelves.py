"""A source of skills that keeps the laws, and the suite for it: what the others are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence

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
        self, changed: Callable[..., None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen for whoever puts something there."""
        listeners.append(changed)
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            listeners.remove(changed)


shelf: dict[str, Mapping[str, bytes]] = {}
listeners: list[Callable[..., None]] = []
opened: list[int] = []


@pytest.fixture(autouse=True)
def clear() -> object:
    """Leave nothing to the next test; a module has this for its tests by importing it."""
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
            listener(*self.told(name))

    def told(self, name: str) -> Sequence[str]:
        """Return what is told of a change: that it may be anything."""
        return ()

    async def remove(self, name: str) -> None:
        """Take it away."""
        await trio.lowlevel.checkpoint()
        del shelf[name]

    async def spoil(self) -> None:
        """Put an empty one there."""
        await self.put("empty", {})


class Exact(Shelf):
    """Looks at what has changed only."""

    async def load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        """Look at those."""
        await trio.lowlevel.checkpoint()
        return [self.again(one) if isinstance(one, SkillFile) and one.folder in paths else one for one in known]

    def again(self, one: SkillFile) -> SkillFile | Problem:
        """Look at one that has changed."""
        return self.look(one.folder, {one.folder: one})


class Told(Suite):
    """A shelf that tells what has changed."""

    def told(self, name: str) -> Sequence[str]:
        """Return its name."""
        return [name]


class Sound(Suite):
    """Has nothing that cannot be read."""

    can_fail = False
