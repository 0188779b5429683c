"""How what happens in the inbox is heard of: by the system's news, or by looking."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox.watching.following import POLL
from observatory_inbox.watching.inotify import Inotify
from observatory_inbox.watching.portable import PortableListener

WRITER = """
import json, os, sys
inbox, folders, files, first = sys.argv[1], *map(int, sys.argv[2:])
for file in range(files):
    for folder in range(folders):
        to = f"agent-{first}-{folder}"
        id = f"{(first * files + file) * folders + folder:016x}"
        message = {"type": "message", "from": "writer", "content": "x", "message_type": "text", "metadata": {},
                   "id": id, "session_id": to, "timestamp": "2026-11-21T10:00:00+00:00"}
        os.makedirs(f"{inbox}/{to}", exist_ok=True)
        with open(f"{inbox}/{to}/.{id}.tmp", "x") as temporary:
            json.dump(message, temporary)
        os.rename(temporary.name, f"{inbox}/{to}/{id}.json")
"""


def run_writers(inbox: Path, *, folders: int, files: int, writers: int) -> None:
    """Let processes write files, each into folders of its own."""
    command = [sys.executable, "-c", WRITER, str(inbox), str(folders), str(files)]
    processes = [subprocess.Popen([*command, str(first)]) for first in range(1, writers + 1)]
    assert [process.wait() for process in processes] == [0] * writers


@pytest.fixture
def patient_clock() -> trio.testing.MockClock:
    """Make Trio's time run so slowly that whatever is found before the next sweep was heard of."""
    return trio.testing.MockClock(rate=0.1)


@pytest.fixture(params=["linux", "portable"])
def listener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listen as on Linux, and as elsewhere."""
    if request.param == "portable":
        monkeypatch.setattr("observatory_inbox.watching.following.SystemListener", PortableListener)
    elif sys.platform != "linux":
        pytest.skip("there is no inotify here")


@pytest.fixture
def limit_of_news() -> int:
    """Return how many news wait at most."""
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))


@pytest.mark.usefixtures("listener")
async def test_what_comes_and_goes_is_heard_of(bench: Any, patient_clock: Any) -> None:
    """In a directory that was there, and in one that comes with its first file."""
    (bench.inbox / "there").mkdir(parents=True)
    async with bench.watching() as watch:
        started = trio.current_time()
        for to in ("there", "new"):
            path = bench.write_file(to)
            await watch.until(lambda path=path: path.stem in watch.ids())
            path.unlink()
            await watch.until(lambda gone=(to, [path.stem]): gone in watch.gone)
        assert trio.current_time() - started < POLL


@pytest.mark.usefixtures("listener")
async def test_the_first_file_of_all_is_heard_of(bench: Any, patient_clock: Any) -> None:
    """The inbox itself is missing until then, and watching does not make it."""
    async with bench.watching() as watch:
        assert not bench.inbox.exists()
        started = trio.current_time()
        path = bench.write_file()
        await watch.until(lambda: path.stem in watch.ids())
        assert trio.current_time() - started < POLL


async def test_the_inbox_may_vanish_and_come_back(bench: Any, hurried_clock: Any) -> None:
    """Nothing is acknowledged by that, and what is in the new one is found."""
    await bench.channel.deliver([bench.post()])
    async with bench.watching() as watch:
        bench.inbox.rename(bench.root / "elsewhere")
        await trio.sleep(7)
        path = bench.write_file("other")
        await watch.until(lambda: path.stem in watch.ids())
    assert watch.gone == []


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize(
    ("folders", "files"), [(50, 20), pytest.param(250, 40, marks=pytest.mark.slow)], ids=["2,000", "20,000"]
)
async def test_bursts_are_complete(bench: Any, folders: int, files: int) -> None:
    """Two processes write at the same time, into folders that they make."""
    async with bench.watching() as watch:
        await trio.to_thread.run_sync(lambda: run_writers(bench.inbox, folders=folders, files=files, writers=2))
        await watch.until(lambda: len(watch.adopted) >= 2 * folders * files)
    assert len(watch.ids()) == len(watch.adopted) == 2 * folders * files
    assert watch.gone == []


async def test_no_link_is_followed(bench: Any, patient_clock: Any) -> None:
    """Neither one in the place of a directory, nor one in it; and what lies beside them is heard of all the same."""
    outside = bench.write_file("x").parent
    outside = outside.rename(bench.root / "x")
    (bench.inbox / "x").symlink_to(outside)
    (bench.write_file("agent-42").parent / "link").symlink_to(outside)
    async with bench.watching() as watch:
        started = trio.current_time()
        next(outside.iterdir()).rename(outside / "00000000000000ff.json")
        await bench.see_everything(watch)
        assert trio.current_time() - started < POLL
    assert "x" not in {message.to for message in watch.adopted}


async def test_without_news_files_are_found_by_looking(
    bench: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As at the system's limit of watches: it is said once, and tried again."""
    tries = []

    def refuse(folder: str) -> None:
        tries.append(folder)
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("observatory_inbox.watching.following.SystemListener", refuse)
    async with bench.watching() as watch:
        path = bench.write_file()
        await watch.until(lambda: path.stem in watch.ids())
        path.unlink()
        await watch.until(lambda: bool(watch.gone))
        await trio.sleep(7)
    assert len(tries) > 1
    assert len([record for record in caplog.records if "limit reached" in record.getMessage()]) == 1


