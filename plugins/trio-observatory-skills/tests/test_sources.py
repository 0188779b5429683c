"""The laws that hold for every source of skills."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest
import trio
from observatory_skills.sources.files import FilesSource
from observatory_skills.sources.folders import FolderSource
from observatory_skills.sources.packages import PackageSource
from trio.testing import wait_all_tasks_blocked

from observatory import SKILL_FILE, Context, Problem, SkillFile, SkillScope, SkillSourceError, SkillSourceFactory
from observatory.testing import SkillSourceConformance


class TestFolderSource(SkillSourceConformance):
    """Skills in folders, in one of two."""

    folder: Path

    @pytest.fixture
    def source_factory(self, context: Context) -> SkillSourceFactory:
        """Return what makes the source; its folders are not there at first."""
        self.folder = context.root / "mine"
        return lambda context: FolderSource([(context.root / "project", "project"), (self.folder, "user")])

    async def put(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write the skill's files."""
        await self.remove(name)
        for path, data in files.items():
            file = trio.Path(self.folder / name / path)
            await file.parent.mkdir(parents=True, exist_ok=True)
            await file.write_bytes(data)

    async def remove(self, name: str) -> None:
        """Remove the skill's folder."""
        await trio.to_thread.run_sync(lambda: shutil.rmtree(self.folder / name, ignore_errors=True))

    async def spoil(self) -> None:
        """Make a pipe that nobody writes into."""
        await trio.Path(self.folder / "pipe").mkdir()
        os.mkfifo(self.folder / "pipe" / SKILL_FILE)


class TestPackageSource(SkillSourceConformance):
    """Skills in packages."""

    folder: Path

    @pytest.fixture
    def source_factory(self, context: Context) -> SkillSourceFactory:
        """Return what makes the source; its folder is not there at first."""
        self.folder = context.root / "packages"
        return lambda context: PackageSource([(self.folder, "user")])

    async def put(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write the package."""
        await trio.Path(self.folder).mkdir(exist_ok=True)
        await trio.to_thread.run_sync(self._write, name, files)

    def _write(self, name: str, files: Mapping[str, bytes]) -> None:
        with ZipFile(self.folder / f"{name}.skill", "w") as package:
            for path, data in files.items():
                package.writestr(f"{name}/{path}", data)

    async def remove(self, name: str) -> None:
        """Remove the package."""
        await trio.Path(self.folder / f"{name}.skill").unlink()

    async def spoil(self) -> None:
        """Write a package that is none."""
        await trio.Path(self.folder / "broken.skill").write_bytes(b"PK")


async def test_order(tmp_path: Path) -> None:
    """Skills are found in the order of the folders, and each place counts once, as what it is first."""
    for name in ("project/b", "user/a", "user/b"):
        await trio.Path(tmp_path / name).mkdir(parents=True)
        await trio.Path(tmp_path / name / SKILL_FILE).touch()
    project, user = tmp_path / "project", tmp_path / "user"
    source = FolderSource([(project, "project"), (user / "b", "project"), (user, "user"), (project, "user")])
    found = [one for one in await source.load() if isinstance(one, SkillFile)]
    assert [(one.location, one.scope) for one in found] == [
        (str(tmp_path / "project" / "b" / SKILL_FILE), "project"),
        (str(tmp_path / "user" / "b" / SKILL_FILE), "project"),
        (str(tmp_path / "user" / "a" / SKILL_FILE), "user"),
    ]
    assert [again is one for again, one in zip(await source.load(found), found, strict=True)] == [True] * 3


@pytest.mark.parametrize("kind", [FolderSource, PackageSource])
async def test_a_whole_folder_that_cannot_be_read(kind: type[FilesSource], tmp_path: Path) -> None:
    """Where there were skills, nothing can be told and what was known still holds; else it is said what is wrong."""
    folder = tmp_path / "skills"
    _write_both(folder)
    source = kind([(folder, "user")])
    known = [one for one in await source.load() if isinstance(one, SkillFile)]
    assert len(known) == 1
    shutil.rmtree(folder)
    await trio.Path(folder).write_text("no folder")
    with pytest.raises(SkillSourceError) as refused:
        await source.load(known)
    assert refused.value.where == str(folder)
    [problem] = await source.load()
    assert isinstance(problem, Problem)


async def test_a_folder_that_does_not_answer(tmp_path: Path) -> None:
    """Whoever looks at it, such as over a network that is down, can be cancelled."""
    answer, has_ended = threading.Event(), threading.Event()

    class Hanging(FolderSource):
        def _scan(self, path: str, known: Sequence[SkillFile], scope: SkillScope) -> list[SkillFile | Problem]:
            answer.wait(5)
            has_ended.set()
            return []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Hanging([(tmp_path, "user")]).load)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not has_ended.is_set()
    answer.set()
    await trio.to_thread.run_sync(has_ended.wait)


async def test_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with it, as in settings of further registries."""
    monkeypatch.setenv("HOME", str(tmp_path))
    _write_both(tmp_path / "skills")
    [found] = await FolderSource([("~/skills", "user")]).load()
    assert isinstance(found, SkillFile)
    assert found.location == str(tmp_path / "skills" / "pdf" / SKILL_FILE)


def _write_both(folder: Path) -> None:
    (folder / "pdf").mkdir(parents=True)
    (folder / "pdf" / SKILL_FILE).touch()
    with ZipFile(folder / "csv.skill", "w") as package:
        package.writestr(f"csv/{SKILL_FILE}", "")
