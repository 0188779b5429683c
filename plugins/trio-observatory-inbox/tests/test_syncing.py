"""Durability `fsynced`: what is synced, in which order, and what a failed sync leaves."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox import InboxSettings
from observatory_inbox.mail import disk

from observatory import Done, Failed, Outcome, Retraction

SYNCED = InboxSettings(durability="fsynced")
WRITTEN = Done("written", "fsynced")
EARLY = ("fdatasync file", "fsync above", "syncfs inbox 1")  # before any file has its name


@pytest.fixture
def mounted(bench: Any) -> Iterator[Path]:
    """Return the folder of agent-42, on a file system of its own."""
    folder: Path = bench.inbox / "agent-42"
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def error_of(outcome: Outcome) -> str:
    """Return the error of an outcome that must be a failure worth another attempt."""
    assert isinstance(outcome, Failed)
    assert not outcome.permanent
    return outcome.error


async def test_a_single_file(bench: Any, system: Any) -> None:
    """Its data is synced before it has its name, then its name, and all folders that may be new."""
    assert await bench.channel.deliver([bench.post()]) == [WRITTEN]
    assert "fsync above" in system.calls
    assert [call for call in system.calls if call != "fsync above"] == [
        *["mkdir", "mkdir", "write file", "fdatasync file", "link", "fsync agent", "fsync inbox", "fsync root"],
    ]


async def test_a_single_file_in_a_folder_that_is_known(bench: Any, system: Any) -> None:
    """No more than the folder is synced."""
    await bench.channel.deliver([bench.post()])
    system.calls.clear()
    assert await bench.channel.deliver([bench.post()]) == [WRITTEN]
    assert system.calls == ["write file", "fdatasync file", "link", "fsync agent"]


async def test_a_folder_is_known_only_to_the_process_that_has_synced_it(bench: Any, system: Any) -> None:
    """A restarted one syncs its name, whoever has made it."""
    await bench.channel.deliver([bench.post()])
    await bench.restart(SYNCED)
    system.calls.clear()
    assert await bench.channel.deliver([bench.post()]) == [WRITTEN]
    assert system.calls[-3:] == ["fsync agent", "fsync inbox", "fsync root"]
    assert "fsync above" in system.calls


async def test_a_folder_that_was_made_again(bench: Any, system: Any) -> None:
    """Its name is synced again, though its number may be the same."""
    await bench.channel.deliver([bench.post()])
    (path,) = (bench.inbox / "agent-42").iterdir()
    path.unlink()
    (bench.inbox / "agent-42").rmdir()
    system.calls.clear()
    assert await bench.channel.deliver([bench.post()]) == [WRITTEN]
    assert system.calls[-3:] == ["fsync agent", "fsync inbox", "fsync root"]


async def test_a_batch_is_synced_at_once(bench: Any, system: Any) -> None:
    """All data before the first name, and all names before the outcomes, with two calls."""
    posts = [bench.post(to=name) for name in ("a", "b", "c", "a")]
    await bench.channel.deliver(posts)
    system.calls.clear()
    again = [bench.post(to=name) for name in ("a", "b", "c", "a")]
    outcomes = await bench.channel.deliver([*again, Retraction("a", posts[0].message.id)])
    assert outcomes == [WRITTEN] * 4 + [Done("written")]
    assert system.calls == [
        *["write file"] * 4,
        "syncfs inbox",
        *["link", "link", "unlink", "link", "link"],
        "syncfs inbox",
        "fsync inbox",
    ]
    assert not bench.path(posts[0]).exists()


@pytest.mark.parametrize("kind", ["nfs", None])
async def test_where_syncfs_cannot_be_relied_upon(bench: Any, system: Any, kind: str | None) -> None:
    """Every file, and every folder, is synced by itself."""
    system.use_syncfs(kind)
    await bench.restart(SYNCED)
    system.calls.clear()
    posts = [bench.post(), bench.post(), bench.post(to="other")]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 3
    assert [call for call in system.calls if call not in ("mkdir", "fsync above")] == [
        *["write file"] * 3,
        *["fdatasync file"] * 3,
        *["link"] * 3,
        *["fsync agent", "fsync other", "fsync inbox", "fsync root"],
    ]


async def test_a_folder_on_a_file_system_of_its_own(bench: Any, system: Any, mounted: Path) -> None:
    """What syncs the inbox's would not reach it: all are synced by themselves."""
    posts = [bench.post(), bench.post(to="other")]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 2
    assert "syncfs inbox" not in system.calls
    assert {"fsync agent", "fsync other"} <= set(system.calls)


