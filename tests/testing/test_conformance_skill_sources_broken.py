"""The suite for sources of skills finds those that do not keep the laws."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import pytest

from observatory import (
    SKILL_FILE,
    Context,
    Problem,
    SkillFile,
    SkillSource,
)
from tests.testing.shelves import Exact, Shelf, Sound, Suite, Told, clear as clear, opened, shelf


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


class Blind(Exact):
    """Does not look at what has changed."""

    def again(self, one: SkillFile) -> SkillFile:
        """Look at what was known only."""
        return one


class Drops(Exact):
    """Tells of nothing but what has changed."""

    async def load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        """Forget the others."""
        return [self.look(path, {}) for path in paths]


class Copies(Exact):
    """Finds that what is known has changed."""

    async def load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        """Look anew."""
        return await self.load()


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
        (Told().test_load_changed, Drops, "it is not what load finds"),
        (Told().test_load_changed, Blind, "or the same where something has"),
        (Told().test_load_changed, Copies, "it is another object where nothing has changed"),
        (Suite().test_load_changed, Forgets, "it is another object where nothing has changed"),
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
