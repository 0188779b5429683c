"""The registry: skills by name, loaded at the start and loaded again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_skills import RegistryNotRunningError, Resource, Skill, SkillRegistry, SkillsUpdate, load
from trio.testing import wait_all_tasks_blocked

from observatory import (
    InvalidInputError,
    Problem,
    SkillFile,
    SkillSourceError,
    UnknownNameError,
)


async def test_reading(shelf_of: Any, running: Any) -> None:
    """Skills are listed in order, found by name and by pattern, and counted."""
    async with running(shelf_of("pdf-read", "csv", "pdf-fill")) as registry:
        assert [skill.name for skill in registry.list()] == ["pdf-read", "csv", "pdf-fill"]
        csv = registry.get("csv")
        assert csv == Skill("csv", "Does something.", "shelf/csv", source="source0")
        assert registry.get("xls") is None
        assert registry.count() == 3
        assert [skill.name for skill in registry.find_matching("pdf-*")] == ["pdf-read", "pdf-fill"]
        assert registry.find_matching("PDF-*") == ()


async def test_forms_of_a_name(shelf_of: Any, running: Any) -> None:
    """A name is found in every form that Unicode has for it, and taken away in every form."""
    async with running(shelf_of("caf\u00e9")) as registry:
        assert registry.get("cafe\u0301") is registry.get("caf\u00e9") is not None
        assert registry.get("the\u0301") is None
        assert await registry.resources("cafe\u0301") == ("forms.md",)
        assert (await registry.unregister("cafe\u0301")).removed == ("caf\u00e9",)


async def test_a_pattern_that_is_none(shelf_of: Any, running: Any) -> None:
    """It is refused."""
    async with running(shelf_of()) as registry:
        with pytest.raises(InvalidInputError, match="pattern: expected a string such as 'pdf-\\*', got int"):
            registry.find_matching(7)


READS: list[Callable[[SkillRegistry], Any]] = [
    SkillRegistry.list,
    SkillRegistry.count,
    SkillRegistry.loaded,
    SkillRegistry.catalogue,
    lambda registry: registry.get("pdf"),
    lambda registry: registry.find_matching("*"),
]


@pytest.mark.parametrize("read", READS)
async def test_not_running(shelf_of: Any, running: Any, read: Callable[[SkillRegistry], Any]) -> None:
    """Used before it is started or after it is closed, it says so."""
    registry = SkillRegistry(sources={"shelf": shelf_of("pdf")}, name="house")
    with pytest.raises(RegistryNotRunningError, match=r"'house' is not started: await nursery\.start") as before:
        read(registry)
    assert before.value.registry == "house"
    async with running(shelf_of("pdf")) as other:
        read(other)
    with pytest.raises(RegistryNotRunningError, match="'skills' is closed"):
        read(other)


@pytest.mark.parametrize(
    "act",
    [
        SkillRegistry.reload,
        lambda registry: registry.register([]),
        lambda registry: registry.unregister("pdf"),
        lambda registry: registry.body("pdf"),
        lambda registry: registry.resources("pdf"),
    ],
)
async def test_nothing_can_be_done_before_it_runs(shelf_of: Any, act: Any) -> None:
    """What would wait says so, too."""
    with pytest.raises(RegistryNotRunningError):
        await act(SkillRegistry(sources={"shelf": shelf_of("pdf")}))


async def test_runs_once_at_a_time(shelf_of: Any, running: Any) -> None:
    """A second task that would run it is refused, and the first one goes on."""
    async with running(shelf_of("pdf"), name="house") as registry:
        with pytest.raises(trio.BusyResourceError, match="skill registry 'house' is run by another task"):
            await registry.run()
        assert registry.count() == 1
        assert (await registry.reload()).added == ()


async def test_runs_again(shelf_of: Any, running: Any) -> None:
    """What was closed can be run again."""
    registry = SkillRegistry(sources={"shelf": shelf_of("pdf")})
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(registry.run)
            assert registry.count() == 1
            nursery.cancel_scope.cancel()


async def test_closed_during_a_reload(shelf_of: Any, running: Any) -> None:
    """It stays closed, and whoever waits for the reload is told."""
    shelf, gate = shelf_of("pdf"), trio.Event()
    async with trio.open_nursery() as nursery:
        async with running(shelf) as registry:
            look = shelf.load

            async def load_slowly(known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
                await gate.wait()
                found: Sequence[SkillFile | Problem] = await look(known)
                return found

            async def reload() -> None:
                with pytest.raises(RegistryNotRunningError, match="'skills' is closed"):
                    await registry.reload()

            shelf.load = load_slowly
            nursery.start_soon(reload)
            await wait_all_tasks_blocked()
        gate.set()
    with pytest.raises(RegistryNotRunningError, match="'skills' is closed"):
        registry.count()


@pytest.mark.parametrize("paths", ["skills", Path("skills")])
def test_one_path(paths: Any) -> None:
    """A path where several are expected is refused: its letters would be taken for paths."""
    with pytest.raises(InvalidInputError, match=r"paths: expected paths, got one; give \[.*'skills'"):
        SkillRegistry(paths)


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_an_interval_that_is_none(seconds: float) -> None:
    """It is refused: it would be loaded without end."""
    with pytest.raises(InvalidInputError, match="reload_interval: expected more than 0 seconds, got"):
        SkillRegistry(reload_interval=seconds)


async def test_several_side_by_side(shelf_of: Any, running: Any) -> None:
    """Each has its own skills."""
    async with running(shelf_of("pdf"), name="a") as one, running(shelf_of("csv"), name="b") as other:
        assert (one.get("csv"), other.get("pdf")) == (None, None)
        assert (one.count(), other.count()) == (1, 1)


async def test_one_bad_skill(shelf_of: Any, running: Any) -> None:
    """It is left out and reported, and the others load."""
    shelf = shelf_of("pdf", "csv")
    shelf.texts["csv"] = b"---\nname: csv\n---\n"
    async with running(shelf) as registry:
        assert [skill.name for skill in registry.list()] == ["pdf"]
        [flaw] = registry.loaded().flaws
        assert (flaw.where, flaw.fatal) == ("shelf/csv", True)
        assert "description" in flaw.problem


async def test_names_that_differ_in_case(shelf_of: Any, running: Any) -> None:
    """The warning names the line; where nobody has found the skill, there is none to name."""
    async with running(shelf_of("PDF", "pdf")) as registry:
        assert [(flaw.where, flaw.line) for flaw in registry.loaded().flaws[-1:]] == [("shelf/pdf", 2)]
        await registry.register([Skill(name, "By hand.", "") for name in ("CSV", "csv")])
        assert [flaw.line for flaw in registry.loaded().flaws if flaw.where == ""] == [None]


async def test_nothing_can_be_loaded_at_the_start(shelf_of: Any) -> None:
    """It does not start, and says why."""
    shelf = shelf_of()
    shelf.fault = "the disk is gone"
    registry = SkillRegistry(sources={"shelf": shelf})
    with pytest.raises(SkillSourceError, match="shelf: the disk is gone"):
        await registry.run()
    with pytest.raises(RegistryNotRunningError, match="is not started"):
        await registry.register([])


async def test_precedence(shelf_of: Any, running: Any) -> None:
    """Those of the project come before those of the user, and earlier sources before later ones; the rest is listed."""
    user, project, later = (
        shelf_of("a", "b"),
        shelf_of("b", "c", scope="project", where="p"),
        shelf_of("a", "c", where="l"),
    )
    async with running(user, project, later, trusted=True) as registry:
        assert [skill.location for skill in registry.list()] == ["p/b", "p/c", "shelf/a"]
        shadowed = [(one.skill.location, one.by.location) for one in registry.loaded().shadowed]
        assert shadowed == [("shelf/b", "p/b"), ("l/a", "shelf/a"), ("l/c", "p/c")]


async def test_a_project_that_is_not_trusted(shelf_of: Any, running: Any) -> None:
    """Its skills do not count, shadow nothing, and are listed."""
    async with running(shelf_of("a", scope="project", where="p"), shelf_of("a")) as registry:
        assert [skill.location for skill in registry.list()] == ["shelf/a"]
        loaded = registry.loaded()
        assert ([skill.location for skill in loaded.untrusted], loaded.shadowed) == (["p/a"], ())


async def test_reading_further(shelf_of: Any, running: Any) -> None:
    """An agent is given the body of a skill, then files of it, each when it asks."""
    shelf = shelf_of()
    shelf.put("pdf", body="\nLook at forms.md.\n")
    async with running(shelf) as registry:
        assert await registry.body("pdf") == "\nLook at forms.md.\n"
        assert await registry.resources("pdf") == ("forms.md",)
        assert await registry.read_resource("pdf", "forms.md") == b"# Forms\n"
        assert await registry.get_resource("pdf", "forms.md") == Resource("forms.md", "# Forms\n", None)
        assert await registry.get_resource("pdf", "picture.png") == Resource("picture.png", None, "/wA=")
        with pytest.raises(UnknownNameError, match="no skill 'pdg'; did you mean 'pdf'"):
            await registry.body("pdg")
        with pytest.raises(UnknownNameError, match=r"no resource 'form\.md'; did you mean 'forms\.md'"):
            await registry.read_resource("pdf", "form.md")


async def test_by_hand(shelf_of: Any, running: Any, tmp_path: Path) -> None:
    """What is registered comes before what is found, stays over a reload, and is read where it is."""
    folder = tmp_path / "pdf"
    folder.mkdir()
    mine = shelf_of()
    mine.put("pdf", "By hand.", "Mine.")
    (folder / "SKILL.md").write_bytes(mine.texts["pdf"])
    (folder / "forms.md").write_bytes(b"mine")
    async with running(shelf_of("pdf")) as registry:
        assert await registry.register(load(folder).skills) == SkillsUpdate("skills", changed=("pdf",))
        await registry.reload()
        found = registry.get("pdf")
        assert found is not None
        assert found.description == "By hand."
        assert (await registry.body("pdf"), await registry.resources("pdf")) == ("Mine.", ("forms.md",))
        assert await registry.read_resource("pdf", "forms.md") == b"mine"
        with pytest.raises(InvalidInputError, match="skills: expected skills, got str"):
            await registry.register(["pdf"])


async def test_taken_away(shelf_of: Any, running: Any) -> None:
    """There is none of that name, whatever is found, until one is registered again."""
    shelf = shelf_of("pdf", "csv")
    async with running(shelf) as registry:
        pdf = registry.get("pdf")
        assert pdf is not None
        assert await registry.unregister("pdf") == SkillsUpdate("skills", removed=("pdf",))
        await registry.reload()
        assert registry.get("pdf") is None
        with pytest.raises(UnknownNameError, match="no skill 'pdf'"):
            await registry.unregister("pdf")
        await registry.register([pdf])
        assert registry.get("pdf") is pdf
