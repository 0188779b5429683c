"""Disks that are full, read-only or short of descriptors, at both levels of durability.

After each failure nothing half written is there, no temporary file either, and once the fault is gone the same jobs
are carried out.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
import trio
from observatory_inbox import InboxSettings

from observatory import Done, Failed, Outcome, Retraction

Durability = Literal["flushed", "fsynced"]

pytestmark = pytest.mark.usefixtures("level")


@pytest.fixture(params=["flushed", "fsynced"])
async def level(request: Any, bench: Any) -> Durability:
    """Start the delivery channel at each level of durability, and return the level."""
    await bench.restart(InboxSettings(durability=request.param))
    level: Durability = request.param
    return level


@pytest.fixture
def written(level: Durability) -> Done:
    """Return the outcome of a post that was written."""
    return Done("written", level)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something on a folder, where that is permitted."""
    if subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(bench: Any) -> Iterator[Path]:
    """Let the root be a real file system of 256 KiB and 40 inodes."""
    with mounted(bench.root, "-t", "tmpfs", "-o", "size=256k,nr_inodes=40", "tmpfs"):
        yield bench.root


def error_of(outcome: Outcome, *, permanent: bool = False) -> str:
    """Return the error of an outcome that must be a failure, permanent or worth another attempt."""
    assert isinstance(outcome, Failed)
    assert outcome.permanent == permanent
    return outcome.error


def assert_whole(bench: Any, *posts: Any) -> None:
    """Assert that exactly these are in the inbox, each of them whole, and nothing else is."""
    assert bench.files() == sorted(f"{post.message.to}/{post.message.id}.json" for post in posts)
    for post in posts:
        assert json.loads(bench.path(post).read_bytes())["content"] == post.message.content


