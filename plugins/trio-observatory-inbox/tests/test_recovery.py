"""Finding unread files after a restart, and leaving alone what is not ours."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox import InboxSettings
from observatory_inbox.mail import recovery

from observatory import Message


def left(bench: Any) -> dict[str, int]:
    """Return what the latest recovery has left, by reason."""
    counts: dict[str, int] = bench.channel.statistics()["left"]
    return counts


async def test_what_was_delivered_is_recovered_as_it_was(bench: Any) -> None:
    """Every field comes back, and the files stay until they are acknowledged."""
    posts = [bench.post(to=name, content=f"für {name}", type="task", metadata={"n": [1.5, None]}) for name in "ba"]
    await bench.channel.deliver(posts)
    await bench.restart()
    assert await bench.recover() == [posts[1].message, posts[0].message]
    assert bench.channel.statistics()["recovered"] == 2
    assert len(bench.files()) == 2


async def test_a_recipients_messages_come_oldest_first(bench: Any) -> None:
    """The time inside the file decides, and between equal times the id, whatever the file system says."""
    posts = [bench.post(id=f"{10 - number:016x}") for number in range(10)]
    await bench.channel.deliver(posts[::-1])
    assert await bench.recover() == [post.message for post in posts]
    for name in ("000000000000000c", "000000000000000b"):
        bench.write_file("twins", id=name, timestamp="2026-11-21T10:00:00Z")
    assert [message.id[-1] for message in await bench.recover(["twins"])] == ["b", "c"]


async def test_a_time_with_another_offset_becomes_utc(bench: Any) -> None:
    """Files that others wrote may state the same moment in their own way."""
    bench.write_file(id="000000000000000a", timestamp="2026-11-21T12:00:00+02:00")
    (message,) = await bench.recover()
    assert message.timestamp.isoformat() == "2026-11-21T10:00:00+00:00"


async def test_recovery_hands_over_batches(bench: Any) -> None:
    """Neither all at once, nor one by one; a batch may hold several recipients' messages."""
    posts = [bench.post(to=f"agent-{number % 50}") for number in range(1200)]
    await bench.channel.deliver(posts)
    batches = await bench.recover_batches()
    assert 1200 / 500 <= len(batches) <= 6
    assert max(len(batch) for batch in batches) <= 500
    assert {message.id for batch in batches for message in batch} == {post.message.id for post in posts}


async def test_only_the_named_agents_are_recovered(bench: Any) -> None:
    """Others are not even looked at; one without a directory has nothing."""
    await bench.channel.deliver([bench.post(to="a"), bench.post(to="b")])
    bench.write_file("b", content=...)
    assert [message.to for message in await bench.recover(["a", "nobody"])] == ["a"]
    assert left(bench) == {}
    assert await bench.recover([]) == []


async def test_a_missing_inbox_is_nothing_to_recover(bench: Any) -> None:
    """The first start finds nothing, and makes nothing."""
    assert await bench.recover() == []
    assert not bench.inbox.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b'{"type": "message", "from', "damaged"),
        (b"\xff\xfe", "damaged"),
        (b'{"content": NaN}', "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"[]", "foreign"),
        (b"{}", "foreign"),
        (b'{"type": "message"}', "foreign"),
    ],
)
async def test_a_damaged_file_is_left_and_counted(bench: Any, content: bytes, reason: str) -> None:
    """The good ones beside it are recovered."""
    good = bench.post()
    await bench.channel.deliver([good])
    path = bench.path(good).with_name("00000000000000ff.json")
    path.write_bytes(content)
    assert await bench.recover() == [good.message]
    assert left(bench) == {reason: 1}
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "response"},
        {"from": ...},
        {"from": 7},
        {"content": None},
        {"message_type": ["text"]},
        {"metadata": []},
        {"metadata": ...},
        {"session_id": "somebody-else"},
        {"id": "00000000000000ff", "name": "00000000000000fe.json"},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-11-21T10:00:00"},
        {"timestamp": "0001-01-01T00:00:00+10:00"},
        {"timestamp": 1_763_719_200},
        {"id": "not-an-id"},
        {"name": "notes.txt"},
        {"name": ".hidden"},
    ],
)
async def test_a_foreign_file_is_left_and_counted(bench: Any, changes: dict[str, Any]) -> None:
    """A file that cannot be a message of this directory is not adopted, and not touched."""
    path = bench.write_file(**changes)
    assert await bench.recover() == []
    assert left(bench) == {"foreign": 1}
    assert path.exists()


async def test_fields_beyond_the_eight_are_passed_over(bench: Any) -> None:
    """A later version, or another tool, may add what we do not know."""
    path = bench.write_file(summary="more", priority=3)
    assert [message.id for message in await bench.recover()] == [path.stem]


async def test_links_directories_and_pipes_are_left_and_never_waited_for(bench: Any) -> None:
    """Named like messages, they are recognised without being opened."""
    good = bench.write_file("other")
    folder = bench.inbox / "agent-42"
    folder.mkdir()
    (folder / "000000000000000a.json").symlink_to(good)
    (folder / "000000000000000b.json").mkdir()
    os.mkfifo(folder / "000000000000000c.json")
    os.mknod(folder / "000000000000000d.json", stat.S_IFSOCK)
    assert [message.to for message in await bench.recover()] == ["other"]
    assert left(bench) == {"symlink": 1, "directory": 1, "special": 2}
    assert len(list(folder.iterdir())) == 4


