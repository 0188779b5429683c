"""Opening: the root, what is started in which order, and what happens when it cannot be."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import (
    ClosedError,
    Context,
    MemoryStorage,
    Module,
    RootError,
    StorageError,
    open_observatory,
    serve,
)
from observatory.testing import RecordingChannel, observatory_plugin

Open = Callable[..., Any]

DENIED = Path(__file__).with_name("denied.py")

PROBE = """
import logging, os, sys, threading
before = set(os.listdir("/dev/fd"))
import observatory
assert not [name for name in ("late", "application", "swarm") if f"observatory.{name}" in sys.modules], "all at once"
assert observatory.open_observatory and observatory.late
assert set(os.listdir("/dev/fd")) == before, "it has opened a file"
assert threading.active_count() == 1, "it has started a thread"
assert not logging.getLogger().handlers, "it has set up logging"
assert not os.path.exists(os.environ["CLAUDE_CONFIG_DIR"]), "it has made the root"
late = {"structlog", "cyclopts", "rich", "asyncio", "observatory_inbox", "importlib.metadata"} & set(sys.modules)
assert not late, f"it has imported {late}"
observatory.open_observatory()
assert not os.path.exists(os.environ["CLAUDE_CONFIG_DIR"]), "it has opened before it was asked"
"""


class CountedStorage(MemoryStorage):
    """Keeps what it was called for."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.calls: list[str] = []
        self._error = error

    async def start(self) -> None:
        """Open, or fail."""
        self.calls.append("start")
        if self._error:
            raise self._error

    async def flush(self) -> None:
        """Flush."""
        self.calls.append("flush")

    async def aclose(self) -> None:
        """Close."""
        self.calls.append("aclose")


def test_importing_starts_nothing(tmp_path: Path) -> None:
    """`import observatory` opens no file, starts no thread and makes no root; nor does a call without `async with`."""
    environ = {**os.environ, "CLAUDE_CONFIG_DIR": str(tmp_path / "root")}
    result = subprocess.run([sys.executable, "-c", PROBE], env=environ, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


async def test_the_root_is_made(bare_settings: Any, tmp_path: Path) -> None:
    """A root that is missing is made, with everything above it, and is nobody else's to read."""
    root = tmp_path / "some" / "where"
    async with open_observatory(bare_settings(root=root)):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        assert list(root.iterdir()) == []


async def test_the_root_that_is_made_survives_a_power_cut(
    bare_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of all folders that are made are on the disk; with one that was there nobody waits for it."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    async with open_observatory(bare_settings(root=tmp_path / "some" / "where")):
        assert sorted(synced) == [str(tmp_path), str(tmp_path / "some")]
    async with open_observatory(bare_settings(root=tmp_path / "some" / "where")):
        assert len(synced) == 2


async def test_a_root_below_a_folder_that_cannot_be_synced(
    bare_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every file system can; the root is as good as before."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fail)
    async with open_observatory(bare_settings(root=tmp_path / "root")) as observatory:
        assert observatory.settings.root.is_dir()


async def test_the_root_s_mode_does_not_depend_on_the_umask(bare_settings: Any) -> None:
    """It is 0700, and so it can be used whatever the umask is."""
    settings = bare_settings()
    before = os.umask(0o777)
    try:
        async with open_observatory(settings):
            assert stat.S_IMODE(settings.root.stat().st_mode) == 0o700
    finally:
        os.umask(before)


async def test_a_root_that_is_there(bare_settings: Any, tmp_path: Path) -> None:
    """A folder, or a symbolic link to one, is used as it is."""
    root, link = tmp_path / "root", tmp_path / "link"
    root.mkdir(mode=0o755)
    (root / "file").touch()
    link.symlink_to(root)
    async with open_observatory(bare_settings(root=link)):
        pass
    assert stat.S_IMODE(root.stat().st_mode) == 0o755
    assert list(root.iterdir()) == [root / "file"]


async def test_the_default_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings the root is where agents look."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
    async with open_observatory() as observatory:
        assert observatory.settings.root == tmp_path / "config"
        assert observatory.settings.root.is_dir()


def make_bad_root(kind: str, folder: Path) -> Path:
    """Return a path that cannot be a root."""
    (folder / "file").touch()
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    return folder / {
        "below a file": "file/root",
        "long": "x" * 1_000,
        "surrogate": "\ud800",
        "below a loop": "loop/root",
    }.get(kind, kind)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("file", "is no directory"),
        ("below a file", "lies below something that is no directory"),
        ("dangling", "is no directory"),
        ("loop", "is no directory"),
        ("below a loop", "cannot be made or written: Too many levels of symbolic links"),
        ("long", "cannot be made or written: File name too long"),
        ("surrogate", "is no path that a file system can have"),
        ("/proc/observatory", "cannot be made or written: "),
        ("/dev/null", "is no directory"),
    ],
)
async def test_bad_roots(bare_settings: Any, tmp_path: Path, kind: str, reason: str) -> None:
    """A root that is no directory, or cannot be made or written, is refused before anything else happens."""
    made: list[object] = []

    def make(context: Context) -> RecordingChannel:
        made.append(context)
        return RecordingChannel()

    plugin = observatory_plugin("p", channels={"c": make})
    with pytest.raises(RootError) as info:
        async with open_observatory(bare_settings(root=make_bad_root(kind, tmp_path)), plugins=[plugin]):
            pytest.fail("it has opened")
    assert reason in str(info.value)
    assert str(info.value).isprintable()
    assert made == []


@pytest.mark.parametrize("below", ["", "root"])
def test_a_root_without_the_right_to_write(folder_without_rights: Path, below: str) -> None:
    """A root that the process may not write to, or may not make, is refused before anything else happens."""
    user = folder_without_rights.stat().st_uid
    command = [sys.executable, str(DENIED), str(folder_without_rights), str(user), below]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    root = folder_without_rights / "locked" / below
    assert json.loads(done.stdout) == [f"the root {root} cannot be made or written: Permission denied", 0]


async def test_storage_that_does_not_start(open_with: Open) -> None:
    """Its error comes out with its cause, and what was never started is neither flushed nor closed."""
    error = StorageError("no disk")
    error.__cause__ = OSError()
    storage = CountedStorage(error)
    with pytest.raises(StorageError) as info:
        async with open_with(storage):
            pytest.fail("it has opened")
    assert info.value is error
    assert isinstance(info.value.__cause__, OSError)
    assert storage.calls == ["start"]


async def test_cancelled_while_opening(open_with: Open) -> None:
    """Opening can be cancelled while something is not ready, and everything is closed again."""
    reached = trio.Event()

    class NeverReady(Module):
        async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            reached.set()
            await trio.sleep_forever()
            task_status.started()

    async def open_it() -> None:
        async with open_with(storage, module=NeverReady()):
            pytest.fail("it has opened")

    storage = CountedStorage()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_it)
        await reached.wait()
        nursery.cancel_scope.cancel()
    assert storage.calls == ["start", "flush", "aclose"]


async def test_serve(bare_settings: Any) -> None:
    """`serve` hands the Observatory to a nursery, and closes it when that is cancelled."""
    async with trio.open_nursery() as nursery:
        observatory = await nursery.start(serve, bare_settings())
        await observatory.mailbox.send_message("a", "b", "hello")
        nursery.cancel_scope.cancel()
    with pytest.raises(ClosedError):
        await observatory.mailbox.send_message("a", "b", "hello")
