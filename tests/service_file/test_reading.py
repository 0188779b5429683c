"""A client finds the service of a root, and trusts no file that others can have written or read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from observatory import Clock, Security, ServiceFile, ServiceInfo, read_service

SECRET = "aSecretToken"
URL = "ws://127.0.0.1:41234/"
GOOD = {"pid": 5, "token": SECRET, "doors": {"websocket": URL}, "started": "2026-11-30T10:00:00+00:00"}
NOBODY = 65534
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(GOOD)) | st.text(), inner),
    max_leaves=10,
)


@pytest.fixture(autouse=True)
def running(file: ServiceFile, path: Path) -> None:
    """Let a service run."""
    file.announce("websocket", URL)


@pytest.fixture
def refused(root: Path, path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[str], None]:
    """Return what sees that the file is not used, that the log says why, and that no secret is in it."""

    def refused(why: str) -> None:
        assert read_service(root) is None
        [record] = caplog.records
        assert record.name == "observatory.service"
        where, _, reason = record.getMessage().partition(" is not used: ")
        assert where == str(path)
        assert reason.startswith(why)
        assert SECRET not in reason

    return refused


def test_good(root: Path, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is in order gives what it tells, and nothing is logged."""
    path.write_text(json.dumps(GOOD))
    info = read_service(root)
    assert info is not None
    assert (info.pid, info.token, info.doors, info.started.isoformat()) == tuple(GOOD.values())
    assert not caplog.records


@pytest.mark.parametrize("missing", ["service.json", "service.lock", "", ".."])
def test_nothing_there(missing: str, root: Path, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without the file, the lock, the folder or the root no service runs, which is nothing to log."""
    (path.parent / missing).resolve().rename(root.with_name("away"))
    assert read_service(root) is None
    assert not caplog.records


def test_symbolic_link(path: Path, refused: Any) -> None:
    """A symbolic link is not followed, wherever it leads."""
    path.rename(path.with_name("other"))
    path.symlink_to("other")
    refused("it, or its lock, is a symbolic link")


def test_link_for_the_lock(path: Path, refused: Any) -> None:
    """A lock that is a symbolic link says nothing."""
    lock = path.with_name("service.lock")
    lock.rename(lock.with_name("other"))
    lock.symlink_to("other")
    refused("it, or its lock, is a symbolic link")


def test_link_for_the_folder(root: Path, path: Path, refused: Any) -> None:
    """A folder that is a symbolic link is not followed."""
    path.parent.rename(root / "other")
    path.parent.symlink_to("other")
    refused("Not a directory")


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o777])
def test_open_to_others(mode: int, path: Path, refused: Any) -> None:
    """A file that group or others may use in any way is refused."""
    path.chmod(mode)
    refused("others than its owner may use it")


def test_of_another_user(path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another user is refused: whoever has made it would get what one sends."""
    reader = path.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: reader)
    refused("it belongs to another user")


def test_superuser(root: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser reads everybody's."""
    if not os.geteuid():
        os.chown(path, NOBODY, NOBODY)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read_service(root) is not None


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_no_file(make: Callable[[Path], None], path: Path, refused: Any) -> None:
    """A folder or a pipe in its place is refused, and not waited for."""
    path.unlink()
    make(path)
    refused("it is no file")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", ""),
        (SECRET.encode(), "unexpected character"),
        (b"\xff", ""),
        (b"[" * 60_000, ""),
        (f'["{SECRET}"]'.encode(), "$: expected a table, got a list"),
        (b"{}", "$.pid: required, but missing"),
        (GOOD | {"pid": "5"}, "$.pid: expected an integer, got a string"),
        (GOOD | {"pid": 0}, "$.pid: expected an integer of at least 1, got 0"),
        (GOOD | {"pid": -1}, "$.pid: expected an integer of at least 1, got -1"),
        (GOOD | {"token": [SECRET]}, "$.token: expected a string, got a list"),
        (GOOD | {"doors": [URL]}, "$.doors: expected a table, got a list"),
        (GOOD | {"doors": {"websocket": 5}}, "$.doors.websocket: expected a string, got an integer"),
        (GOOD | {"started": "now"}, "$.started: Invalid isoformat string: 'now'"),
        (GOOD | {"started": 5}, "$.started: expected a time in ISO 8601, got an integer"),
    ],
)
def test_garbage(content: bytes | dict[str, Any], why: str, path: Path, refused: Any) -> None:
    """What no service has written is refused, with the place."""
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    refused(f"it is no service's: {why}")


def test_a_later_version_may_tell_more(root: Path, path: Path) -> None:
    """What is not known is passed over."""
    path.write_text(json.dumps(GOOD | {"version": 2}))
    found = read_service(root)
    assert found is not None
    assert found.pid == GOOD["pid"]


def test_huge(path: Path, refused: Any) -> None:
    """A huge file is not read."""
    os.truncate(path, 1 << 40)
    refused("it has more than 65,536 bytes")


@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything(content: bytes) -> None:
    """Whatever stands in the file, it tells of a service or of none."""
    with tempfile.TemporaryDirectory() as folder:
        file = ServiceFile(Path(folder), Security(), Clock())
        file.announce("websocket", URL)
        Path(folder, "observatory/service.json").write_bytes(content)
        assert isinstance(read_service(Path(folder)), ServiceInfo | None)
        file.withdraw("websocket")


def test_gives_back(root: Path, path: Path, file: ServiceFile) -> None:
    """Nothing stays open, whether a service is found or not, and the lock is free for the next one."""
    before = len(os.listdir("/dev/fd"))
    for mode in (0o600, 0o644):
        path.chmod(mode)
        read_service(root)
    assert len(os.listdir("/dev/fd")) == before
    file.withdraw("websocket")
    assert read_service(root) is None
    assert len(os.listdir("/dev/fd")) == before - 1
    file.announce("websocket", URL)
    assert len(os.listdir("/dev/fd")) == before
