"""Writing and removing files."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
import trio

from observatory import Done, Dropped, Failed, Outcome, Retraction

WRITTEN = Done("written", "flushed")


def error_of(outcome: Outcome, *, permanent: bool = False) -> str:
    """Return the error of an outcome that must be a failure, permanent or worth another attempt."""
    assert isinstance(outcome, Failed)
    assert outcome.permanent == permanent
    return outcome.error


@pytest.fixture
def set_umask() -> Iterator[Callable[[int], int]]:
    """Return `os.umask`, and put the umask back in the end."""
    umask = os.umask(0o077)
    os.umask(umask)
    yield os.umask
    os.umask(umask)


async def test_a_file_has_exactly_the_eight_fields(bench: Any) -> None:
    """The file is the JSON object that UC-0052 describes."""
    post = bench.post(content="grüße\n\0", type="task", metadata=MappingProxyType({"a": [1, {"b": None}]}))
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert json.loads(bench.path(post).read_bytes()) == {
        "type": "message",
        "from": "dashboard",
        "content": "grüße\n\0",
        "message_type": "task",
        "metadata": {"a": [1, {"b": None}]},
        "id": post.message.id,
        "session_id": "agent-42",
        "timestamp": post.message.timestamp.isoformat(),
    }


async def test_the_timestamp_is_iso_8601_in_utc(bench: Any) -> None:
    """A reader that knows only ISO 8601 gets the message's time back."""
    post = bench.post()
    await bench.channel.deliver([post])
    moment = datetime.fromisoformat(json.loads(bench.path(post).read_bytes())["timestamp"])
    assert moment == post.message.timestamp
    assert moment.tzinfo == UTC


async def test_nothing_but_the_messages_is_left(bench: Any) -> None:
    """No temporary file remains after a batch."""
    posts = [bench.post(to=name) for name in ("a", "b", "a", "c+team")]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 4
    assert bench.files() == sorted(str(bench.path(post).relative_to(bench.inbox)) for post in posts)


