"""Appending to team inboxes: the entries, what stays of the others, caps, and inboxes that cannot be read."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox import InboxSettings

from observatory import Done, Failed, Outcome, Retraction, Settings, open_observatory

WRITTEN = Done("written", "flushed")
BOB = "bob@night-shift"


def error_of(outcome: Outcome, *, permanent: bool) -> str:
    """Return the error of an outcome that must be a failure."""
    assert isinstance(outcome, Failed)
    assert outcome.permanent is permanent
    return outcome.error


@pytest.fixture
def inbox(bench: Any) -> Path:
    """Return the path of a member's inbox, of which there is only the team."""
    path: Path = bench.team("bob", "al.ice") / "inboxes/bob.json"
    return path


@pytest.fixture
def filled(inbox: Path) -> Path:
    """Return the path of a member's inbox with entries that nobody here would write."""
    inbox.parent.mkdir()
    inbox.write_bytes(FOREIGN)
    return inbox


FOREIGN = (
    b'\t[ {"from":"lead", "text" : "gr\xc3\xbc\xc3\x9fe \\ud83d", "n": 1.50, "read":true, "read":false},\r\n'
    b'7, null,{"msg_id":12},\n  {\n    "nested": [{"a": []}]}\n\n] \n'
)


@pytest.fixture
def before_lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that has something done every time that the lock is about to be taken."""

    def arrange(step: Callable[[], object]) -> None:
        mkdir = os.mkdir

        def spy(path: Any, *args: Any, **options: Any) -> None:
            if str(path).endswith(".lock"):
                step()
            mkdir(path, *args, **options)

        monkeypatch.setattr(os, "mkdir", spy)

    return arrange


async def test_an_entry_has_exactly_the_nine_fields(bench: Any, inbox: Any) -> None:
    """A new inbox is an array with the message's entry, beside the file of its own."""
    post = bench.post(to=BOB, content="Grüße\n  an alle")
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert json.loads(inbox.read_bytes()) == [
        {
            "from": "dashboard",
            "text": "Grüße\n  an alle",
            "summary": "Grüße an alle",
            "timestamp": f"{post.message.timestamp:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "color": "blue",
            "msgV": 1,
            "msg_id": post.message.id,
            "type": "message",
            "read": False,
        }
    ]
    assert bench.path(post).is_file()


async def test_the_layout_is_that_of_claude_code(bench: Any, inbox: Any) -> None:
    """Two spaces of indentation, and letters of other alphabets as they are."""
    await bench.channel.deliver([bench.post(to=BOB, content="ü"), bench.post(to=BOB)])
    assert inbox.read_text() == json.dumps(json.loads(inbox.read_bytes()), indent=2, ensure_ascii=False)


async def test_a_sender_in_the_team_keeps_its_colour(bench: Any, inbox: Any) -> None:
    """The colour is that of the member who sends."""
    bench.team("bob", {"name": "dashboard", "color": "purple"})
    await bench.channel.deliver([bench.post(to=BOB)])
    assert json.loads(inbox.read_bytes())[0]["color"] == "purple"


async def test_a_long_content_has_a_short_summary(bench: Any, inbox: Any) -> None:
    """The text is whole, the summary one line of at most 80 characters."""
    await bench.channel.deliver([bench.post(to=BOB, content="word\n" * 1_000)])
    (entry,) = json.loads(inbox.read_bytes())
    assert entry["text"] == "word\n" * 1_000
    assert entry["summary"] == ("word " * 20)[:79] + "…"


async def test_what_others_wrote_keeps_its_bytes(bench: Any, filled: Any) -> None:
    """Unknown fields, odd formatting, numbers, escapes, doubled keys: all bytes up to the last entry stay."""
    assert await bench.channel.deliver([bench.post(to=BOB)]) == [WRITTEN]
    entries, _, end = FOREIGN.rpartition(b"]")
    assert filled.read_bytes().startswith(entries.rstrip() + b",\n  {\n")
    assert filled.read_bytes().endswith(b"\n  }\n]" + end)
    assert len(json.loads(filled.read_bytes())) == 6


@pytest.mark.parametrize("empty", ["[]", "[ ]\n", " [\n\n] "])
async def test_an_empty_array_takes_entries(bench: Any, filled: Any, empty: str) -> None:
    """However it is written."""
    filled.write_text(empty)
    await bench.channel.deliver([bench.post(to=BOB), bench.post(to=BOB)])
    assert len(json.loads(filled.read_bytes())) == 2


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660])
async def test_the_mode_of_an_inbox_stays(bench: Any, filled: Any, mode: int) -> None:
    """Whoever could read it can still read it."""
    filled.chmod(mode)
    await bench.channel.deliver([bench.post(to=BOB)])
    assert stat.S_IMODE(filled.stat().st_mode) == mode


