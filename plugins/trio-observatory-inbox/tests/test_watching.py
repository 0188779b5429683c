"""What other processes put into the inbox and take from it, while this one runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox import InboxChannel, InboxSettings

from observatory import Clock, Context, Failed, Message, Post, PubSub, Retraction

PATIENCE = 20

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


class Watch:
    """What a watching delivery channel has told, and waiting for it."""

    def __init__(self, channel: InboxChannel) -> None:
        self.channel = channel
        self.adopted: list[Message] = []
        self.gone: list[tuple[str, list[str]]] = []
        self._told = trio.Event()

    async def adopt(self, messages: Sequence[Message]) -> None:
        """Take messages."""
        await trio.lowlevel.checkpoint()
        self.adopted.extend(messages)
        self._tell()

    async def take_gone(self, to: str, ids: Sequence[str]) -> None:
        """Take what is gone."""
        await trio.lowlevel.checkpoint()
        self.gone.append((to, list(ids)))
        self._tell()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has been told, or seen otherwise."""
        with trio.fail_after(PATIENCE * 50):  # some tests hurry the clock
            await trio.lowlevel.checkpoint()
            while not happened():
                with trio.move_on_after(0.01):
                    await self._told.wait()

    def ids(self) -> set[str]:
        """Return the ids of what was adopted."""
        return {message.id for message in self.adopted}

    def _tell(self) -> None:
        self._told.set()
        self._told = trio.Event()


@asynccontextmanager
async def watching(channel: InboxChannel) -> AsyncIterator[Watch]:
    """Let a delivery channel watch during the block."""
    watch = Watch(channel)
    async with trio.open_nursery() as nursery:
        await nursery.start(channel.watch, watch.adopt, watch.take_gone)
        yield watch
        nursery.cancel_scope.cancel()


async def see_everything(bench: Any, watch: Watch) -> None:
    """Wait until what has happened so far must have been told: a file that comes now is told of later."""
    marker = bench.write_file("marker")
    await watch.until(lambda: marker.stem in watch.ids())


def run_writers(inbox: Path, *, folders: int, files: int, writers: int) -> None:
    """Let processes write files, each into folders of its own."""
    command = [sys.executable, "-c", WRITER, str(inbox), str(folders), str(files)]
    processes = [subprocess.Popen([*command, str(first)]) for first in range(1, writers + 1)]
    assert [process.wait() for process in processes] == [0] * writers


@pytest.fixture
def hurried_clock() -> trio.testing.MockClock:
    """Make Trio's time run twenty times as fast as files change."""
    return trio.testing.MockClock(rate=20)


async def test_a_file_of_another_process_is_adopted(bench: Any) -> None:
    """In a directory that was there, and in one that is made for it."""
    (bench.inbox / "agent-1-0").mkdir(parents=True)
    async with watching(bench.channel) as watch:
        await trio.to_thread.run_sync(lambda: run_writers(bench.inbox, folders=2, files=1, writers=1))
        await watch.until(lambda: len(watch.adopted) == 2)
    assert [message.from_ for message in watch.adopted] == ["writer", "writer"]
    assert bench.channel.statistics()["adopted"] == 2


async def test_adopting_and_being_gone_take_less_than_50_ms(bench: Any) -> None:
    """The best of several, since the machine has other things to do."""
    adopting, going = [], []
    async with watching(bench.channel) as watch:
        for number in range(8):
            to = f"agent-{number % 4}"  # half of the directories are new
            begun = trio.current_time()
            path = bench.write_file(to)
            await watch.until(lambda path=path: path.stem in watch.ids())  # type: ignore[misc]
            adopting.append(trio.current_time() - begun)
            begun = trio.current_time()
            path.unlink()
            await watch.until(lambda gone=(to, [path.stem]): gone in watch.gone)  # type: ignore[misc]
            going.append(trio.current_time() - begun)
    assert min(adopting[:4]) < 0.05
    assert min(adopting[4:]) < 0.05
    assert min(going) < 0.05


