"""The checks `inbox` and `outbox`: what they find, and what their commands do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox import InboxSettings
from observatory_inbox.checks.inbox import InboxCheck
from observatory_inbox.checks.outbox import OutboxCheck

from observatory import Check, Context, Finding, MailboxSettings, PubSub
from observatory.testing import cancel_at_every_checkpoint

HOUR = 3600.0


async def examine(
    bench: Any, kind: Callable[[Context], Check], settings: InboxSettings | None = None, **bounds: Any
) -> Sequence[Finding]:
    """Return what a check finds, but for modes: the bench leaves them to the umask."""
    context = Context(bench.root, bench.clock, PubSub(), settings, {}, {}, MailboxSettings(**bounds))
    return [each for each in await kind(context).run() if " mode " not in each.problem]


async def paste(command: str) -> str:
    """Give a command to a shell that finds our own commands, and return what it prints."""
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    done = await trio.run_process(["bash", "-c", command], env=os.environ | {"PATH": path}, capture_stdout=True)
    printed: bytes = done.stdout
    return printed.decode()


def ago(seconds: float) -> str:
    """Return a timestamp."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def grow_old(path: Path, seconds: float) -> None:
    """Let a file be of another time."""
    os.utime(path, (time.time() - seconds,) * 2)


async def test_what_observatory_writes(bench: Any) -> None:
    """Nothing is wrong with it."""
    await bench.channel.deliver([bench.post(), bench.post("bob@+")])
    context = Context(bench.root, bench.clock, PubSub(), None, {}, {})
    assert await InboxCheck(context).run() == []


async def test_modes(bench: Any) -> None:
    """Folders and files are closed to others, and no link is followed; the command does the same."""
    outside = bench.root / "outside"
    outside.write_text("secret")
    for to in ("ann", "bob"):
        path = bench.write_file(to)
        path.chmod(0o644)
        path.parent.chmod(0o755)
        (path.parent / "link.json").symlink_to(outside)
    outside.chmod(0o644)
    bench.inbox.chmod(0o777)
    context = Context(bench.root, bench.clock, PubSub(), None, {}, {})
    found = [each for each in await InboxCheck(context).run() if " mode " in each.problem]
    assert len(found) == 5
    for finding in found:
        if "ann" in finding.subject:
            await paste(finding.remedy)
        elif finding.fix is not None:
            await finding.fix()
    assert {path.stat().st_mode & 0o777 for path in bench.inbox.glob("*/0*.json")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (bench.inbox, *bench.inbox.iterdir())} == {0o700}
    assert outside.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("age", "count"), [(6 * 24 * HOUR, 0), (8 * 24 * HOUR, 1)])
async def test_mail_that_nobody_reads(bench: Any, age: float, count: int) -> None:
    """The oldest message tells for how long."""
    for each in (0, 0, age, 0, 0):
        bench.write_file(timestamp=ago(each))
    assert len(await examine(bench, InboxCheck)) == count


async def test_how_long_is_a_setting(bench: Any) -> None:
    """In seconds."""
    bench.write_file(timestamp=ago(20))
    assert len(await examine(bench, InboxCheck, InboxSettings(orphan_age=10))) == 1


@pytest.mark.parametrize("to", ["bob", "-bob"])
async def test_the_command_lists_all_and_acknowledges_nothing(bench: Any, to: str) -> None:
    """It works when it is pasted, whatever the agent is called; what was read is for somebody to decide."""
    paths = [bench.write_file(to, timestamp=ago(8 * 24 * HOUR)) for _ in range(150)]
    (old,) = await examine(bench, InboxCheck)
    (full, _) = await examine(bench, InboxCheck, max_messages=150)
    assert old.remedy == full.remedy
    advice, command = old.remedy.split(": ")
    assert "with the settings that the service runs with" in advice
    assert {line.split("\t")[0] for line in (await paste(command)).splitlines()} == {path.stem for path in paths}
    assert len(bench.files()) == 150


