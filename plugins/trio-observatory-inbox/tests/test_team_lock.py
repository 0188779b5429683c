"""The lock of a team inbox: taken, given back, held by somebody else, stale, lost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from observatory_inbox.teams.lock import LostError, TeamLock

from observatory import Done, Failed, Retraction

WRITTEN = Done("written", "flushed")
BOB = "bob@night-shift"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the path of the lock of a member's inbox, in a folder with no more than the inbox."""
    inboxes = tmp_path / "teams/night-shift/inboxes"
    inboxes.mkdir(parents=True)
    (inboxes / "bob.json").write_text("[]")
    (inboxes.parent / "config.json").write_text('{"members": [{"name": "bob"}, {"name": "alice"}]}')
    return inboxes / "bob.json.lock"


@pytest.fixture
def lock(place: Path) -> Iterator[TeamLock]:
    """Return a lock."""
    directory = os.open(place.parent, os.O_RDONLY)
    yield TeamLock(place.name, directory)
    os.close(directory)


def age(path: Path, seconds: float) -> None:
    """Give a path an mtime of so many seconds ago."""
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


async def test_a_recipient_whose_lock_is_taken_is_tried_again(bench: Any, place: Any) -> None:
    """Its jobs fail together and nothing is written; those of others are carried out."""
    place.mkdir()
    post = bench.post(to=BOB)
    jobs = [post, bench.post(to="alice@night-shift"), bench.post(), Retraction(BOB, post.message.id)]
    outcomes = await bench.channel.deliver(jobs)
    assert isinstance(outcomes[0], Failed)
    assert not outcomes[0].permanent
    assert "is locked by somebody else" in outcomes[0].error
    assert outcomes[1:3] == [WRITTEN] * 2
    assert outcomes[3] == outcomes[0]
    assert not bench.path(post).exists()
    assert sorted(os.listdir(place.parent)) == ["alice.json", "bob.json", "bob.json.lock"]
    place.rmdir()
    assert await bench.channel.deliver([post]) == [WRITTEN]


async def test_many_locks_that_are_taken_cost_a_batch_50_ms(bench: Any, place: Any) -> None:
    """The time of waiting belongs to the batch, not to a recipient."""
    names = [f"agent-{number}" for number in range(50)]
    bench.team(*names)
    for name in names:
        (place.parent / f"{name}.json.lock").mkdir()
    start = time.perf_counter()
    outcomes = await bench.channel.deliver([bench.post(to=f"{name}@night-shift") for name in names])
    assert time.perf_counter() - start < 1  # fifty times as long would be 2.5 s
    assert all(isinstance(outcome, Failed) for outcome in outcomes)


async def test_a_stale_lock_is_taken_over(bench: Any, place: Any) -> None:
    """One that was left by a crash more than 10 s ago stops nobody, and is gone in the end."""
    place.mkdir()
    age(place, 10.1)
    assert await bench.channel.deliver([bench.post(to=BOB)]) == [WRITTEN]
    assert os.listdir(place.parent) == ["bob.json"]


@pytest.mark.parametrize("seconds", [9.0, 0.0, -3600.0])
def test_a_lock_is_fresh_for_10_seconds_and_when_it_is_from_the_future(
    place: Path, lock: TeamLock, seconds: float
) -> None:
    """Nobody may take it."""
    place.mkdir()
    age(place, seconds)
    assert not lock.acquire()
    assert place.is_dir()


def test_a_lock_is_an_empty_directory(place: Path, lock: TeamLock) -> None:
    """Made when it is taken, removed when it is given back, with nothing in it; a second one is not had."""
    assert lock.acquire()
    assert list(place.iterdir()) == []
    assert not lock.acquire()
    lock.confirm()
    lock.release()
    assert not place.exists()


async def test_a_stale_lock_with_a_file_in_it_is_named(bench: Any, place: Any) -> None:
    """It cannot be removed with rmdir, so nobody gets past it; nothing of it is touched."""
    place.mkdir()
    (place / "file").write_text("")
    age(place, 60)
    (outcome,) = await bench.channel.deliver([bench.post(to=BOB)])
    assert isinstance(outcome, Failed)
    assert str(place) in outcome.error
    assert "not empty" in outcome.error
    assert os.listdir(place) == ["file"]


async def test_a_file_in_the_place_of_the_lock_is_named(bench: Any, place: Any) -> None:
    """It is left for somebody to move away."""
    place.write_text("")
    age(place, 60)
    (outcome,) = await bench.channel.deliver([bench.post(to=BOB)])
    assert isinstance(outcome, Failed)
    assert str(place) in outcome.error
    assert place.is_file()


def test_a_lock_that_somebody_else_took_is_lost(place: Path, lock: TeamLock) -> None:
    """It is neither used nor removed."""
    assert lock.acquire()
    place.rmdir()
    place.mkdir()
    age(place, 1)
    with pytest.raises(LostError):
        lock.confirm()
    lock.release()
    assert place.is_dir()


def test_a_lock_that_is_gone_is_lost(place: Path, lock: TeamLock) -> None:
    """Somebody found it stale and has given it back since."""
    assert lock.acquire()
    place.rmdir()
    with pytest.raises(LostError):
        lock.confirm()
    lock.release()


def test_a_lock_that_was_held_for_5_seconds_is_refreshed(
    place: Path, lock: TeamLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the process was stopped for a while: its mtime moves on, and it is still ours."""
    assert lock.acquire()
    before = place.stat().st_mtime_ns
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 6)
    lock.confirm()
    assert place.stat().st_mtime_ns > before
    lock.confirm()
    lock.release()
    assert not place.exists()


async def test_an_inbox_is_not_touched_without_the_lock(
    bench: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the lock is lost before the rename, the delivery is tried again."""
    confirm = TeamLock.confirm

    def late(self: TeamLock) -> None:
        age(place, 60)
        confirm(self)

    with monkeypatch.context() as patch:
        patch.setattr(TeamLock, "confirm", late)
        (outcome,) = await bench.channel.deliver([bench.post(to=BOB)])
    assert isinstance(outcome, Failed)
    assert not outcome.permanent
    assert (place.parent / "bob.json").read_text() == "[]"
    assert sorted(os.listdir(place.parent)) == ["bob.json", "bob.json.lock"]