async def test_a_file_that_its_reader_removes_is_gone(bench: Any) -> None:
    """Whether this process has written, recovered or adopted it."""
    recovered = bench.write_file()
    await bench.recover()
    await bench.channel.deliver([written := bench.post()])
    async with watching(bench.channel) as watch:
        adopted = bench.write_file()
        await watch.until(lambda: bool(watch.adopted))
        for path in (recovered, bench.path(written), adopted):
            path.unlink()
        await watch.until(lambda: sum(len(ids) for _, ids in watch.gone) == 3)
    assert {id for _, ids in watch.gone for id in ids} == {recovered.stem, written.message.id, adopted.stem}
    assert bench.channel.statistics()["taken"] == 3


async def test_what_we_do_ourselves_is_not_told(bench: Any, hurried_clock: Any) -> None:
    """Neither what is delivered is adopted, nor what is retracted gone; not by the news, and not by a sweep."""
    async with watching(bench.channel) as watch:
        posts = [bench.post(to=f"agent-{number % 3}") for number in range(30)]
        await bench.channel.deliver(posts)
        await bench.channel.deliver([Retraction(post.message.to, post.message.id) for post in posts[:15]])
        await see_everything(bench, watch)
        await trio.sleep(7)
        await see_everything(bench, watch)
    assert {message.to for message in watch.adopted} == {"marker"}
    assert watch.gone == []


async def test_what_was_recovered_is_not_told_again(bench: Any) -> None:
    """Nor what lies there for agents that were not to be recovered."""
    for to in ("a", "b"):
        bench.write_file(to)
    assert len(await bench.recover(["a"])) == 1
    async with watching(bench.channel) as watch:
        await see_everything(bench, watch)
        later = bench.write_file("b")
        await watch.until(lambda: later.stem in watch.ids())
    assert len(watch.adopted) == 2


async def test_a_folder_that_vanishes_acknowledges_nothing(bench: Any) -> None:
    """Moved away whole, or with another one in its place at once."""
    await bench.channel.deliver([bench.post(to=to) for to in ("away", "replaced")])
    async with watching(bench.channel) as watch:
        for name in ("away", "replaced"):
            (bench.inbox / name).rename(bench.root / name)
        (bench.inbox / "replaced").mkdir()
        await see_everything(bench, watch)
        assert watch.gone == []
        (bench.root / "away").rename(bench.inbox / "away")
        path = next((bench.inbox / "away").iterdir())
        await watch.until(lambda: path.stem in watch.ids())
        path.unlink()
        await watch.until(lambda: watch.gone == [("away", [path.stem])])


async def test_the_first_file_of_all_is_found_as_quickly(bench: Any) -> None:
    """The inbox itself is missing until then, and watching does not make it."""
    times = []
    for number in range(4):
        async with watching(bench.channel) as watch:
            assert not bench.inbox.exists()
            begun = trio.current_time()
            path = bench.write_file()
            await watch.until(lambda path=path: path.stem in watch.ids())  # type: ignore[misc]
            times.append(trio.current_time() - begun)
        bench.inbox.rename(bench.root / f"elsewhere-{number}")
    assert min(times) < 0.05


async def test_the_inbox_may_vanish_and_come_back(bench: Any, hurried_clock: Any) -> None:
    """Nothing is acknowledged by that, and what is in the new one is found."""
    await bench.channel.deliver([bench.post()])
    async with watching(bench.channel) as watch:
        bench.inbox.rename(bench.root / "elsewhere")
        await trio.sleep(7)
        path = bench.write_file("other")
        await watch.until(lambda: path.stem in watch.ids())
    assert watch.gone == []


async def test_a_directory_that_cannot_be_listed_acknowledges_nothing(bench: Any) -> None:
    """Here a file is in its place."""
    await bench.channel.deliver([bench.post()])
    async with watching(bench.channel) as watch:
        (bench.inbox / "agent-42").rename(bench.root / "away")
        (bench.inbox / "agent-42").touch()
        await see_everything(bench, watch)
    assert watch.gone == []