async def test_a_huge_file_is_left_unread(bench: Any) -> None:
    """The bound is a setting."""
    await bench.channel.deliver([bench.post(content="x" * 2000), small := bench.post()])
    await bench.restart(InboxSettings(max_file_bytes=1000))
    assert await bench.recover() == [small.message]
    assert left(bench) == {"huge": 1}


async def test_what_lies_beside_the_recipients_directories_is_left(bench: Any) -> None:
    """Files, links and directories whose names cannot be recipients'."""
    bench.write_file()
    (bench.inbox / "README").touch()
    (bench.inbox / "link").symlink_to("agent-42")
    (bench.inbox / ".quarantine").mkdir()
    (bench.inbox / "two words").mkdir()
    os.mkfifo(bench.inbox / "pipe")
    assert len(await bench.recover()) == 1
    assert left(bench) == {"foreign": 1, "symlink": 1, "invalid_name": 2, "special": 1}


async def test_a_directory_that_cannot_be_listed_is_left(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails; what lies in the others is recovered."""
    bad, good = bench.write_file("a"), bench.write_file("b")
    scandir = os.scandir

    def fail(directory: int) -> Any:
        if os.path.samestat(os.fstat(directory), bad.parent.stat()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(directory)

    monkeypatch.setattr(os, "scandir", fail)
    assert [message.id for message in await bench.recover()] == [good.stem]
    assert left(bench) == {"unreadable": 1}


async def test_a_named_agent_that_is_a_link_or_a_file_is_left(bench: Any) -> None:
    """Asking for it by name opens no door."""
    bench.write_file("real")
    (bench.inbox / "link").symlink_to("real")
    (bench.inbox / "file").touch()
    assert await bench.recover(["link", "file", "../real"]) == []
    assert left(bench) == {"symlink": 1, "foreign": 1, "invalid_name": 1}


async def test_an_inbox_that_is_a_link_is_left(bench: Any) -> None:
    """Nothing is recovered through it."""
    bench.write_file()
    bench.inbox.rename(bench.root / "moved")
    bench.inbox.symlink_to("moved")
    assert await bench.recover() == []
    assert left(bench) == {"symlink": 1}


async def test_whatever_is_left_is_named_in_the_log_once(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Control characters of a hostile name do not reach the log as they are."""
    path: Path = bench.write_file(name="\x1b[31m\nfake line")
    await bench.recover()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("observatory.inbox", "WARNING")
    assert repr(str(path)) in record.getMessage()
    assert "\n" not in record.getMessage()


async def test_old_temporary_files_are_swept_and_young_ones_left(bench: Any, later: Callable[[float], None]) -> None:
    """After 36 hours nobody is writing any more; a message's own age does not matter."""
    old, young = (bench.write_file(name=f".01234567-{number}.tmp") for number in (8, 9))
    message = bench.write_file()
    now = bench.clock.now().timestamp()
    later(36.1)
    for path, hours in ((old, 0), (young, -0.2), (message, 1000)):
        os.utime(path, (now - hours * 3600,) * 2)
    assert len(await bench.recover()) == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert bench.channel.statistics()["swept"] == 1
    assert left(bench) == {}


async def test_others_temporary_files_are_left(bench: Any, later: Callable[[float], None]) -> None:
    """A reader may have claimed mail by such a name."""
    names = [".claimed.tmp", ".claimed1-8.tmp", ".01234567-x.tmp", ".01234567-.tmp", ".012345678-9.tmp"]
    for name in names:
        bench.write_file(name=name)
    later(1000)
    assert await bench.recover() == []
    assert bench.files() == sorted(f"agent-42/{name}" for name in names)


async def test_what_was_renamed_a_moment_ago_is_in_hand(bench: Any) -> None:
    """However long ago it was written."""
    path = bench.write_file()
    os.utime(path, (0, 0))
    claimed = path.rename(path.with_name(".01234567-8.tmp"))
    assert await bench.recover() == []
    assert claimed.exists()


async def test_a_file_that_its_recipient_removes_meanwhile_is_passed_over(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory does not hold everything until it is in order, agents go on before files are read again."""
    monkeypatch.setattr(recovery, "MOST_HELD", 0)
    posts = [bench.post() for _ in range(600)]
    await bench.channel.deliver(posts)
    found: list[Message] = []

    async def adopt(batch: Any) -> None:
        await trio.lowlevel.checkpoint()
        found.extend(batch)
        bench.path(posts[-1]).unlink(missing_ok=True)

    await bench.channel.recover(None, adopt)
    assert found == [post.message for post in posts[:-1]]
    assert left(bench) == {}


async def test_recovery_can_be_cancelled_between_batches(bench: Any) -> None:
    """What was adopted stands, no descriptor is left open, and another recovery finds everything."""
    await bench.channel.deliver([bench.post() for _ in range(1200)])
    before = len(os.listdir("/proc/self/fd"))
    with trio.CancelScope() as scope:

        async def adopt(batch: Any) -> None:
            scope.cancel()
            await trio.lowlevel.checkpoint()

        await bench.channel.recover(None, adopt)
    assert scope.cancelled_caught
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(await bench.recover()) == 1200