@pytest.mark.usefixtures("listener")
async def test_a_name_that_is_not_utf_8_does_not_end_it(bench: Any, hurried_clock: Any) -> None:
    """What comes afterwards is found."""
    async with bench.watching() as watch:
        folder = bench.write_file().parent
        os.mkfifo(os.fsencode(folder) + b"/\xff.json")
        for _ in range(3):
            await bench.see_everything(watch)
            await trio.sleep(3)


async def test_a_directory_that_is_moved_is_heard_of_under_its_new_name(bench: Any, patient_clock: Any) -> None:
    """Nothing is acknowledged by that, and what comes there afterwards is found."""
    await bench.channel.deliver([bench.post()])
    async with bench.watching() as watch:
        started = trio.current_time()
        (bench.inbox / "agent-42").rename(bench.inbox / "agent-43")
        path = bench.write_file("agent-43")
        await watch.until(lambda: path.stem in watch.ids())
        assert trio.current_time() - started < POLL
    assert watch.gone == []


async def test_beyond_the_limit_of_watches_files_are_found_by_looking(
    bench: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In the directories that the system does not watch any more; it is said once."""
    add = Inotify.add

    def add_few(inotify: Inotify, path: str, kinds: int) -> int:
        if path.endswith(("b", "c")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return add(inotify, path, kinds)

    monkeypatch.setattr(Inotify, "add", add_few)
    (bench.inbox / "b").mkdir(parents=True)
    async with bench.watching() as watch:
        paths = [bench.write_file(to) for to in "abc"]
        await watch.until(lambda: watch.ids() == {path.stem for path in paths})
        later = [bench.write_file(to) for to in "abc"]
        await watch.until(lambda: watch.ids() == {path.stem for path in [*paths, *later]})
    assert len([record for record in caplog.records if "not all of" in record.getMessage()]) == 1


async def test_what_the_system_had_to_forget_is_found_at_once(
    bench: Any, patient_clock: Any, limit_of_news: int
) -> None:
    """The queue of news overflows, with the news of a new directory among what is lost."""
    noise = bench.write_file("noise").with_suffix(".tmp")
    async with bench.watching() as watch:
        started = trio.current_time()
        for _ in range(limit_of_news):  # all within one turn of the loop
            noise.touch()
            noise.unlink()
        paths = [bench.write_file("new")]
        await watch.until(lambda: paths[0].stem in watch.ids())
        paths.append(bench.write_file("new"))
        await watch.until(lambda: paths[1].stem in watch.ids())
        assert trio.current_time() - started < POLL


async def test_cancelling_gives_everything_back(bench: Any) -> None:
    """At once, descriptors and the system's threads."""
    async with bench.watching():
        pass
    descriptors, threads = (len(os.listdir(f"/proc/self/{folder}")) for folder in ("fd", "task"))
    async with bench.watching():
        begun = trio.current_time()
    assert trio.current_time() - begun < 1
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert len(os.listdir("/proc/self/task")) <= threads


async def test_removing_a_tree_of_mail_while_it_is_watched(bench: Any) -> None:
    """Watching survives it, and what comes afterwards is found."""
    await bench.channel.deliver([bench.post(to=f"agent-{number % 20}") for number in range(1000)])
    async with bench.watching() as watch:
        await trio.to_thread.run_sync(shutil.rmtree, bench.inbox)
        path = bench.write_file("later")
        await watch.until(lambda: path.stem in watch.ids())