@pytest.mark.parametrize("named", [False, True])
async def test_no_room(
    small_disk: Path, bench: Any, written: Done, level: Durability, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit fails, with what comes behind it; what is for others and fits is written."""
    if named:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        await bench.restart(InboxSettings(durability=level))
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 128 * 1024)
    before, large, behind, other = posts = [
        *[bench.post(), bench.post(content="x" * 200_000), bench.post(), bench.post(to="other")],
    ]
    outcomes = await bench.channel.deliver(posts)
    assert "No space left on device" in error_of(outcomes[1])
    assert outcomes == [written, outcomes[1], outcomes[1], written]
    assert_whole(bench, before, other)
    ballast.unlink()
    assert await bench.channel.deliver([large, behind]) == [written] * 2
    assert_whole(bench, *posts)


async def test_no_inodes(small_disk: Path, bench: Any, written: Done) -> None:
    """A file that cannot be made fails, and so does a folder; removing files still works."""
    first, second, third = bench.post(), bench.post(), bench.post(to="other")
    assert await bench.channel.deliver([first]) == [written]
    ballast = small_disk / "ballast"
    ballast.mkdir()
    with suppress(OSError):
        for number in range(100):
            (ballast / str(number)).touch()
    outcomes = await bench.channel.deliver([second, third])
    assert all("No space left on device" in error_of(outcome) for outcome in outcomes)
    assert_whole(bench, first)
    assert await bench.channel.deliver([Retraction("agent-42", first.message.id)]) == [Done("written")]
    for path in ballast.iterdir():
        path.unlink()
    assert await bench.channel.deliver([second, third]) == [written] * 2
    assert_whole(bench, second, third)


@contextmanager
def only_descriptors(count: int) -> Iterator[None]:
    """Leave this process so many more descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = os.open(os.devnull, os.O_RDONLY)
    taken = [highest]
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 50, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_too_many_open_files(bench: Any, written: Done, count: int) -> None:
    """Whether the inbox, the folder or the file cannot be opened: it is tried again."""
    post = bench.post()
    with only_descriptors(count):
        (outcome,) = await bench.channel.deliver([post])
    assert "Too many open files" in error_of(outcome)
    assert_whole(bench)
    assert await bench.channel.deliver([post]) == [written]
    assert_whole(bench, post)


async def test_few_descriptors_let_some_through(bench: Any, written: Done) -> None:
    """Those that found one are written, and the rest goes on when they are tried again."""
    posts = [bench.post(to=f"agent-{number}") for number in range(20)]
    left = posts
    for _ in range(20):
        with only_descriptors(8):
            outcomes = await bench.channel.deliver(left)
        assert all(outcome == written or "Too many open files" in error_of(outcome) for outcome in outcomes)
        left = [post for post, outcome in zip(left, outcomes, strict=True) if outcome != written]
        if not left:
            break
    assert_whole(bench, *posts)


@pytest.mark.parametrize("named", [False, True])
async def test_short_writes(
    bench: Any, written: Done, level: Durability, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that takes seven bytes at a time still gets the whole files."""
    if named:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        await bench.restart(InboxSettings(durability=level))
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    posts = [bench.post(content="x" * 1000), bench.post(to="other")]
    assert await bench.channel.deliver(posts) == [written] * 2
    assert_whole(bench, *posts)


async def test_a_file_system_without_nameless_files(bench: Any, written: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it refuses them, files have temporary names, which they lose again."""
    open_file = os.open

    def refuse(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return open_file(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    posts = [bench.post(), bench.post(to="other")]
    assert await bench.channel.deliver(posts) == [written] * 2
    assert_whole(bench, *posts)


async def test_read_only(bench: Any, written: Done) -> None:
    """Trying again does not help until it is writable: every job fails for good, and nothing has changed."""
    first, second = bench.post(), bench.post()
    jobs = [second, Retraction("agent-42", first.message.id), bench.post(to="other")]
    await bench.channel.deliver([first])
    with mounted(bench.root, "--bind", str(bench.root)):
        await trio.run_process(["mount", "-o", "remount,bind,ro", str(bench.root)])
        outcomes = await bench.channel.deliver(jobs)
        assert all("Read-only file system" in error_of(outcome, permanent=True) for outcome in outcomes)
        assert_whole(bench, first)
    assert await bench.channel.deliver(jobs) == [written, Done("written"), written]
    assert_whole(bench, second, jobs[2])


async def test_something_in_the_place_of_a_file(bench: Any, written: Done) -> None:
    """A folder is not replaced: that job fails, with what comes behind it, and leaves no temporary file."""
    first, second = bench.post(), bench.post()
    await bench.channel.deliver([bench.post(to="other")])
    bench.path(first).mkdir(parents=True)
    outcomes = await bench.channel.deliver([first, second, bench.post(to="other")])
    assert str(bench.path(first)) in error_of(outcomes[0])
    assert outcomes == [outcomes[0], outcomes[0], written]
    assert [path.name for path in (bench.inbox / "agent-42").iterdir()] == [bench.path(first).name]
    bench.path(first).rmdir()
    assert await bench.channel.deliver([first, second]) == [written] * 2
    assert len(bench.files()) == 4


@pytest.mark.parametrize("number", ["EACCES", "EPERM", "EROFS", "ENOTDIR", "ELOOP", "ENAMETOOLONG"])
async def test_errors_that_do_not_pass(bench: Any, written: Done, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They fail their job for good, and hold up none behind it."""
    fail_once(monkeypatch, number)
    first, second = bench.post(), bench.post()
    outcomes = await bench.channel.deliver([first, second])
    assert error_of(outcomes[0], permanent=True)
    assert outcomes[1] == written
    assert_whole(bench, second)


@pytest.mark.parametrize(
    "number", ["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "ESTALE", "ENOMEM", "EISDIR", "ENOENT"]
)
async def test_errors_that_may_pass(bench: Any, written: Done, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They fail what comes behind it, too, and all of it is tried again."""
    fail_once(monkeypatch, number)
    posts = [bench.post(), bench.post()]
    outcomes = await bench.channel.deliver(posts)
    assert error_of(outcomes[0])
    assert outcomes[1] == outcomes[0]
    assert_whole(bench)
    assert await bench.channel.deliver(posts) == [written] * 2


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the first write to a file fail."""
    write = os.write

    def fail(descriptor: int, data: bytes) -> int:
        if len(data) == 1:  # that wakes the task which waits for the thread
            return write(descriptor, data)
        monkeypatch.setattr(os, "write", write)
        number = getattr(errno, name)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)


async def test_something_in_the_place_of_a_file_that_is_taken_back(bench: Any, written: Done) -> None:
    """A retraction that fails holds up nothing: what comes behind it is carried out."""
    post = bench.post()
    gone, kept = [Retraction("agent-42", id) for id in ("0" * 16, "f" * 16)]
    (bench.inbox / "agent-42" / f"{gone.id}.json").mkdir(parents=True)
    outcomes = await bench.channel.deliver([gone, post, kept])
    assert isinstance(outcomes[0], Failed)
    assert outcomes[1:] == [written, Done("written")]
    assert_whole(bench, post)
