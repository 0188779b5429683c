"""Outboxes that cannot be read, and files that cannot be moved: for a moment, or for as long as nobody mends it."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox.outbox import tray

SETTLED = 10
"""Seconds after which nothing is looked at any more for its change."""


class UnknownEntry:
    """An entry of a folder that may be listed and not entered."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.name = entry.name
        self.is_file = entry.is_file

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        """Fail, as it does for everybody but root."""
        assert not follow_symlinks
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.name)


@pytest.fixture
def unlistable(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders that can be opened and not be listed, for as long as they stand in this set."""
    folders: set[Path] = set()
    scandir = os.scandir

    def scan_or_fail(directory: int | str) -> Any:
        if any(os.path.samestat(os.stat(directory), folder.stat()) for folder in folders):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(directory)

    monkeypatch.setattr(os, "scandir", scan_or_fail)
    return folders


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders without permission to enter, for as long as they stand in this set."""
    folders: set[Path] = set()
    scandir = os.scandir

    @contextmanager
    def scan(directory: int | str) -> Iterator[Any]:
        shut = any(os.path.samestat(os.stat(directory), folder.stat()) for folder in folders)
        with scandir(directory) as entries:
            yield map(UnknownEntry, entries) if shut else entries

    monkeypatch.setattr(os, "scandir", scan)
    return folders


@pytest.fixture
def immovable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that may not be moved, for as long as they stand in this set."""
    names: set[str] = set()
    rename = os.rename

    def rename_or_fail(source: Any, target: Any, **options: Any) -> None:
        if source in names:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), source)
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", rename_or_fail)
    return names


async def test_a_folder_that_cannot_be_listed_stops_no_other(
    office: Any, hurried_clock: Any, unlistable: set[Path]
) -> None:
    """The disk fails for one session."""
    unlistable.add(office.write("1.json", {}, session="bad").parent)
    async with office.running(office.service()) as service:
        office.write("2.json", {}, session="good")
        await office.until(lambda: service.published == 1)
        assert service.left == {"unreadable": 1}


async def test_a_folder_that_could_not_be_listed_is_looked_at_again(
    office: Any, hurried_clock: Any, unlistable: set[Path]
) -> None:
    """Although nothing in it has changed."""
    folder = office.write("1.json", {}).parent
    unlistable.add(folder)
    async with office.running(office.service()) as service:
        await trio.sleep(SETTLED)
        unlistable.clear()
        await office.until(lambda: service.published == 1)
    assert service.left == {"unreadable": 1}


@pytest.mark.parametrize("name", ["7.json", "agent-42"])
async def test_what_could_not_be_opened_is_looked_at_again(
    office: Any, hurried_clock: Any, failing_folders: set[str], name: str
) -> None:
    """A response, and a session's folder; it counts as left once."""
    office.write("7.json", {})
    failing_folders.add(name)
    async with office.running(office.service()) as service:
        await trio.sleep(SETTLED)
        assert (service.published, service.left) == (0, {"unreadable": 1})
        failing_folders.clear()
        await office.until(lambda: service.published == 1)


async def test_a_folder_that_could_not_be_entered_is_looked_at_again(
    office: Any, hurried_clock: Any, closed: set[Path]
) -> None:
    """Its files have names and nothing else, until it is given its permission back."""
    closed.add(office.write("7.json", {}).parent)
    async with office.running(office.service()) as service:
        await trio.sleep(SETTLED)
        assert (service.published, service.left) == (0, {"unreadable": 1})
        closed.clear()
        await office.until(lambda: service.published == 1)


async def test_an_outbox_that_could_not_be_opened_is_looked_at_again(
    office: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was found that there is something to read."""

    def fail(name: str, parent: int | None = None) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)

    office.write("7.json", {})
    async with office.running(office.service()) as service:
        with monkeypatch.context() as patch:
            await office.until(lambda: service.published == 1)
            patch.setattr(tray, "open_directory", fail)
            office.write("8.json", {})
            await trio.sleep(SETTLED)
            assert service.published == 1
        await office.until(lambda: service.published == 2)


@pytest.mark.parametrize("gone", [False, True])
def test_another_look_is_taken_only_for_as_long_as_needed(office: Any, failing_folders: set[str], gone: bool) -> None:
    """Until the file can be read, or its folder is gone."""
    path = office.write("7.json", {})
    failing_folders.add("7.json")
    files = tray.Tray(str(office.outbox), 1000)
    assert [list(batch) for batch in files.take(["agent-42"], 0)] == [[]]
    assert files.unfinished() == {"agent-42"}
    if gone:
        path.unlink()
        files.forget("agent-42")
    else:
        failing_folders.clear()
        (batch,) = files.take(files.unfinished(), 1)
        files.remove(batch)
    assert files.unfinished() == set()


async def test_what_cannot_be_moved_leaves_nothing_in_the_quarantine(
    office: Any, hurried_clock: Any, immovable: set[str]
) -> None:
    """No reason either, however often it is tried; it is named once, and moved as soon as it can be."""
    office.write("7.json", "{")
    immovable.add("7.json")
    async with office.running(office.service()) as service:
        await office.until(lambda: service.left == {"not_quarantined": 1})
        await trio.sleep(SETTLED)
        assert (office.quarantined(), service.left) == ([], {"not_quarantined": 1})
        immovable.clear()
        await office.until(lambda: service.quarantined == 1)
    assert len(office.quarantined()) == 2


async def test_what_is_left_for_another_reason_is_named_again(
    office: Any, hurried_clock: Any, failing_folders: set[str], immovable: set[str]
) -> None:
    """That it could not be read for a moment does not hide that it cannot be moved."""
    office.write("7.json", "{")
    failing_folders.add("7.json")
    immovable.add("7.json")
    async with office.running(office.service()) as service:
        await office.until(lambda: service.left == {"unreadable": 1})
        failing_folders.clear()
        await office.until(lambda: service.left == {"unreadable": 1, "not_quarantined": 1})


async def test_a_file_is_put_aside_without_a_reason_that_cannot_be_written(
    office: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a full disk a file can be moved all the same; the log says why."""
    open_file = os.open

    def open_or_fail(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).endswith(".reason"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_or_fail)
    office.write("7.json", "{")
    async with office.running(office.service()) as service:
        await office.until(lambda: service.quarantined == 1)
    (kept,) = office.quarantined()
    assert (office.outbox / ".quarantine" / kept).read_text() == "{"
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("not JSON" in text for text in told)
    assert any(".reason cannot be written" in text for text in told)


@pytest.mark.parametrize("coming", [{"ok": True}, None])
async def test_only_the_file_that_was_judged_is_put_aside(
    office: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch, coming: dict[str, bool] | None
) -> None:
    """Another one that comes in its place in that moment is published, and nothing is said when none comes."""
    rename = os.rename
    damaged = office.write("7.json", "{")
    bodies: list[Any] = []

    def come_first(source: Any, target: Any, **options: Any) -> None:
        if source == "7.json" and damaged.exists() and damaged.read_text() == "{":
            damaged.unlink()
            if coming is not None:
                office.write("7.json", coming)
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", come_first)
    async with office.pubsub.subscribe("session:agent-42") as responses, office.running(office.service()) as service:
        await office.until(lambda: not list(damaged.parent.iterdir()))
        await trio.sleep(SETTLED)
        if service.published:
            bodies.append((await anext(responses)).payload.body)
    assert bodies == ([] if coming is None else [coming])
    assert (office.quarantined(), service.quarantined, service.left) == ([], 0, {})
