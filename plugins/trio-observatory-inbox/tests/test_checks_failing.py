"""Checks and queue statistics where something may not be opened, listed or changed: nothing else suffers by it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox.checks.inbox import InboxCheck
from observatory_inbox.checks.outbox import OutboxCheck
from observatory_inbox.checks.teams import TeamsCheck

from observatory import Check, Context, Finding, PubSub


async def examine(bench: Any, kind: Callable[[Context], Check]) -> Sequence[Finding]:
    """Return what a check finds, but for modes: the bench leaves them to the umask."""
    context = Context(bench.root, bench.clock, PubSub(), None, {}, {})
    return [each for each in await kind(context).run() if " mode " not in each.problem]


async def mend(bench: Any) -> None:
    """Mend what can be mended in the inbox."""
    for finding in await InboxCheck(Context(bench.root, bench.clock, PubSub(), None, {}, {})).run():
        if finding.fix is not None:
            await finding.fix()


@pytest.fixture
def unlisted(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders that the disk fails to list, for as long as they stand in this set."""
    folders: set[Path] = set()
    scandir = os.scandir

    def fail(directory: int) -> Any:
        if any(os.path.samestat(os.fstat(directory), folder.stat()) for folder in folders):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(directory)

    monkeypatch.setattr(os, "scandir", fail)
    return folders


class _Blind:
    """An entry of a folder of which nobody may know more than the name and the kind."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def stat(self, **options: Any) -> os.stat_result:
        """Refuse, as where a folder's mode lacks the x."""
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self._entry.name)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that cannot be looked at, for as long as they stand in this set."""
    names: set[str] = set()
    scandir = os.scandir

    @contextmanager
    def scan(directory: int) -> Iterator[Iterator[os.DirEntry[str] | _Blind]]:
        with scandir(directory) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name not in names)  # those come first
            yield (_Blind(entry) if entry.name in names else entry for entry in ordered)

    monkeypatch.setattr(os, "scandir", scan)
    return names


def stale_lock(bench: Any) -> Path:
    """Make a team with a lock that nobody has refreshed, and return the lock."""
    lock: Path = bench.team("bob") / "inboxes" / "bob.json.lock"
    lock.mkdir(parents=True)
    os.utime(lock, (time.time() - 11,) * 2)
    return lock


@pytest.mark.parametrize(("kind", "name"), [(InboxCheck, "inbox"), (OutboxCheck, "outbox")])
async def test_a_folder_that_cannot_be_listed(
    bench: Any, unlisted: set[Path], kind: Callable[[Context], Check], name: str
) -> None:
    """The others are looked at all the same."""
    for to in ("ann", "bob", "cyd"):
        (bench.root / name / to / "strange").mkdir(parents=True)
    unlisted.add(bench.root / name / "bob")
    found = await examine(bench, kind)
    assert [Path(each.subject).parts[-2:] for each in found] == [("ann", "strange"), (name, "bob"), ("cyd", "strange")]
    assert "Input/output error" in found[1].problem
    assert "mv" not in found[1].remedy


async def test_a_folder_that_may_only_be_listed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode is wrong, and mended; the others are looked at all the same."""
    for to in ("ann", "bob", "cyd"):
        bench.write_file(to, "strange")
    folder = bench.inbox / "bob"
    folder.chmod(0o600)
    look = os.stat

    def refuse(path: Any, *, dir_fd: int | None = None, **options: Any) -> os.stat_result:
        if dir_fd is not None and os.fstat(dir_fd).st_mode & 0o100 == 0:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return look(path, dir_fd=dir_fd, **options)

    monkeypatch.setattr(os, "stat", refuse)
    found = await examine(bench, InboxCheck)
    assert [Path(each.subject).name for each in found] == ["strange", "bob", "strange"]
    assert found[1].remedy == f"chmod u+rwx {folder}"
    await mend(bench)
    assert [Path(each.subject).name for each in await examine(bench, InboxCheck)] == ["strange"] * 3


