"""The laws of `SkillSource`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, TypeAlias

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    SKILL_FILE,
    Context,
    Problem,
    SkillFile,
    SkillSource,
    SkillSourceFactory,
    UnknownNameError,
)
from observatory.testing.cancelling import cancel_at_every_checkpoint
from observatory.testing.laws import Conformance, law
from observatory.testing.running import running
from observatory.testing.services import left_of, resources

Fresh: TypeAlias = Callable[[], SkillSource]

_TEXT = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n\nFirst look at forms.md.\n"
_SKILL = {SKILL_FILE: _TEXT, "forms.md": b"# Forms\n", "scripts/fill.py": b"print()\n", "scripts/f\xfcll.py": b""}
_ELSEWHERE = ("", ".", "..", "../other/SKILL.md", "/etc/passwd", "scripts", "scripts/../../other/SKILL.md", "a\0b")


class SkillSourceConformance(Conformance):
    """The laws of a source of skills. A subclass gives the fixture `source_factory`, and the methods that it has."""

    can_fail: ClassVar[bool] = True
    """Whether there can be a skill that the source cannot read; then `spoil` brings one about."""

    @pytest.fixture
    def source_factory(self) -> SkillSourceFactory:
        """Return what the plugin registers."""
        raise NotImplementedError("give your suite a fixture `source_factory` that returns what you register")

    @pytest.fixture
    def fresh(self, source_factory: SkillSourceFactory, context: Context) -> Fresh:
        """Return what makes one more source of the same skills, of which there are none at first."""
        return lambda: source_factory(context)

    async def put(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put a skill where the source looks, by the name of its folder; one that is there goes first.

        Args:
            name: what its folder is called.
            files: SKILL.md and the others by path, with `/` between.
        """
        raise NotImplementedError("implement put: put a skill where your source looks")

    async def remove(self, name: str) -> None:
        """Remove a skill."""
        raise NotImplementedError("implement remove: remove a skill that put has put there")

    async def spoil(self) -> None:
        """Put something where the source looks that it cannot read, such as a file without permission."""
        raise NotImplementedError("implement spoil, or set can_fail = False")

    async def _found(self, source: SkillSource) -> dict[str, SkillFile]:
        return {found.folder: found for found in await source.load() if isinstance(found, SkillFile)}

    @law
    async def test_nothing(self, fresh: Fresh) -> None:
        """`load` returns nothing where nothing is."""
        assert list(await fresh().load()) == []

    @law
    async def test_load(self, fresh: Fresh) -> None:
        """`load` returns every skill that is there, each location once."""
        for name in ("pdf", "csv"):
            await self.put(name, _SKILL)
        found = await fresh().load()
        files = [one for one in found if isinstance(one, SkillFile)]
        assert len(files) == len(found), f"it has found something wrong: {found}"
        assert sorted(file.folder for file in files) == ["csv", "pdf"]
        assert len({file.location for file in files}) == 2, "two skills have one location"
        await self.remove("csv")
        assert list(await self._found(fresh())) == ["pdf"], "what was removed is still there"

    @law
    async def test_what_cannot_be_read(self, fresh: Fresh) -> None:
        """What cannot be read is a `Problem` that says where, and takes no other skill with it."""
        await self.put("pdf", _SKILL)
        if self.can_fail:
            await self.spoil()
        found = await fresh().load()
        assert "pdf" in [one.folder for one in found if isinstance(one, SkillFile)]
        problems = [one for one in found if isinstance(one, Problem)]
        assert bool(problems) == self.can_fail, "is there a Problem for what spoil has put there?"
        for problem in problems:
            assert problem.where, f"it does not say where: {problem}"
            assert problem.problem.isprintable(), f"not one line of characters that can be printed: {problem}"

    @law
    async def test_what_has_not_changed(self, fresh: Fresh) -> None:
        """What has not changed since is the same object as in `known`, and what has is another one."""
        await self.put("pdf", _SKILL)
        await self.put("csv", _SKILL)
        source = fresh()
        before = await self._found(source)
        await self.put("csv", _SKILL | {SKILL_FILE: _TEXT + b"And then write.\n"})
        known = tuple(before.values())
        after = {found.folder: found for found in await source.load(known) if isinstance(found, SkillFile)}
        assert after["pdf"] is before["pdf"], "nothing has changed, and it is another object"
        assert after["csv"] is not before["csv"], "it has changed, and is the same object"

    @law
    async def test_load_changed(self, fresh: Fresh) -> None:
        """`load_changed` returns the same, of what `watch` has told."""
        await self.put("pdf", _SKILL)
        await self.put("csv", _SKILL)
        if self.can_fail:
            await self.spoil()
        source = fresh()
        known = await source.load()
        told: set[str] = set()
        heard = trio.Event()

        def hear(*paths: str) -> None:
            told.update(paths)
            heard.set()

        async with running(partial(source.watch, hear)):
            await wait_all_tasks_blocked()
            await self.put("csv", _SKILL | {SKILL_FILE: _TEXT + b"And then write.\n"})
            if _tells(source):
                await heard.wait()
        files = [one for one in known if isinstance(one, SkillFile)]
        found = await (source.load_changed(known, told) if told else source.load(files))
        assert _plain(found) == _plain(await fresh().load()), "it is not what load finds"
        same = [one.folder for one in found if isinstance(one, SkillFile) and one in files]
        assert same == ["pdf"], "it is another object where nothing has changed, or the same where something has"

    @law
    async def test_resources(self, fresh: Fresh) -> None:
        """`resources` returns relative paths with `/` between, in order, each once, and SKILL.md not among them."""
        await self.put("pdf", _SKILL)
        source = fresh()
        file = (await self._found(source))["pdf"]
        assert list(await source.resources(file)) == sorted(set(_SKILL) - {SKILL_FILE})

    @law
    async def test_read(self, fresh: Fresh) -> None:
        """`read` returns what stands in each of those, and SKILL.md as a whole, of which `head` is the beginning."""
        await self.put("pdf", _SKILL)
        source = fresh()
        file = (await self._found(source))["pdf"]
        assert {path: await source.read(file, path) for path in _SKILL} == _SKILL
        assert _TEXT.startswith(file.head), "head is not the beginning of SKILL.md"
        assert file.head.count(b"---") >= 2, "head does not go as far as the frontmatter"

    @law
    async def test_read_elsewhere(self, fresh: Fresh) -> None:
        """Any other path is an `UnknownNameError`: nothing outside of the skill can be read, whatever the path is."""
        await self.put("pdf", _SKILL)
        await self.put("other", _SKILL)
        source = fresh()
        file = (await self._found(source))["pdf"]
        for path in _ELSEWHERE:
            try:
                await source.read(file, path)
            except UnknownNameError:
                continue
            pytest.fail(f"{path!r} can be read")

    @law
    async def test_only_looks(self, fresh: Fresh) -> None:
        """Looking changes nothing, and gives everything back, also when it is cancelled."""
        await self.put("pdf", _SKILL)
        source = fresh()
        file = (await self._found(source))["pdf"]
        held = resources()

        async def look() -> None:
            await source.load()
            await source.resources(file)
            await source.read(file, SKILL_FILE)

        await cancel_at_every_checkpoint(look)
        assert (await source.load([file]))[0] is file, "looking has changed something"
        assert not await left_of(held), "something is left of it"

    @law
    async def test_watch(self, fresh: Fresh) -> None:
        """`watch` calls `task_status.started()` once it misses nothing any more, and runs until it is cancelled."""
        source = fresh()
        await self.put("pdf", _SKILL)
        changed = trio.Event()

        async with running(partial(source.watch, lambda *paths: changed.set())):
            await wait_all_tasks_blocked()
            await self.put("csv", _SKILL)
            if _tells(source):
                await changed.wait()


def _tells(source: SkillSource) -> bool:
    return type(source).watch is not SkillSource.watch


def _plain(found: Sequence[SkillFile | Problem]) -> list[object]:
    return [(one.location, one.head) if isinstance(one, SkillFile) else one for one in found]