async def test_a_new_inbox_is_its_owners_alone(bench: Any, inbox: Any) -> None:
    """The folder is 0700 and the file 0600."""
    await bench.channel.deliver([bench.post(to=BOB)])
    assert stat.S_IMODE(inbox.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(inbox.stat().st_mode) == 0o600


async def test_a_batch_is_one_rewrite(bench: Any, filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many messages to one inbox are appended together, in their order."""
    renamed: list[str] = []
    rename = os.rename

    def spy(old: str, new: str, **directories: int) -> None:
        renamed.append(new)
        rename(old, new, **directories)

    monkeypatch.setattr(os, "rename", spy)
    posts = [bench.post(to=BOB) for _ in range(50)]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 50
    assert renamed == ["bob.json"]
    ids = [entry["msg_id"] for entry in json.loads(filled.read_bytes())[5:]]
    assert ids == [post.message.id for post in posts]


async def test_a_message_is_appended_once(bench: Any, inbox: Any) -> None:
    """Delivered again in one batch, in a later one and after a restart, it is there once."""
    post, other = bench.post(to=BOB), bench.post(to=BOB)
    await bench.channel.deliver([post, post])
    await bench.channel.deliver([post])
    await bench.restart()
    assert await bench.channel.deliver([post, other]) == [WRITTEN] * 2
    ids = [entry["msg_id"] for entry in json.loads(inbox.read_bytes())]
    assert ids == [post.message.id, other.message.id]


async def test_nothing_is_left_beside_the_inbox(bench: Any, filled: Any) -> None:
    """Neither the lock nor a temporary file remains."""
    await bench.channel.deliver([bench.post(to=BOB)])
    assert os.listdir(filled.parent) == ["bob.json"]


async def test_a_retraction_leaves_the_entry(bench: Any, inbox: Any) -> None:
    """Only the file goes away, and it does so even when the team has ended."""
    post = bench.post(to=BOB)
    await bench.channel.deliver([post])
    before = inbox.read_bytes()
    assert isinstance((await bench.channel.deliver([Retraction(BOB, post.message.id)]))[0], Done)
    assert not bench.path(post).exists()
    assert inbox.read_bytes() == before
    second = bench.post(to=BOB)
    await bench.channel.deliver([second])
    shutil.rmtree(inbox.parents[1])
    assert isinstance((await bench.channel.deliver([Retraction(BOB, second.message.id)]))[0], Done)
    assert not bench.path(second).exists()


async def test_a_file_that_fails_after_the_append_fails_the_delivery(bench: Any, inbox: Any) -> None:
    """The next attempt writes the file and finds the entry."""
    post = bench.post(to=BOB)
    bench.path(post).mkdir(parents=True)  # a file cannot be renamed over it
    (outcome,) = await bench.channel.deliver([post])
    assert isinstance(outcome, Failed)
    bench.path(post).rmdir()
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert len(json.loads(inbox.read_bytes())) == 1


@pytest.mark.parametrize(("changes", "attempts"), [(1, 1), (100, 3)])
async def test_what_another_writer_adds_before_the_lock_is_taken_stays(
    bench: Any, filled: Any, before_lock: Callable[[Callable[[], object]], None], changes: int, attempts: int
) -> None:
    """The inbox is read again when it has changed; where it always has, the third attempt holds the lock meanwhile."""
    left = iter(range(changes))
    filled.write_text("[]")

    def change() -> None:
        if next(left, None) is not None:
            filled.write_text(json.dumps([*json.loads(filled.read_bytes()), {"from": "lead"}]))

    before_lock(change)
    post = bench.post(to=BOB)
    outcomes = [(await bench.channel.deliver([post]))[0] for _ in range(attempts)]
    assert all("was changed by others" in error_of(outcome, permanent=False) for outcome in outcomes[:-1])
    assert outcomes[-1] == WRITTEN
    *others, ours = json.loads(filled.read_bytes())
    assert ours["from"] == "dashboard"
    assert others == [{"from": "lead"}] * (changes - len(list(left)))
    assert others
    assert os.listdir(filled.parent) == ["bob.json"]


async def test_an_inbox_that_is_half_written_without_the_lock_is_read_again_under_it(
    bench: Any, filled: Any, before_lock: Callable[[Callable[[], object]], None]
) -> None:
    """Others write in place while they hold the lock: what is read meanwhile says nothing."""
    filled.write_text('[{"from": "le')
    before_lock(lambda: filled.write_text('[{"from": "lead"}]'))
    assert await bench.channel.deliver([bench.post(to=BOB)]) == [WRITTEN]
    assert [entry["from"] for entry in json.loads(filled.read_bytes())] == ["lead", "dashboard"]


async def test_receipts_and_dead_letters_tell(tmp_path: Path) -> None:
    """Through the whole of Observatory: a member gets the message, a stranger's is a dead letter with the reason."""
    team = trio.Path(tmp_path / "teams/night-shift")
    await team.mkdir(parents=True)
    await (team / "config.json").write_text('{"members": [{"name": "bob"}]}')
    async with open_observatory(Settings(root=tmp_path)) as observatory:
        states = [
            (await observatory.mailbox.send_message(to, "dashboard", "hello")).deliveries["inbox"].state
            for to in (BOB, "rob@night-shift")
        ]
        (letter,) = observatory.dead_letters()
    assert states == ["written", "dead"]
    assert "did you mean 'bob@night-shift'?" in letter.error
    assert len(json.loads(await (team / "inboxes/bob.json").read_bytes())) == 1


async def test_fsynced_covers_the_team_inbox(bench: Any, inbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is synced before the rename and the folders after it; found there already, all are synced again."""
    await bench.restart(InboxSettings(durability="fsynced"))
    steps: list[object] = []
    fsync, rename = os.fsync, os.rename

    def spy_fsync(descriptor: int) -> None:
        steps.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def spy_rename(old: str, new: str, **directories: int) -> None:
        rename(old, new, **directories)
        steps.append(new)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "rename", spy_rename)
    post = bench.post(to=BOB)
    assert await bench.channel.deliver([post]) == [Done("written", "fsynced")]
    file, folders = inbox.stat().st_ino, [inbox.parent.stat().st_ino, inbox.parents[1].stat().st_ino]
    assert steps[:4] == [file, "bob.json", *folders]
    steps.clear()
    assert await bench.channel.deliver([post]) == [Done("written", "fsynced")]
    assert steps[:3] == [file, *folders]
