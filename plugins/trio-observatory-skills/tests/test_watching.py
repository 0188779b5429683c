"""News of what has changed in the folders of a source."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from observatory_skills.sources import files, watching
from observatory_skills.sources.folders import FolderSource
from observatory_skills.sources.packages import PackageSource

from observatory import SKILL_FILE, SkillSource


class News:
    """Counts what it is told, keeps the paths, and waits for it."""

    def __init__(self) -> None:
        self.count = 0
        self.paths: set[str] = set()
        self._told = trio.Event()

    def changed(self, *paths: str) -> None:
        """Note that something may have changed."""
        self.count += 1
        self.paths.update(paths)
        self._told.set()

    async def after(self, change: Callable[[], object]) -> None:
        """Wait until something is told after a change; fail when nothing is."""
        self._told = trio.Event()
        await trio.to_thread.run_sync(change)
        with trio.fail_after(10):
            await self._told.wait()


@asynccontextmanager
async def watched(source: SkillSource) -> AsyncIterator[News]:
    """Watch a source for the time of the block."""
    news = News()
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda *, task_status: source.watch(news.changed, task_status=task_status))
        yield news
        nursery.cancel_scope.cancel()


def make(folder: Path) -> Path:
    """Make a skill, and return its SKILL.md."""
    folder.mkdir(parents=True)
    (folder / SKILL_FILE).touch()
    return folder / SKILL_FILE


async def quiet(news: News) -> None:
    """Wait until nothing more is told of what was done before."""
    count = -1
    while news.count != count:
        count = news.count
        await trio.sleep(0.2)  # real time: what the system may still have to tell comes within two steps


async def test_below_a_skill(tmp_path: Path) -> None:
    """A change of SKILL.md, or anywhere below the skill's folder, is told, also in folders that have just come."""
    file = make(tmp_path / "pdf")
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        await news.after(lambda: file.write_text("x"))
        await news.after(lambda: (tmp_path / "pdf" / "scripts" / "deep").mkdir(parents=True))
        await quiet(news)
        await news.after((tmp_path / "pdf" / "scripts" / "deep" / "fill.py").touch)
        await news.after((tmp_path / "pdf" / "scripts" / "deep" / "fill.py").unlink)


@pytest.mark.parametrize("name", ["pdf", "a\x7f b\xfc"])
async def test_which_paths(tmp_path: Path, name: str) -> None:
    """What is told is what has changed."""
    file = make(tmp_path / name)
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        await news.after(lambda: file.write_text("x"))
        assert news.paths == {str(file)}


async def test_skills_come_and_go(tmp_path: Path) -> None:
    """A skill that comes, is renamed or goes is told."""
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        await news.after(lambda: make(tmp_path / "a"))
        await news.after(lambda: os.rename(tmp_path / "a", tmp_path / "b"))
        await quiet(news)
        await news.after(lambda: (tmp_path / "b" / SKILL_FILE).write_text("x"))
        await news.after(lambda: shutil.rmtree(tmp_path / "b"))


async def test_a_folder_that_becomes_a_skill(tmp_path: Path) -> None:
    """A folder whose SKILL.md comes later is told, and is watched as a whole from then on."""
    (tmp_path / "pdf" / "scripts").mkdir(parents=True)
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        await news.after((tmp_path / "pdf" / SKILL_FILE).touch)
        await quiet(news)
        await news.after((tmp_path / "pdf" / "scripts" / "fill.py").touch)


async def test_itself(tmp_path: Path) -> None:
    """A path that is itself a skill is watched as a whole."""
    make(tmp_path / "pdf")
    (tmp_path / "pdf" / "scripts").mkdir()
    async with watched(FolderSource([(tmp_path / "pdf", "user")])) as news:
        await news.after((tmp_path / "pdf" / "scripts" / "fill.py").touch)


async def test_several_folders(tmp_path: Path) -> None:
    """All folders of a source are watched."""
    for name in ("project", "user"):
        make(tmp_path / name / "pdf")
    source = FolderSource([(tmp_path / "project", "project"), (tmp_path / "user", "user")])
    async with watched(source) as news:
        for name in ("project", "user"):
            await news.after(lambda name=name: (tmp_path / name / "pdf" / SKILL_FILE).write_text("x"))  # type: ignore[misc]


