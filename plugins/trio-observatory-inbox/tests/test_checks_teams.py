"""The check `teams`: what it finds, and what it leaves alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from observatory_inbox import InboxSettings
from observatory_inbox.checks.teams import TeamsCheck

from observatory import Context, Finding, PubSub, Settings, open_observatory

HOUR = 3600.0


async def examine(bench: Any, settings: InboxSettings | None = None) -> Sequence[Finding]:
    """Return what the check finds."""
    return await TeamsCheck(Context(bench.root, bench.clock, PubSub(), settings, {}, {})).run()


@pytest.fixture
def inboxes(bench: Any) -> Path:
    """Make a team of bob and of one whose name is no name of a file, and return the folder of their inboxes."""
    folder: Path = bench.team("bob", "c.d") / "inboxes"
    folder.mkdir()
    return folder


def put(path: Path, text: str = "[]", *, age: float = 60.0) -> Path:
    """Write a file, or make a folder for a lock, of that age."""
    if path.suffix == ".lock":
        path.mkdir()
    else:
        path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)
    return path


async def test_what_claude_code_writes(bench: Any, inboxes: Path) -> None:
    """Nothing is wrong with it: modes are its own, and a lock that is held, and other files."""
    put(inboxes / "bob.json").chmod(0o644)
    put(inboxes / "c-d.json")
    put(inboxes / "bob.json.lock", age=5)
    put(inboxes / ".other.tmp", age=37 * HOUR)
    put(inboxes / ".01234567-8.tmp", age=37 * HOUR)  # and renamed a moment ago
    assert await examine(bench) == []


async def test_what_observatory_writes(bench: Any, inboxes: Path) -> None:
    """Nothing is wrong with it."""
    await bench.channel.deliver([bench.post("bob@night-shift")])
    assert (inboxes / "bob.json").exists()
    assert await examine(bench) == []


async def test_a_stale_lock(bench: Any, inboxes: Path) -> None:
    """It is removed."""
    lock = put(inboxes / "bob.json.lock", age=11)
    (finding,) = await examine(bench)
    assert finding.fix is not None
    await finding.fix()
    assert not lock.exists()


async def test_a_lock_that_was_refreshed(bench: Any, inboxes: Path) -> None:
    """Before it is removed it is looked at again."""
    lock = put(inboxes / "bob.json.lock", age=11)
    (finding,) = await examine(bench)
    os.utime(lock)
    assert finding.fix is not None
    await finding.fix()
    assert lock.exists()


async def test_a_lock_with_something_in_it(bench: Any, inboxes: Path) -> None:
    """Nobody can take that one, and it is not ours to empty."""
    lock = put(inboxes / "bob.json.lock")
    put(lock / "something")
    os.utime(lock, (0, 0))
    (finding,) = await examine(bench)
    assert "something is in it" in finding.problem
    assert finding.fix is None


async def test_a_lock_of_a_time_to_come(bench: Any, inboxes: Path) -> None:
    """It is fresh until then: the clock has to be set."""
    put(inboxes / "bob.json.lock", age=-HOUR)
    (finding,) = await examine(bench)
    assert "of a time to come: 'bob.json.lock'" in finding.problem


async def test_a_file_in_the_place_of_a_lock(bench: Any, inboxes: Path) -> None:
    """Claude Code does not get over that."""
    (inboxes / "bob.json.lock").write_text("")
    (finding,) = await examine(bench)
    assert "waits for it without end" in finding.problem


async def test_an_inbox_of_nobody(bench: Any, inboxes: Path) -> None:
    """No member has it."""
    put(inboxes / "bbo.json")
    (finding,) = await examine(bench)
    assert (finding.subject, finding.fix) == (str(inboxes / "bbo.json"), None)
    assert "no member" in finding.problem


async def test_a_team_that_cannot_be_read(bench: Any, inboxes: Path) -> None:
    """That is said, and nothing of its members."""
    (inboxes.parent / "config.json").write_text("{")
    put(inboxes / "bbo.json")
    (finding,) = await examine(bench)
    assert finding.subject == str(inboxes.parent / "config.json")


async def test_a_team_that_is_gone(bench: Any, inboxes: Path) -> None:
    """Its inboxes are nobody's, once it cannot be one that is just being made."""
    (inboxes.parent / "config.json").unlink()
    assert await examine(bench) == []
    os.utime(inboxes.parent, (time.time() - 1.1 * HOUR,) * 2)
    (finding,) = await examine(bench)
    assert (finding.subject, finding.problem) == (
        str(inboxes.parent),
        "holds inboxes, and is no team: it has no config.json",
    )


@pytest.mark.parametrize(("entries", "count"), [(899, 0), (900, 1)])
async def test_many_entries(bench: Any, inboxes: Path, entries: int, count: int) -> None:
    """From nine tenths of the bound on."""
    put(inboxes / "bob.json", json.dumps([{}] * entries))
    assert ["entries of at most 1,000" in each.problem for each in await examine(bench)] == [True] * count


@pytest.mark.parametrize("size", [950, 2000])
async def test_many_bytes(bench: Any, inboxes: Path, size: int) -> None:
    """Also beyond the bound, where it is not read any more."""
    put(inboxes / "bob.json", "[" + " " * (size - 2) + "]")
    (finding,) = await examine(bench, InboxSettings(team_max_bytes=1000))
    assert finding.problem.startswith(f"{size:,} bytes of at most 1,000 (plugins.inbox.team_max_bytes)")


async def test_a_damaged_inbox(bench: Any, inboxes: Path) -> None:
    """Once nobody can be writing it any more."""
    path = put(inboxes / "bob.json", "[", age=1)
    assert await examine(bench) == []
    os.utime(path, (0, 0))
    (finding,) = await examine(bench)
    assert finding.problem.startswith("cannot be read: not JSON")


async def test_a_link_in_the_place_of_an_inbox(bench: Any, inboxes: Path) -> None:
    """It is not followed."""
    (inboxes / "bob.json").symlink_to("/etc/passwd")
    (finding,) = await examine(bench)
    assert "symbolic link" in finding.problem


async def test_copies_of_damaged_inboxes(bench: Any, inboxes: Path) -> None:
    """They are there to be looked at."""
    put(inboxes / "bob.json", "[")
    post = bench.post("bob@night-shift")
    for _ in range(3):
        await bench.channel.deliver([post])
    problems = sorted(each.problem for each in await examine(bench))
    assert problems[1:] == ["is a copy of an inbox that could not be read"]


async def test_our_temporary_files(bench: Any, inboxes: Path, later: Callable[[float], None]) -> None:
    """They are removed, others' are not."""
    put(inboxes / ".01234567-8.tmp")
    put(inboxes / ".other.tmp")
    later(37)
    (finding,) = await examine(bench)
    assert finding.fix is not None
    await finding.fix()
    assert os.listdir(inboxes) == [".other.tmp"]


@pytest.mark.parametrize(("name", "check"), [("team_inboxes", "teams"), ("outbox", "outbox")])
async def test_what_is_turned_off_is_not_looked_at(tmp_path: Path, name: str, check: str) -> None:
    """No check is registered for it."""
    registered = []
    for value in (True, False):
        settings = Settings(root=tmp_path, plugins={"inbox": {name: value}})
        async with open_observatory(settings, services=False) as obs:
            registered.append({item for info in obs.plugins() for item in info.registered})
    assert registered[0] - registered[1] >= {f"check {check}"}
    assert "check inbox" in registered[1]
