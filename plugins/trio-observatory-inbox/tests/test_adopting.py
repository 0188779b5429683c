"""What other processes put into the inbox and take from it, while this one runs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from observatory_inbox import InboxChannel, InboxSettings

from observatory import Clock, Context, Failed, Message, Post, PubSub, Retraction


async def test_a_file_of_another_process_is_adopted(bench: Any) -> None:
    """In a directory that was there, and in one that is made for it."""
    (bench.inbox / "there").mkdir(parents=True)
    async with bench.watching() as watch:
        paths = [bench.write_file(to, **{"from": "writer"}) for to in ("there", "new")]
        await watch.until(lambda: watch.ids() == {path.stem for path in paths})
    assert [message.from_ for message in watch.adopted] == ["writer", "writer"]
    assert bench.channel.statistics()["adopted"] == 2


async def test_a_file_whose_name_is_no_id_is_not_adopted(bench: Any) -> None:
    """Although there is a message in it that says it has that id."""
    (bench.inbox / "agent-42").mkdir(parents=True)
    async with bench.watching() as watch:
        bench.write_file(id="no-id")
        path = bench.write_file()
        await watch.until(lambda: path.stem in watch.ids())
    assert watch.ids() == {path.stem}


async def test_a_file_that_its_reader_removes_is_gone(bench: Any) -> None:
    """Whether this process has written, recovered or adopted it."""
    recovered = bench.write_file()
    await bench.recover()
    await bench.channel.deliver([written := bench.post()])
    async with bench.watching() as watch:
        adopted = bench.write_file()
        await watch.until(lambda: bool(watch.adopted))
        for path in (recovered, bench.path(written), adopted):
            path.unlink()
        await watch.until(lambda: sum(len(ids) for _, ids in watch.gone) == 3)
    assert {id for _, ids in watch.gone for id in ids} == {recovered.stem, written.message.id, adopted.stem}
    assert bench.channel.statistics()["taken"] == 3


async def test_a_file_that_is_removed_while_it_is_recovered_is_gone(bench: Any) -> None:
    """Its message was read before; watching notices."""
    path = bench.write_file()

    async def adopt(messages: Sequence[Message]) -> None:
        await trio.lowlevel.checkpoint()
        path.unlink(missing_ok=True)

    await bench.channel.recover(None, adopt)
    async with bench.watching() as watch:
        await watch.until(lambda: watch.gone == [("agent-42", [path.stem])])


async def test_what_we_do_ourselves_is_not_told(bench: Any, hurried_clock: Any) -> None:
    """Neither what is delivered is adopted, nor what is retracted gone; not by the news, and not by a sweep."""
    async with bench.watching() as watch:
        posts = [bench.post(to=f"agent-{number % 3}") for number in range(30)]
        await bench.channel.deliver(posts)
        await bench.channel.deliver([Retraction(post.message.to, post.message.id) for post in posts[:15]])
        await bench.see_everything(watch)
        await trio.sleep(7)
        await bench.see_everything(watch)
    assert {message.to for message in watch.adopted} == {"marker"}
    assert watch.gone == []


async def test_what_was_recovered_is_not_told_again(bench: Any) -> None:
    """Nor what lies there for agents that were not to be recovered."""
    for to in ("a", "b"):
        bench.write_file(to)
    assert len(await bench.recover(["a"])) == 1
    async with bench.watching() as watch:
        await bench.see_everything(watch)
        later = bench.write_file("b")
        await watch.until(lambda: later.stem in watch.ids())
    assert len(watch.adopted) == 2


async def test_a_folder_that_vanishes_acknowledges_nothing(bench: Any) -> None:
    """Moved away whole, or with another one in its place at once."""
    await bench.channel.deliver([bench.post(to=to) for to in ("away", "replaced")])
    async with bench.watching() as watch:
        for name in ("away", "replaced"):
            (bench.inbox / name).rename(bench.root / name)
        (bench.inbox / "replaced").mkdir()
        await bench.see_everything(watch)
        assert watch.gone == []
        (bench.root / "away").rename(bench.inbox / "away")
        path = next((bench.inbox / "away").iterdir())
        await watch.until(lambda: path.stem in watch.ids())
        path.unlink()
        await watch.until(lambda: watch.gone == [("away", [path.stem])])


async def test_a_directory_that_cannot_be_listed_acknowledges_nothing(bench: Any) -> None:
    """Here a file is in its place."""
    await bench.channel.deliver([bench.post()])
    async with bench.watching() as watch:
        (bench.inbox / "agent-42").rename(bench.root / "away")
        (bench.inbox / "agent-42").touch()
        await bench.see_everything(watch)
    assert watch.gone == []


async def test_what_could_not_be_written_is_not_gone(bench: Any) -> None:
    """While a delivery is being tried again, its file may come and go."""
    post = bench.post()
    await bench.channel.deliver([post])
    async with bench.watching() as watch:
        bench.path(post).unlink()
        await watch.until(lambda: len(watch.gone) == 1)
        bench.path(post).mkdir()
        [outcome] = await bench.channel.deliver([post])
        assert isinstance(outcome, Failed)
        bench.path(post).rmdir()
        bench.write_file(id=post.message.id).unlink()
        await bench.see_everything(watch)
        assert len(watch.gone) == 1
        await bench.channel.deliver([post])
        bench.path(post).unlink()
        await watch.until(lambda: len(watch.gone) == 2)
    assert post.message.id not in watch.ids()


@pytest.fixture
def slow_clock() -> trio.testing.MockClock:
    """Make Trio's time run a tenth as fast as files change: on a busy machine, too, a file has just been written."""
    return trio.testing.MockClock(rate=0.1)