@pytest.mark.parametrize("link", ["skills", "skills/pdf"])
async def test_links(tmp_path: Path, link: str) -> None:
    """A folder that is a link, of one skill or of several, is watched where it is, and where it leads to later."""
    for name in ("one", "other"):
        make(tmp_path / name / "pdf")
        make(tmp_path / f"{name}-pdf")
    (tmp_path / link).parent.mkdir(exist_ok=True)
    targets = {name: tmp_path / (name if link == "skills" else f"{name}-pdf") for name in ("one", "other")}
    (tmp_path / link).symlink_to(targets["one"])

    def lead_elsewhere() -> None:
        os.unlink(tmp_path / link)
        os.symlink(targets["other"], tmp_path / link)

    async with watched(FolderSource([(tmp_path / "skills", "user")])) as news:
        await news.after((tmp_path / "skills" / "pdf" / "a").touch)
        await news.after(lead_elsewhere)
        await quiet(news)
        await news.after((tmp_path / "skills" / "pdf" / "b").touch)


async def test_a_link_that_comes(tmp_path: Path) -> None:
    """A skill that comes as a link is watched where it is."""
    file = make(tmp_path / "far")
    (tmp_path / "skills").mkdir()
    async with watched(FolderSource([(tmp_path / "skills", "user")])) as news:
        await news.after(lambda: (tmp_path / "skills" / "pdf").symlink_to(tmp_path / "far"))
        await quiet(news)
        await news.after(lambda: file.write_text("x"))


@pytest.mark.parametrize("make_source", [FolderSource, PackageSource])
async def test_a_folder_that_comes_later(tmp_path: Path, make_source: type[FolderSource]) -> None:
    """A folder that is not there yet is awaited, however much of the way to it is missing, and again when it went."""
    folder = tmp_path / "a" / "b" / "skills"
    async with watched(make_source([(folder, "user")])) as news:
        for _ in range(2):
            await news.after(lambda: folder.mkdir(parents=True))
            await quiet(news)
            await news.after((folder / "x.skill").touch)
            await news.after(lambda: shutil.rmtree(tmp_path / "a"))
            await quiet(news)


async def test_packages(tmp_path: Path) -> None:
    """A package that comes, is put in the place of another, or goes, is told; also when it is itself the path."""
    file = tmp_path / "pdf.skill"
    for path in (tmp_path, file):
        async with watched(PackageSource([(path, "user")])) as news:
            await news.after(file.touch)
            await quiet(news)
            (tmp_path / "new").touch()
            await news.after(lambda: os.replace(tmp_path / "new", file))
            await news.after(file.unlink)


async def test_not_what_does_not_count(tmp_path: Path) -> None:
    """What version control does in a skill is not told, nor what happens below folders that are no skills."""
    make(tmp_path / "pdf")
    (tmp_path / "pdf" / ".git" / "refs").mkdir(parents=True)
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        (tmp_path / "pdf" / ".git" / "refs" / "head").touch()
        (tmp_path / "other" / "deep" / "file").touch()
        await quiet(news)
        assert news.count == 0


async def test_name_that_is_no_text(tmp_path: Path) -> None:
    """After a file whose name is no UTF-8 changes are still told."""
    file = make(tmp_path / "pdf")
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        await news.after(lambda: open(os.fsencode(tmp_path) + b"/pdf/\xff", "w").close())
        await quiet(news)
        await news.after(lambda: file.write_text("x"))


async def test_limit_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells nothing, something may always have changed; once it does, it is listened to again."""
    monkeypatch.setattr(files, "_AGAIN", 0.01)
    real = watching._open

    def fail(folders: set[str]) -> object:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watching, "_open", fail)
    file = make(tmp_path / "pdf")
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        await news.after(lambda: None)
        monkeypatch.setattr(watching, "_open", real)
        await quiet(news)
        await news.after(lambda: file.write_text("x"))


async def test_gone_before_it_is_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that goes, or comes, while listening begins is neither an error nor missed."""
    make(tmp_path / "pdf")
    real, calls = watching._open, []

    def change(folders: set[str]) -> object:
        calls.append(folders)
        if len(calls) == 1:
            shutil.rmtree(tmp_path / "pdf")
        elif len(calls) == 2:
            make(tmp_path / "csv")
        return real(folders)

    monkeypatch.setattr(watching, "_open", change)
    async with watched(FolderSource([(tmp_path, "user")])) as news:
        assert len(calls) == 3
        await news.after(lambda: (tmp_path / "csv" / SKILL_FILE).write_text("x"))


async def test_folders_that_come_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faster than anybody can begin to listen to them: watching begins all the same, and goes on telling."""
    monkeypatch.setattr(files, "_AGAIN", 0.01)
    real = watching._open

    def open_late(folders: set[str]) -> object:
        notify = real(folders)
        (tmp_path / f"new-{len(folders)}").mkdir()
        return notify

    monkeypatch.setattr(watching, "_open", open_late)
    with trio.fail_after(10):
        async with watched(FolderSource([(tmp_path, "user")])) as news:
            await news.after(lambda: None)