async def test_what_could_not_be_written_is_not_gone(bench: Any) -> None:
    """While a delivery is being tried again, its file may come and go."""
    post = bench.post()
    await bench.channel.deliver([post])
    async with watching(bench.channel) as watch:
        bench.path(post).unlink()
        await watch.until(lambda: len(watch.gone) == 1)
        bench.path(post).mkdir()
        [outcome] = await bench.channel.deliver([post])
        assert isinstance(outcome, Failed)
        bench.path(post).rmdir()
        bench.write_file(id=post.message.id).unlink()
        await see_everything(bench, watch)
        assert len(watch.gone) == 1
        await bench.channel.deliver([post])
        bench.path(post).unlink()
        await watch.until(lambda: len(watch.gone) == 2)
    assert post.message.id not in watch.ids()


@pytest.mark.parametrize(
    ("folders", "files"), [(50, 20), pytest.param(250, 40, marks=pytest.mark.slow)], ids=["2,000", "20,000"]
)
async def test_bursts_are_complete(bench: Any, folders: int, files: int) -> None:
    """Two processes write at the same time, into folders that they make."""
    async with watching(bench.channel) as watch:
        await trio.to_thread.run_sync(lambda: run_writers(bench.inbox, folders=folders, files=files, writers=2))
        await watch.until(lambda: len(watch.adopted) >= 2 * folders * files)
    assert len(watch.ids()) == len(watch.adopted) == 2 * folders * files
    assert watch.gone == []


async def test_a_half_written_file_is_adopted_once_it_is_whole(bench: Any) -> None:
    """Somebody who does not rename is waited for, and nothing is said about it."""
    async with watching(bench.channel) as watch:
        path = bench.write_file()
        text = path.read_text()
        path.write_text(text[:40])
        await see_everything(bench, watch)
        watch.adopted.clear()
        half = path.with_name("00000000000000ff.json")
        half.write_text(text[:40])
        await see_everything(bench, watch)
        half.write_text(json.dumps(json.loads(text) | {"id": half.stem}))
        await watch.until(lambda: half.stem in watch.ids())
    assert bench.channel.statistics()["left"] == {}