@pytest.mark.parametrize("release", ["5.7.19-generic", "4.19.0", "unknown"])
def test_a_syncfs_that_does_not_tell_of_errors(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an older Linux it is not used."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", release, "", "")))
    assert disk.find_syncfs() is None


async def test_the_kind_of_a_file_system(bench: Any, mounted: Path) -> None:
    """It is that of the mount on which a folder lies."""
    await trio.lowlevel.checkpoint()
    descriptor = os.open(mounted, os.O_RDONLY)
    try:
        assert disk.file_system_of(descriptor) == "tmpfs"
    finally:
        os.close(descriptor)


async def test_files_with_temporary_names(bench: Any, system: Any) -> None:
    """Where a file must have a name, it has a temporary one until its data is synced."""
    system.use_named_files()
    await bench.restart(SYNCED)
    await bench.channel.deliver([bench.post()])
    system.calls.clear()
    posts = [bench.post(), bench.post()]
    assert await bench.channel.deliver(posts[:1]) == [WRITTEN]
    assert system.calls == ["write file", "fdatasync file", "rename", "fsync agent"]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 2
    assert len(bench.files()) == 3


async def test_a_post_that_is_delivered_again(bench: Any, system: Any) -> None:
    """It replaces its file, in one batch and in the next, and leaves nothing beside it."""
    post = bench.post()
    assert await bench.channel.deliver([post, post]) == [WRITTEN] * 2
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert bench.files() == [f"agent-42/{post.message.id}.json"]
    assert system.calls[-4:] == ["link", "link", "rename", "fsync agent"]


async def test_a_retraction_is_done_when_it_is_durable(bench: Any, system: Any) -> None:
    """A failed sync fails it, and the next attempt syncs although the file has gone."""
    post = bench.post()
    await bench.channel.deliver([post])
    retraction = Retraction("agent-42", post.message.id)
    system.failing.add("fsync agent")
    (outcome,) = await bench.channel.deliver([retraction])
    assert "Input/output error" in error_of(outcome)
    system.failing.clear()
    system.calls.clear()
    assert await bench.channel.deliver([retraction]) == [Done("written")]
    assert system.calls == ["unlink", "fsync agent"]


@pytest.mark.parametrize("call", ["fdatasync file", "fsync agent", "fsync inbox", "fsync root", "fsync above"])
async def test_a_single_file_that_cannot_be_synced(bench: Any, system: Any, call: str) -> None:
    """Either there is none, or it keeps its name, since others may know it; another attempt writes it anew."""
    post = bench.post()
    system.failing.add(call)
    (outcome,) = await bench.channel.deliver([post])
    assert "Input/output error" in error_of(outcome)
    assert bench.files() == ([] if call in EARLY else [f"agent-42/{post.message.id}.json"])
    assert bench.channel.statistics()["written"] == 0
    system.failing.clear()
    system.calls.clear()
    assert await bench.channel.deliver([post]) == [WRITTEN]
    assert {"write file", "fdatasync file", "link", "fsync agent", "fsync inbox", "fsync root"} <= set(system.calls)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("call", ["syncfs inbox 1", "syncfs inbox 2", "fsync inbox"])
async def test_a_round_that_cannot_be_synced(bench: Any, system: Any, call: str, named: bool) -> None:
    """Every job of it fails, and what has its name keeps it; another attempt writes them anew."""
    if named:
        system.use_named_files()
        await bench.restart(SYNCED)
    posts = [bench.post(to=name) for name in ("a", "b", "a")]
    system.failing.add(call)
    outcomes = await bench.channel.deliver([*posts, Retraction("c", "0" * 16)])
    assert "cannot be synced: Input/output error" in error_of(outcomes[0])
    assert outcomes == [outcomes[0]] * 4
    unsynced = {path: os.stat(path).st_ino for path in bench.inbox.glob("*/*.json")}
    assert len(unsynced) == (0 if call in EARLY else 3)
    system.failing.clear()
    assert await bench.channel.deliver(posts) == [WRITTEN] * 3
    synced = {path: os.stat(path).st_ino for path in bench.inbox.glob("*/*.json")}
    assert len(bench.files()) == len(synced) == 3
    assert not unsynced.items() & synced.items()