async def test_a_half_written_file_is_adopted_once_it_is_whole(bench: Any, slow_clock: Any) -> None:
    """Somebody who does not rename is waited for, and nothing is said about it."""
    async with bench.watching() as watch:
        path = bench.write_file()
        text = path.read_text()
        half = path.with_name("00000000000000ff.json")
        half.write_text(text[:40])
        await bench.see_everything(watch)
        half.write_text(json.dumps(json.loads(text) | {"id": half.stem}))
        await watch.until(lambda: half.stem in watch.ids())
    assert bench.channel.statistics()["left"] == {}


async def test_what_is_not_ours_is_left_counted_and_named_once(
    bench: Any, hurried_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As at recovery; a file that might be half written, once it has not changed for a while."""
    async with bench.watching() as watch:
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
    async with bench.watching() as watch:
        await trio.sleep(10)
        await bench.see_everything(watch)
    assert bench.channel.statistics()["left"] == {"foreign": 1}


async def test_watching_goes_on_where_it_has_failed(bench: Any) -> None:
    """What `adopt` refused is offered again when it is started again, and what came in between, too."""

    async def refuse(messages: Sequence[Message]) -> None:
        await trio.lowlevel.checkpoint()
        raise ConnectionError

    async def nothing_is_gone(to: str, ids: Sequence[str]) -> None:
        await trio.lowlevel.checkpoint()
        raise AssertionError((to, ids))

    with pytest.RaisesGroup(ConnectionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(bench.channel.watch, refuse, nothing_is_gone)
            first = bench.write_file()
            await trio.sleep_forever()
    second = bench.write_file("other")
    async with bench.watching() as watch:
        assert watch.ids() == {first.stem, second.stem}


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
    async with bench.watching() as here, bench.watching(other) as there:
        await bench.channel.deliver([post])
        await there.until(lambda: there.adopted == [post.message])
        await bench.channel.deliver([Retraction("agent-42", post.message.id)])
        await there.until(lambda: there.gone == [("agent-42", [post.message.id])])
        await other.deliver([Post(post.message, 1)])
        await here.until(lambda: here.adopted == [post.message])
    await other.aclose()
    assert here.gone == []