async def test_what_is_not_ours_is_left_counted_and_named_once(
    bench: Any, hurried_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As at recovery; a file that might be half written, once it has not changed for a while."""
    async with watching(bench.channel) as watch:
        good = bench.write_file()
        folder = good.parent
        (folder / "0000000000000bad.json").write_text("{")
        (folder / "notes.txt").touch()
        (bench.inbox / "two words").mkdir()
        (bench.inbox / "README").touch()
        os.mkfifo(folder / "000000000000000c.json")
        counts = {"damaged": 1, "foreign": 2, "invalid_name": 1, "special": 1}
        await watch.until(lambda: bench.channel.statistics()["left"] == counts)
        await trio.sleep(10)
    assert bench.channel.statistics()["left"] == counts
    assert len(caplog.records) == 5
    assert watch.ids() == {good.stem}
    assert len(list(folder.iterdir())) == 4


async def test_what_recovery_has_named_is_not_named_again(bench: Any, hurried_clock: Any) -> None:
    """Watching goes on where recovery has ended."""
    bench.write_file(content=...)
    await bench.recover()
    async with watching(bench.channel) as watch:
        await trio.sleep(10)
        await see_everything(bench, watch)
    assert bench.channel.statistics()["left"] == {"foreign": 1}


async def test_no_link_is_followed_and_the_others_are_found_by_looking(
    bench: Any, hurried_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A link below the inbox would lead the system's watches out of it; once it is gone, they begin."""
    outside = bench.root / "outside"
    bench.write_file("x").parent.rename(outside)
    link = bench.write_file("agent-42").parent / "link"
    link.symlink_to(outside)
    async with watching(bench.channel) as watch:
        assert "link' is in the way of watching" in caplog.text
        path = bench.write_file("other")
        await watch.until(lambda: path.stem in watch.ids())
        link.unlink()
        await trio.sleep(7)
    assert "x" not in {message.to for message in watch.adopted}


async def test_without_news_files_are_found_by_looking(
    bench: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As at the system's limit of watches: it is said once, and tried again."""
    tries = []

    def refuse(folder: str) -> None:
        tries.append(folder)
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("observatory_inbox.watching.Listener", refuse)
    async with watching(bench.channel) as watch:
        path = bench.write_file()
        await watch.until(lambda: path.stem in watch.ids())
        path.unlink()
        await watch.until(lambda: bool(watch.gone))
        await trio.sleep(7)
    assert len(tries) > 1
    assert len([record for record in caplog.records if "limit reached" in record.getMessage()]) == 1


async def test_a_name_that_is_not_utf_8_does_not_end_it(bench: Any, hurried_clock: Any) -> None:
    """The library that tells the news stumbles over it, and is started again."""
    async with watching(bench.channel) as watch:
        folder = bench.write_file().parent
        os.mkfifo(os.fsencode(folder) + b"/\xff.json")
        for _ in range(3):
            await see_everything(bench, watch)
            await trio.sleep(3)


async def test_watching_goes_on_where_it_has_failed(bench: Any) -> None:
    """What `adopt` refused is offered again when it is started again, and what came in between, too."""

    async def refuse(messages: Sequence[Message]) -> None:
        await trio.lowlevel.checkpoint()
        raise ConnectionError

    watch = Watch(bench.channel)
    with pytest.RaisesGroup(ConnectionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(bench.channel.watch, refuse, watch.take_gone)
            first = bench.write_file()
            await trio.sleep(PATIENCE)
    second = bench.write_file("other")
    async with watching(bench.channel) as watch:
        assert watch.ids() == {first.stem, second.stem}


async def test_cancelling_gives_everything_back(bench: Any) -> None:
    """At once, descriptors and the system's threads."""
    async with watching(bench.channel):
        pass
    descriptors, threads = (len(os.listdir(f"/proc/self/{folder}")) for folder in ("fd", "task"))
    async with watching(bench.channel):
        begun = trio.current_time()
    assert trio.current_time() - begun < 1
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert len(os.listdir("/proc/self/task")) <= threads


async def test_it_can_be_turned_off(bench: Any) -> None:
    """Then nobody asks the delivery channel to watch."""
    assert bench.channel.watches
    await bench.restart(InboxSettings(watch=False))
    assert not bench.channel.watches


async def test_two_processes_see_what_the_other_does(bench: Any) -> None:
    """Two delivery channels on one root: what one delivers the other adopts, and what one retracts is gone there."""
    other = InboxChannel(Context(bench.root, Clock(), PubSub(), None, {}, {}))
    await other.start()
    post = bench.post()
    async with watching(bench.channel) as here, watching(other) as there:
        await bench.channel.deliver([post])
        await there.until(lambda: there.adopted == [post.message])
        await bench.channel.deliver([Retraction("agent-42", post.message.id)])
        await there.until(lambda: there.gone == [("agent-42", [post.message.id])])
        await other.deliver([Post(post.message, 1)])
        await here.until(lambda: here.adopted == [post.message])
    await other.aclose()
    assert here.gone == []


async def test_removing_a_tree_of_mail_while_it_is_watched(bench: Any) -> None:
    """Watching survives it, and what comes afterwards is found."""
    await bench.channel.deliver([bench.post(to=f"agent-{number % 20}") for number in range(1000)])
    async with watching(bench.channel) as watch:
        await trio.to_thread.run_sync(shutil.rmtree, bench.inbox)
        path = bench.write_file("later")
        await watch.until(lambda: path.stem in watch.ids())