async def test_a_folder_that_cannot_be_looked_at(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its round fails like one that cannot be synced, before any file has its name."""
    await bench.restart(SYNCED)
    await bench.channel.deliver([bench.post()])
    fstat, folder = os.fstat, (bench.inbox / "agent-42").stat().st_ino

    def fail(descriptor: int) -> os.stat_result:
        if (status := fstat(descriptor)).st_ino == folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return status

    posts = [bench.post(), bench.post(to="other")]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fail)
        outcomes = await bench.channel.deliver(posts)
    assert "cannot be synced: Input/output error" in error_of(outcomes[0])
    assert outcomes == [outcomes[0]] * 2
    assert len(bench.files()) == 1
    assert await bench.channel.deliver(posts) == [WRITTEN] * 2


async def test_a_batch_of_many_is_several_rounds(bench: Any, system: Any) -> None:
    """Files without a name are open until they have one: only so many are at a time."""
    posts = [bench.post(to=f"agent-{number}") for number in range(150)]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 150
    writes = [call for call in system.calls if call in ("write file", "syncfs inbox")]
    rounds = "".join("w" if call == "write file" else " " for call in writes).split()
    assert [len(each) for each in rounds] == [64, 64, 22]


async def test_a_failure_holds_from_round_to_round(bench: Any, system: Any, failing_folders: set[str]) -> None:
    """Later jobs of that recipient are not tried though the disk works again meanwhile; others are."""
    posts = [bench.post() for _ in range(100)]
    others = [bench.post(to="other") for _ in range(50)]
    failing_folders.add("agent-42")
    system.calls.clear()
    outcomes = await bench.channel.deliver([*posts, *others])
    assert "Input/output error" in error_of(outcomes[0])
    assert outcomes[:100] == [outcomes[0]] * 100
    assert outcomes[100:] == [WRITTEN] * 50


async def test_a_failed_round_stops_only_its_recipients(bench: Any, system: Any) -> None:
    """Those of later rounds are served."""
    posts = [bench.post(to="a") for _ in range(70)] + [bench.post(to="b")]
    system.failing.add("syncfs inbox 1")
    outcomes = await bench.channel.deliver(posts)
    assert all("cannot be synced" in error_of(outcome) for outcome in outcomes[:70])
    assert outcomes[70:] == [WRITTEN]
    assert len(bench.files()) == 1


async def test_what_json_cannot_hold_fails_alone(bench: Any, system: Any) -> None:
    """Such a post holds no later one of its recipient back."""
    outcomes = await bench.channel.deliver([bench.post(content="\ud800"), bench.post()])
    assert isinstance(outcomes[0], Failed)
    assert outcomes[0].permanent
    assert outcomes[1] == WRITTEN


async def test_retracting_where_there_is_no_folder_makes_none(bench: Any, system: Any) -> None:
    """That it is gone is synced, too: an earlier attempt may have failed to."""
    bench.inbox.mkdir()
    system.calls.clear()
    assert await bench.channel.deliver([Retraction("agent-42", "0" * 16)]) == [Done("written")]
    assert list(bench.inbox.iterdir()) == []
    assert system.calls[-2:] == ["fsync inbox", "fsync root"]


async def test_the_real_system(bench: Any) -> None:
    """With nothing in between, one job and many end well."""
    await bench.restart(SYNCED)
    posts = [bench.post(to=name) for name in ("a", "b", "c", "a")]
    assert await bench.channel.deliver(posts[:1]) == [WRITTEN]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 4
    retractions = [Retraction(post.message.to, post.message.id) for post in posts]
    assert await bench.channel.deliver(retractions[:1]) == [Done("written")]
    assert await bench.channel.deliver(retractions) == [Done("written")] * 4
    assert bench.files() == []