@pytest.mark.parametrize(
    ("count", "problems"),
    [
        (8, []),
        (9, ["9 unread messages, and a mailbox holds 10 (mailbox.max_messages)"]),
        (12, ["12 unread messages, and a mailbox holds 10 (mailbox.max_messages): 2 are left behind in files"]),
    ],
)
async def test_inboxes_that_fill_up(bench: Any, count: int, problems: list[str]) -> None:
    """From nine tenths of a mailbox's bound on."""
    for _ in range(count):
        bench.write_file()
    assert [each.problem for each in await examine(bench, InboxCheck, max_messages=10)] == problems


async def test_large_messages_fill_an_inbox(bench: Any) -> None:
    """The bound in bytes counts, too."""
    bench.write_file(content="x" * 5000)
    (finding,) = await examine(bench, InboxCheck, max_bytes=6000)
    assert "unread bytes, and a mailbox holds 6,000 (mailbox.max_bytes)" in finding.problem


async def test_temporary_files(bench: Any, later: Callable[[float], None]) -> None:
    """Old ones of ours are removed, and nothing else; the command does the same."""
    others = [".claimed.tmp", ".claimed1-8.tmp", ".01234567-x.tmp", ".01234567-8x.tmp", ".01234567-8.x"]
    young = ".01234567-9.tmp"
    for to in "ab":
        for name in (".01234567-8.tmp", *others):
            grow_old(bench.write_file(to, name), 37 * HOUR)
        grow_old(bench.write_file(to, young), -HOUR)
    later(36.5)
    first, second = [each for each in await examine(bench, InboxCheck) if each.fix]
    assert first.fix is not None
    await first.fix()
    await paste(second.remedy)
    assert len(bench.files()) == 13  # for the shell's clock it was named a moment ago
    await paste(second.remedy.replace("-cmin +2160", ""))
    assert bench.files() == [f"{to}/{name}" for to in "ab" for name in sorted([*others, young])]


async def test_what_was_renamed_a_moment_ago_is_in_hand(bench: Any) -> None:
    """However long ago it was written."""
    grow_old(path := bench.write_file("bob"), 40 * HOUR)
    path.rename(path.with_name(".01234567-8.tmp"))
    assert await examine(bench, InboxCheck) == []


@pytest.mark.parametrize(("ahead", "count"), [(30, 0), (3600, 1)])
async def test_messages_of_a_time_to_come(bench: Any, ahead: float, count: int) -> None:
    """A clock that is a little behind has not gone backwards."""
    bench.write_file(timestamp=ago(-ahead))
    found = await examine(bench, InboxCheck)
    assert ["of a time to come" in each.problem for each in found] == [True] * count


async def test_one_file_stands_for_many(bench: Any) -> None:
    """The first by its name, however the folder lists them."""
    for number in range(20, 0, -1):
        bench.write_file(id=f"{number:016x}", timestamp=ago(-HOUR))
    (finding,) = await examine(bench, InboxCheck)
    assert f"20 files such as '{1:016x}.json'" in finding.problem


async def test_what_is_not_named_like_a_recipient(bench: Any) -> None:
    """Nothing in it can be anybody's mail."""
    bench.write_file("no name")
    (finding,) = await examine(bench, InboxCheck)
    assert (finding.subject, finding.problem) == (str(bench.inbox / "no name"), "is not named like a recipient")


async def test_files_that_may_be_half_written(bench: Any) -> None:
    """What was changed a moment ago is not judged yet."""
    path = bench.write_file()
    path.write_text("{")
    assert await examine(bench, InboxCheck) == []
    grow_old(path, 5)
    (finding,) = await examine(bench, InboxCheck)
    assert "damaged" in finding.problem


async def test_files_that_are_too_large(bench: Any) -> None:
    """They are not adopted."""
    grow_old(bench.write_file(content="x" * 2000), 5)
    (finding,) = await examine(bench, InboxCheck, InboxSettings(max_file_bytes=1000))
    assert finding.problem == "cannot be adopted (huge): more than 1,000 bytes"


