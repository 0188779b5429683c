"""Looking at what has changed, and at nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest
from observatory_skills.sources.files import FilesSource
from observatory_skills.sources.folders import FolderSource
from observatory_skills.sources.packages import PackageSource

from observatory import SKILL_FILE, Problem, SkillFile, SkillSourceError


class Folder:
    """A folder of skills, one of which cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source: FilesSource = FolderSource([(path, "user")])

    def place(self, name: str) -> Path:
        """Return where a skill is."""
        return self.path / name

    def write(self, name: str, text: str) -> str:
        """Write a skill, and return which path is told then."""
        self.place(name).mkdir(parents=True, exist_ok=True)
        (self.place(name) / SKILL_FILE).write_text(text)
        return str(self.place(name) / SKILL_FILE)

    def remove(self, name: str) -> None:
        """Remove a skill."""
        shutil.rmtree(self.place(name))

    def spoil(self, name: str) -> None:
        """Put something there that cannot be read."""
        self.place(name).mkdir(parents=True)
        os.mkfifo(self.place(name) / SKILL_FILE)


class Packages(Folder):
    """A folder of packages, one of which cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.source = PackageSource([(path, "user")])

    def place(self, name: str) -> Path:
        """Return where a skill is."""
        return self.path / f"{name}.skill"

    def write(self, name: str, text: str) -> str:
        """Write a skill, and return which path is told then."""
        self.path.mkdir(exist_ok=True)
        with ZipFile(self.place(name), "w") as package:
            package.writestr(f"{name}/{SKILL_FILE}", text)
        return str(self.place(name))

    def remove(self, name: str) -> None:
        """Remove a skill."""
        self.place(name).unlink()

    def spoil(self, name: str) -> None:
        """Put something there that cannot be read."""
        self.place(name).write_bytes(b"PK")


@pytest.fixture(params=[Folder, Packages])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Return a folder with three skills, one of which is broken."""
    make: Callable[[Path], Folder] = request.param
    folder = make(tmp_path / "skills")
    folder.write("csv", "one")
    folder.write("pdf", "two")
    folder.spoil("broken")
    return folder


def said(found: Sequence[SkillFile | Problem]) -> list[str]:
    """Return how each begins; what is wrong as `-`."""
    return [one.head.decode() if isinstance(one, SkillFile) else "-" for one in found]


async def test_nothing_else_is_looked_at(folder: Folder) -> None:
    """What was told is found again, and all the rest is taken as it was, what is wrong included."""
    known = await folder.source.load()
    told = folder.write("csv", "one, changed")
    folder.write("pdf", "two, changed")
    found = await folder.source.load_changed(known, [told])
    assert said(found) == ["-", "one, changed", "two"]
    assert [one is old for one, old in zip(found, known, strict=True)] == [True, False, True]


@pytest.mark.parametrize("told", ["", "elsewhere", "pdf/deep/er", "pdf.skill/x"])
async def test_places_that_are_none(folder: Folder, told: str) -> None:
    """Where something has changed that belongs to no skill that is known, everything is looked at."""
    known = await folder.source.load()
    folder.remove("pdf")
    folder.write("new", "three")
    assert said(await folder.source.load_changed(known, [str(folder.path / told)])) == ["-", "one", "three"]


async def test_it_has_gone(folder: Folder) -> None:
    """Where a skill is none any more, everything is looked at."""
    known = await folder.source.load()
    folder.write("new", "three")
    folder.remove("pdf")
    assert said(await folder.source.load_changed(known, [str(folder.place("pdf"))])) == ["-", "one", "three"]


async def test_it_has_broken(folder: Folder) -> None:
    """A skill that cannot be read any more is a problem."""
    known = await folder.source.load()
    folder.remove("pdf")
    folder.spoil("pdf")
    assert said(await folder.source.load_changed(known, [str(folder.place("pdf"))])) == ["-", "one", "-"]


async def test_the_whole_folder_has_gone(folder: Folder, tmp_path: Path) -> None:
    """What was known still holds where nothing can be told."""
    known = await folder.source.load()
    shutil.rmtree(folder.path)
    (tmp_path / "skills").write_text("no folder")
    with pytest.raises(SkillSourceError):
        await folder.source.load_changed(known, [str(folder.place("pdf"))])


async def test_files_of_a_skill(tmp_path: Path) -> None:
    """A change of another file of a skill is none of what is known of it."""
    folder = Folder(tmp_path)
    told = folder.write("pdf", "two")
    known = await folder.source.load()
    assert list(await folder.source.load_changed(known, [str(tmp_path / "pdf" / "scripts" / "deep.py")])) == known
    (tmp_path / "pdf" / SKILL_FILE).rename(tmp_path / "pdf" / "skill.md")
    [found] = await folder.source.load_changed(known, [told])
    assert isinstance(found, SkillFile)
    assert found.location == str(tmp_path / "pdf" / "skill.md")


async def test_whose_it_is(tmp_path: Path) -> None:
    """A skill of the project stays one."""
    folder = Folder(tmp_path)
    folder.write("pdf", "two")
    source = FolderSource([(tmp_path, "project")])
    known = await source.load()
    [found] = await source.load_changed(known, [folder.write("pdf", "changed")])
    assert isinstance(found, SkillFile)
    assert (found.scope, found.head) == ("project", b"changed")
