"""The check `inbox`: mail for members of teams that there are not, as the end of a team's session leaves it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from observatory_inbox import InboxSettings
from observatory_inbox.checks.inbox import InboxCheck

from observatory import Context, Finding, PubSub
from observatory.testing import cancel_at_every_checkpoint

OLD = "2026-01-01T00:00:00+00:00"


async def examine(bench: Any, settings: InboxSettings | None = None) -> Sequence[Finding]:
    """Return what the check finds, but for modes: the bench leaves them to the umask."""
    context = Context(bench.root, bench.clock, PubSub(), settings, {}, {})
    return [each for each in await InboxCheck(context).run() if " mode " not in each.problem]


def write(bench: Any, to: str, *, timestamp: str | None = None) -> None:
    """Write a file that nobody has read, by default one of now."""
    bench.write_file(to, timestamp=timestamp or datetime.now(UTC).isoformat())


async def test_no_such_member(bench: Any) -> None:
    """It is found at once, with the nearest name, and others' mail is not."""
    bench.team("host", "alice")
    for to in ("ghost@night-shift", "alice@night-shift", "ghost"):
        write(bench, to)
    (finding,) = await examine(bench)
    assert finding.subject == str(bench.inbox / "ghost@night-shift")
    assert "1 unread, and no member" in finding.problem
    assert "no team member 'ghost@night-shift'; did you mean 'host@night-shift'?" in finding.problem


async def test_no_such_team(bench: Any) -> None:
    """Whether there are others, none any more, or one whose folder is called alike."""
    write(bench, "bob@night.shift")
    (none,) = await examine(bench)
    assert "there is no team 'night.shift'; none is known" in none.problem
    bench.team("bob")
    (alike,) = await examine(bench)
    assert "is the folder of team 'night-shift', not of 'night.shift'" in alike.problem
    (bench.root / "teams/night-shift").rename(bench.root / "teams/night-shifts")
    (other,) = await examine(bench)
    assert "there is no team 'night.shift'; did you mean 'night-shifts'?" in other.problem
    (bench.root / "teams/night-shift").mkdir()
    (left,) = await examine(bench)
    assert "is no team: it has no config.json" in left.problem


async def test_nobody_loses_mail_by_it(bench: Any) -> None:
    """The command lists it and acknowledges nothing, nor is it mended without somebody's decision."""
    bench.team("bob")
    write(bench, "ghost@night-shift")
    (finding,) = await examine(bench)
    advice, command = finding.remedy.split(": ")
    assert advice.startswith("send on what is still wanted, and acknowledge what was read, with the settings")
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    done = await trio.run_process(["bash", "-c", command], env=os.environ | {"PATH": path}, capture_stdout=True)
    assert b"hello" in done.stdout
    assert finding.fix is None
    assert len(bench.files()) == 1


async def test_it_is_said_once(bench: Any) -> None:
    """Also of mail that nobody has read for long; that of members is found as any other."""
    bench.team("bob")
    for to in ("ghost@night-shift", "bob@night-shift"):
        write(bench, to, timestamp=OLD)
    reader, nobody = await examine(bench)
    assert "is there still a reader?" in reader.problem
    assert "did you mean 'bob@night-shift'?" in nobody.problem


async def test_where_teams_are_none_of_ours(bench: Any) -> None:
    """With team inboxes turned off, such a name is one like any other."""
    write(bench, "ghost@night-shift")
    assert await examine(bench, InboxSettings(team_inboxes=False)) == []


@pytest.mark.parametrize("config", ["{", '{"members": [{"name": "a/b"}, {"name": "a.b"}]}'])
async def test_what_cannot_be_told(bench: Any, config: str) -> None:
    """A config that cannot be read is another finding, and a member whose inbox is another's, too, is one."""
    (bench.team() / "config.json").write_text(config)
    write(bench, "a.b@night-shift")
    assert await examine(bench) == []


async def test_a_folder_of_teams_that_cannot_be_opened(bench: Any, failing_folders: set[str]) -> None:
    """That is another finding, too."""
    bench.team("bob")
    write(bench, "ghost@night-shift")
    failing_folders.add("night-shift")
    assert await examine(bench) == []


async def test_teams_that_cannot_be_listed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which others there are cannot be told then, nor whether one of them is meant."""
    bench.team("bob")
    write(bench, "bob@night")
    scandir, teams = os.scandir, (bench.root / "teams").stat().st_ino

    def fail(path: Any) -> Any:
        if os.stat(path).st_ino == teams:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail)
    assert await examine(bench) == []


async def test_an_inbox_that_is_empty(bench: Any) -> None:
    """Nobody misses anything."""
    bench.write_file("ghost@night-shift").unlink()
    assert await examine(bench) == []


async def test_nothing_is_made(bench: Any) -> None:
    """A team has no folder of inboxes by that, also when it is cancelled."""
    folder = bench.team("bob")
    write(bench, "bob@night-shift")

    async def look() -> None:
        await examine(bench)

    await cancel_at_every_checkpoint(look)
    assert os.listdir(folder) == ["config.json"]