async def test_the_command_moves_away(bench: Any) -> None:
    """A name cannot do anything to whoever pastes the command, and nothing is overwritten."""
    name = "\x1b[2J\n$(touch owned)'`\udcff.json"
    bench.write_file("bob", name)
    (finding,) = await examine(bench, InboxCheck)
    await paste(finding.remedy)
    assert bench.files() == []
    (aside,) = (bench.root / "observatory" / "aside").iterdir()
    assert aside.name == f"inbox-bob-{name}"
    bench.write_file("bob", name, content="another")
    await paste(finding.remedy)
    assert "another" not in aside.read_text()
    assert aside.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["symlink", "file"])
async def test_something_in_the_place_of_the_inbox(bench: Any, kind: str) -> None:
    """It is one finding, and no link is followed."""
    bench.write_file()
    bench.inbox.rename(bench.root / "elsewhere")
    if kind == "symlink":
        bench.inbox.symlink_to("elsewhere")
    else:
        bench.inbox.touch()
    (finding,) = await examine(bench, InboxCheck)
    assert finding.subject == str(bench.inbox)
    await paste(finding.remedy)
    assert await examine(bench, InboxCheck) == []


async def test_a_folder_that_cannot_be_opened(bench: Any, failing_folders: set[str]) -> None:
    """The others are looked at all the same."""
    for to in ("ann", "bob", "cyd"):
        bench.write_file(to, timestamp=ago(8 * 24 * HOUR))
    failing_folders.add("bob")
    found = await examine(bench, InboxCheck)
    assert [Path(each.subject).name for each in found] == ["ann", "bob", "cyd"]
    assert "Input/output error" in found[1].problem


async def test_a_bounded_number_is_listed(bench: Any) -> None:
    """What is beyond is counted."""
    for number in range(1_007):
        bench.write_file("bob", f"{number}.txt")
    found = await examine(bench, InboxCheck)
    assert len(found) == 1_001
    assert found[-1].problem == "7 more things that do not belong there are not listed"


async def test_it_can_be_cancelled_in_between(bench: Any) -> None:
    """However many files there are, a step ends soon."""

    async def look() -> None:
        await examine(bench, InboxCheck)

    bench.write_file("bob", "0.txt")
    few = await cancel_at_every_checkpoint(look)
    for number in range(1, 2_000):
        bench.write_file("bob", f"{number}.txt")
    assert await cancel_at_every_checkpoint(look) >= few + 3


async def test_names_that_are_too_long_for_what_they_become(bench: Any) -> None:
    """They are cut, and each becomes another."""
    for end in "ab":
        bench.write_file("bob", f"{'é' * 123}{end}")
    for finding in await examine(bench, InboxCheck):
        await paste(finding.remedy)
    assert bench.files() == []
    assert len(os.listdir(bench.root / "observatory" / "aside")) == 2


async def test_the_outbox(bench: Any) -> None:
    """What waits for a moment, or is being written, is as it should be."""
    folder = bench.root / "outbox" / "bob"
    folder.mkdir(parents=True)
    for name in ("1.json", ".writing.json", f".{1:016x}.json"):
        (folder / name).write_text("{}")
    assert await examine(bench, OutboxCheck) == []


async def test_the_commands_of_the_outbox(bench: Any, later: Callable[[float], None]) -> None:
    """What was put aside goes away, and what was about to be removed is a response again."""
    outbox = bench.root / "outbox"
    for name in (".quarantine/a.json", ".quarantine/a.json.reason", f"bob/.{1:016x}.json"):
        (outbox / name).parent.mkdir(parents=True, exist_ok=True)
        (outbox / name).write_text("{}")
    later(37)
    quarantined, taken = await examine(bench, OutboxCheck)
    await paste(quarantined.remedy)
    await paste(taken.remedy)
    assert await examine(bench, OutboxCheck) == []
    assert [path.name for path in outbox.rglob("*.*")] == [f"{1:016x}.json"]
    (outbox / ".quarantine").mkdir()
    (outbox / ".quarantine" / "b.json").write_text("{}")
    await paste(quarantined.remedy)  # once more, when more has come
    names = [path.name for path in (bench.root / "observatory" / "aside").rglob("*.json*")]
    assert sorted(names) == ["a.json", "a.json.reason", "b.json"]