async def test_a_reader_sees_a_file_whole_or_not_at_all(bench: Any) -> None:
    """Whoever polls the folder meanwhile never meets half a message."""
    posts = [bench.post(content="x" * 1_000_000) for _ in range(50)]
    folder = bench.inbox / "agent-42"
    folder.mkdir(parents=True)
    reading, ended = threading.Event(), threading.Event()
    lengths: dict[str, int] = {}

    def poll() -> None:
        last = False
        while not last:
            last = ended.is_set()
            reading.set()
            for name in os.listdir(folder):
                if name not in lengths and not name.startswith("."):
                    lengths[name] = len(json.loads((folder / name).read_bytes())["content"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, poll)
        await trio.to_thread.run_sync(reading.wait)
        try:
            assert [await bench.channel.deliver([post]) for post in posts] == [[WRITTEN]] * len(posts)
        finally:
            ended.set()
    assert lengths == {f"{post.message.id}.json": 1_000_000 for post in posts}


async def test_the_same_id_again_is_there_once(bench: Any) -> None:
    """A post that is delivered again replaces its file."""
    post = bench.post()
    assert await bench.channel.deliver([post, post]) == [WRITTEN] * 2
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert len(bench.files()) == 1


@pytest.mark.parametrize("umask", [0o000, 0o777])
async def test_modes_do_not_depend_on_the_umask(bench: Any, set_umask: Callable[[int], int], umask: int) -> None:
    """Directories are 0700 and files 0600."""
    posts = [bench.post(to=name) for name in ("a", "a", "b")]
    set_umask(umask)
    outcomes = await bench.channel.deliver(posts)
    set_umask(0o022)
    assert outcomes == [WRITTEN] * 3
    for post in posts:
        assert stat.S_IMODE(bench.path(post).stat().st_mode) == 0o600
        assert stat.S_IMODE(bench.path(post).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(bench.inbox.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "../a", "/etc", "a\\b", "a\n", "a\0", "a b", "ä", "\udcff", "a" * 129, "a:b"],
)
async def test_a_name_that_is_not_allowed_fails_for_good(bench: Any, name: str) -> None:
    """Posts and retractions for such a recipient touch nothing, and the others are carried out."""
    good = bench.post()
    outcomes = await bench.channel.deliver([bench.post(to=name), Retraction(name, "0" * 16), good])
    assert [isinstance(outcome, Failed) and outcome.permanent for outcome in outcomes] == [True, True, False]
    assert outcomes[2] == WRITTEN
    assert bench.files() == [f"agent-42/{good.message.id}.json"]
    assert os.listdir(bench.root) == ["inbox"]


@pytest.mark.parametrize("name", ["a", "a" * 128, "@agent", "a.b", "agent@", "-rf", "+1", "_", "agent.json", "x..y"])
async def test_every_allowed_name_is_a_directory(bench: Any, name: str) -> None:
    """What the rule allows works as a directory's name."""
    post = bench.post(to=name)
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert bench.path(post).is_file()


@pytest.mark.parametrize(
    "id", ["", "../../../evil", "0" * 15, "0" * 17, "0" * 15 + "G", "0" * 15 + "A", "0" * 16 + "\n"]
)
async def test_an_id_that_is_not_allowed_fails_for_good(bench: Any, id: str) -> None:
    """An id names a file, and is checked like a name."""
    outcomes = await bench.channel.deliver([bench.post(id=id), Retraction("agent-42", id)])
    assert [isinstance(outcome, Failed) and outcome.permanent for outcome in outcomes] == [True, True]
    assert not bench.inbox.exists()


async def test_what_json_cannot_hold_fails_for_good_and_alone(bench: Any) -> None:
    """Such a post holds no later one of its recipient back."""
    outcomes = await bench.channel.deliver([bench.post(content="\ud800"), bench.post()])
    assert isinstance(outcomes[0], Failed)
    assert outcomes[0].permanent
    assert outcomes[1] == WRITTEN


async def test_a_recipient_that_is_a_symbolic_link_is_refused(bench: Any) -> None:
    """Nothing is written where the link leads, and the error says what to do."""
    elsewhere = bench.root / "elsewhere"
    elsewhere.mkdir()
    bench.inbox.mkdir()
    (bench.inbox / "agent-42").symlink_to(elsewhere)
    outcomes = await bench.channel.deliver([bench.post(), Retraction("agent-42", "0" * 16)])
    assert all("is a symbolic link" in error_of(outcome, permanent=True) for outcome in outcomes)
    assert list(elsewhere.iterdir()) == []


async def test_an_inbox_that_is_a_symbolic_link_is_refused(bench: Any) -> None:
    """The folder of all inboxes is held to the same rule."""
    elsewhere = bench.root / "elsewhere"
    elsewhere.mkdir()
    bench.inbox.symlink_to(elsewhere)
    (outcome,) = await bench.channel.deliver([bench.post()])
    assert "is a symbolic link" in error_of(outcome, permanent=True)
    assert list(elsewhere.iterdir()) == []


async def test_a_link_in_the_place_of_a_message_is_replaced_and_not_followed(bench: Any) -> None:
    """The rename puts a file there and leaves the target as it was."""
    post = bench.post()
    target = bench.root / "target"
    target.write_text("precious")
    bench.path(post).parent.mkdir(parents=True)
    bench.path(post).symlink_to(target)
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert not bench.path(post).is_symlink()
    assert target.read_text() == "precious"


async def test_a_file_in_the_place_of_a_directory_fails_until_it_is_moved_away(bench: Any) -> None:
    """The same posts work once the recipient's directory can be made; other recipients work all along."""
    bench.inbox.mkdir()
    (bench.inbox / "agent-42").write_text("in the way")
    posts = [bench.post(), bench.post(to="other"), bench.post()]
    outcomes = await bench.channel.deliver(posts)
    assert "is not a directory" in error_of(outcomes[0], permanent=True)
    assert outcomes[1] == WRITTEN
    assert outcomes[2] == outcomes[0]
    (bench.inbox / "agent-42").unlink()
    assert await bench.channel.deliver([posts[0], posts[2]]) == [WRITTEN] * 2


async def test_later_jobs_of_a_recipient_are_not_tried_after_a_failure(bench: Any) -> None:
    """They fail with the same error, so that order is kept."""
    first, second, third = bench.post(), bench.post(), bench.post()
    await bench.channel.deliver([first])
    bench.path(second).mkdir()  # a file cannot be renamed over it
    outcomes = await bench.channel.deliver([second, third, Retraction("agent-42", first.message.id)])
    assert str(bench.path(second)) in error_of(outcomes[0])
    assert outcomes[1:] == [outcomes[0]] * 2
    assert bench.files() == [f"agent-42/{first.message.id}.json"]


async def test_a_file_in_the_place_of_the_inbox_fails_every_recipient(bench: Any) -> None:
    """Every job says what stands in the way; a drop marker asks for nothing and is done."""
    bench.inbox.write_text("in the way")
    outcomes = await bench.channel.deliver([bench.post("a"), Dropped(3), bench.post("b")])
    assert "is not a directory" in error_of(outcomes[0], permanent=True)
    assert isinstance(outcomes[1], Done)
    assert outcomes[2] == outcomes[0]


async def test_a_directory_that_vanished_is_made_again(bench: Any) -> None:
    """Removing folders between two batches loses nothing but what was in them."""
    await bench.channel.deliver([bench.post()])
    shutil.rmtree(bench.inbox)
    post = bench.post()
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert bench.path(post).is_file()


async def test_a_directory_that_was_moved_away_gets_no_more_files(bench: Any) -> None:
    """The next batch goes to the directory that has the recipient's name."""
    await bench.channel.deliver([bench.post()])
    moved = (bench.inbox / "agent-42").rename(bench.root / "moved")
    await bench.channel.deliver([bench.post()])
    assert len(list(moved.iterdir())) == 1
    assert len(bench.files()) == 1


async def test_a_retraction_removes_the_file(bench: Any) -> None:
    """In one batch with its post, and in a later one."""
    first, second = bench.post(), bench.post()
    outcomes = await bench.channel.deliver([first, second, Retraction("agent-42", first.message.id)])
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert bench.files() == [f"agent-42/{second.message.id}.json"]
    await bench.channel.deliver([Retraction("agent-42", second.message.id)])
    assert bench.files() == []


async def test_retracting_what_is_not_there_is_done_and_makes_nothing(bench: Any) -> None:
    """Neither the file, nor the recipient's directory, nor the inbox has to be there."""
    retraction = Retraction("agent-42", "0" * 16)
    for folder in (bench.root, bench.inbox, bench.inbox / "agent-42"):
        folder.mkdir(exist_ok=True)
        (outcome,) = await bench.channel.deliver([retraction])
        assert isinstance(outcome, Done)
        assert list(folder.iterdir()) == []