async def test_files_that_may_not_be_opened(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own mode does not keep it from being changed."""
    paths = [bench.write_file() for _ in range(3)]
    for path in paths:
        path.chmod(0o644)
    open_file = os.open

    def refuse(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if path == paths[1].name and not flags & os.O_PATH:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_file(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    await mend(bench)
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 3


async def test_a_file_that_cannot_be_mended(bench: Any, failing_folders: set[str]) -> None:
    """The others are, and it is said."""
    paths = [bench.write_file() for _ in range(3)]
    for path in paths:
        path.chmod(0o644)
    failing_folders.add(paths[1].name)
    with pytest.raises(OSError, match="Input/output error"):
        await mend(bench)
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600, 0o644, 0o600]


async def test_a_file_that_has_other_names(bench: Any) -> None:
    """Its mode is theirs, too, and stays; somebody has to look."""
    path, other = bench.write_file(), bench.write_file()
    os.link(path, outside := bench.root / "outside")
    for each in (path, other):
        each.chmod(0o644)
    context = Context(bench.root, bench.clock, PubSub(), None, {}, {})
    found = {each.subject: each for each in await InboxCheck(context).run()}
    assert found[str(path)].fix is None
    await trio.run_process(["bash", "-c", found[str(path.parent)].remedy])
    await mend(bench)
    assert [each.stat().st_mode & 0o777 for each in (outside, other)] == [0o644, 0o600]


async def test_a_lock_that_may_not_be_opened(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is empty cannot be told; the command puts right the lock, wherever it is pasted."""
    lock = stale_lock(bench)
    open_file = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if path == lock.name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    (finding,) = await examine(bench, TeamsCheck)
    assert (finding.subject, finding.remedy) == (str(lock), f"chmod u+rwx {lock}")
    assert finding.fix is None


@pytest.mark.parametrize("name", ["inboxes", "inboxes/bob.json.lock"])
async def test_what_cannot_be_listed(bench: Any, unlisted: set[Path], name: str) -> None:
    """That is said, and another team's are looked at all the same."""
    inboxes = stale_lock(bench).parent
    other = bench.team("ann", name="ops") / "inboxes"
    other.mkdir()
    (other / "bbo.json").write_text("[]")
    unlisted.add(inboxes.parent / name)
    found = await examine(bench, TeamsCheck)
    problems = {finding.subject: finding.problem for finding in found}
    assert ("no member" in problems.pop(str(other / "bbo.json")), len(problems)) == (True, 1)
    assert "Input/output error" in problems[str(inboxes.parent / name)]
    assert [finding.fix for finding in found] == [None, None]


async def test_removing_comes_before_changing_modes(bench: Any, later: Callable[[float], None]) -> None:
    """To change the mode of a temporary file would be to have it in hand."""
    bench.write_file("bob", ".01234567-8.tmp").chmod(0o644)
    later(37)
    found = await InboxCheck(Context(bench.root, bench.clock, PubSub(), None, {}, {})).run()
    first, second = [each.problem for each in found if "has the mode" not in each.problem]
    assert ("temporary" in first, "another mode" in second) == (True, True)


async def test_mending_what_is_gone(bench: Any, later: Callable[[float], None]) -> None:
    """When the folder has vanished meanwhile there is nothing to mend."""
    path = bench.write_file("bob", ".01234567-8.tmp")
    later(37)
    (finding,) = await examine(bench, InboxCheck)
    path.parent.rename(bench.root / "elsewhere")
    assert finding.fix is not None
    await finding.fix()
    assert (bench.root / "elsewhere" / path.name).exists()


async def test_a_file_that_may_not_be_looked_at(bench: Any, blind: set[str]) -> None:
    """The others are, all the same."""
    bad, good = (bench.write_file("bob", name) for name in ("a", "b"))
    blind.add(bad.name)
    assert [each.subject for each in await examine(bench, InboxCheck)] == [str(good)]


async def test_queue_stats_leave_out_what_cannot_be_listed(bench: Any, unlisted: set[Path]) -> None:
    """One recipient's folder that the disk fails to list is not everybody's matter."""
    bad, _ = bench.write_file("a"), bench.write_file("b")
    unlisted.add(bad.parent)
    assert [entry.session_id for entry in await bench.channel.queue_stats()] == ["b"]


async def test_queue_stats_leave_out_what_cannot_be_looked_at(bench: Any, blind: set[str]) -> None:
    """As in a folder that may be listed, and no more."""
    bad, _ = bench.write_file("a"), bench.write_file("a")
    blind.add(bad.name)
    assert [entry.pending_count for entry in await bench.channel.queue_stats()] == [1]
