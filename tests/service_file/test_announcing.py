"""A service tells of its doors, and of those that it closes."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from observatory import (
    Clock,
    RootError,
    Security,
    SecuritySettings,
    ServiceFile,
    ServiceInfo,
    TrioClock,
    read_service,
)

URL = "ws://127.0.0.1:41234/"


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the umask."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.lstat().st_mode)


def names(root: Path) -> list[str]:
    """Return what lies in the folder."""
    return sorted(os.listdir(root / "observatory"))


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file reach the disk."""

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)


class TestAnnounce:
    """Telling of doors."""

    def test_found(self, root: Path, security: Security) -> None:
        """A client finds the process, its token and its doors, and when it was started."""
        before = Clock().now()
        service = ServiceFile(root, security, Clock())
        service.announce("websocket", URL)
        info = read_service(root)
        assert info is not None
        assert before < info.started < Clock().now()
        assert info == ServiceInfo(os.getpid(), security.token, {"websocket": URL}, info.started)
        assert security.token not in repr(info)
        service.withdraw("websocket")

    def test_json(self, path: Path, file: ServiceFile, security: Security) -> None:
        """The file is JSON that programs in any language can read."""
        file.announce("websocket", URL)
        data = json.loads(path.read_bytes())
        assert data.pop("started")[:2] == "20"
        known = {"pid": os.getpid(), "token": security.token, "doors": {"websocket": URL}}
        assert data == {**known, "certificate": None}

    def test_certificate(self, root: Path, tmp_path: Path) -> None:
        """A service with TLS tells which certificate is its own."""
        issued = trustme.CA().issue_cert("swarm.example.org")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
        settings = SecuritySettings(certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem")
        service = ServiceFile(root, Security(settings), Clock())
        service.announce("websocket", URL)
        info = read_service(root)
        assert info is not None
        assert info.certificate == (tmp_path / "certificate.pem").read_text()
        service.withdraw("websocket")

    def test_doors(self, root: Path, file: ServiceFile, doors: Any) -> None:
        """Each further door is told beside the others; announced again, it has the new URL."""
        file.announce("websocket", URL)
        file.announce("http", "http://127.0.0.1:1/")
        file.announce("http", "http://127.0.0.1:2/")
        assert doors() == {"websocket": URL, "http": "http://127.0.0.1:2/"}

    async def test_from_threads(self, root: Path, security: Security, doors: Any) -> None:
        """Made in a task, it may be used in threads, also in several at a time."""
        file = ServiceFile(root, security, TrioClock())
        every = [f"door-{number}" for number in range(20)]
        async with trio.open_nursery() as nursery:
            for door in every:
                nursery.start_soon(trio.to_thread.run_sync, file.announce, door, URL)
        assert doors() == dict.fromkeys(every, URL)
        async with trio.open_nursery() as nursery:
            for door in every:
                nursery.start_soon(trio.to_thread.run_sync, file.withdraw, door)
        assert doors() is None

    @pytest.mark.parametrize("umask", [0o000, 0o077, 0o777], indirect=True, ids=oct)
    def test_modes(self, umask: None, root: Path, path: Path, file: ServiceFile, monkeypatch: Any) -> None:
        """Whatever the umask: only the owner may read the file, at no moment anybody else, and the owner always can."""
        open_file = os.open

        def open_and_look(*given: Any, **options: Any) -> int:
            descriptor = open_file(*given, **options)
            assert not os.fstat(descriptor).st_mode & 0o077 or given[0] == root / "observatory"
            return descriptor

        monkeypatch.setattr(os, "open", open_and_look)
        file.announce("websocket", URL)
        file.announce("http", URL)
        modes = {name: mode(root / "observatory" / name) for name in names(root)}
        assert modes == {"service.json": 0o600, "service.lock": 0o600}
        assert mode(path.parent) == 0o700

    def test_folder_as_it_was(self, path: Path, file: ServiceFile) -> None:
        """A folder that is there already keeps its mode: it is not ours alone."""
        path.parent.mkdir()
        path.parent.chmod(0o750)
        file.announce("websocket", URL)
        assert mode(path.parent) == 0o750

    def test_half_made(self, root: Path, path: Path, file: ServiceFile) -> None:
        """What a crash has left half made is removed, and nothing else."""
        path.parent.mkdir()
        for name in (".service.json.new", ".service.json.mine"):
            (path.parent / name).touch()
        file.announce("websocket", URL)
        assert names(root) == [".service.json.mine", "service.json", "service.lock"]

    def test_symbolic_link_in_its_place(self, tmp_path: Path, path: Path, file: ServiceFile) -> None:
        """A symbolic link in the place of the file, or of the half-made one, is replaced and not followed."""
        target = tmp_path / "precious"
        target.write_text("precious")
        path.parent.mkdir()
        for name in ("service.json", ".service.json.new"):
            path.with_name(name).symlink_to(target)
        file.announce("websocket", URL)
        assert not path.is_symlink()
        assert target.read_text() == "precious"


class TestWithdraw:
    """Telling of doors no more."""

    def test_one_of_two(self, root: Path, file: ServiceFile, doors: Any) -> None:
        """What is withdrawn is told no more; the others are."""
        file.announce("websocket", URL)
        file.announce("http", URL)
        file.withdraw("websocket")
        assert doors() == {"http": URL}

    def test_last(self, root: Path, file: ServiceFile, doors: Any) -> None:
        """With the last door the file goes; it comes back with the next one, and both may be repeated."""
        for _ in range(2):
            file.withdraw("websocket")
            file.announce("websocket", URL)
            file.announce("websocket", URL)
            assert doors() == {"websocket": URL}
            file.withdraw("websocket")
            file.withdraw("websocket")
            assert read_service(root) is None
            assert names(root) == ["service.lock"]

    def test_of_another(self, path: Path, file: ServiceFile) -> None:
        """A file that somebody has put in its place stays."""
        file.announce("websocket", URL)
        path.with_name("other").write_text("mine")
        path.with_name("other").replace(path)
        file.withdraw("websocket")
        assert path.read_text() == "mine"

    def test_removed(self, path: Path, file: ServiceFile, caplog: pytest.LogCaptureFixture) -> None:
        """A file that somebody has removed is none to remove."""
        file.announce("websocket", URL)
        path.unlink()
        file.withdraw("websocket")
        assert not caplog.messages

    def test_cannot(self, root: Path, path: Path, file: ServiceFile, caplog: pytest.LogCaptureFixture) -> None:
        """Where it cannot be removed, that is logged, and the lock is given back all the same."""
        file.announce("websocket", URL)
        path.parent.rename(root / "away")
        path.parent.touch()
        file.withdraw("websocket")
        assert caplog.messages == [f"{path} still tells of door 'websocket': Not a directory"]
        path.parent.unlink()
        (root / "away").rename(path.parent)
        assert path.exists()
        assert read_service(root) is None


class TestFailing:
    """Roots on which nothing can be told."""

    def test_no_root(self, root: Path) -> None:
        """A root that is not there is an error, and is not made."""
        with pytest.raises(RootError, match=r"cannot hold observatory/service\.json: No such file or directory$"):
            ServiceFile(root / "none", Security(), Clock()).announce("websocket", URL)

    @pytest.mark.parametrize("name", ["observatory", "observatory/service.lock"])
    def test_symbolic_link(self, name: str, root: Path, tmp_path: Path, file: ServiceFile) -> None:
        """A folder or a lock that is a symbolic link is not followed."""
        (tmp_path / "elsewhere").mkdir()
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(RootError, match=r"cannot hold .*: (Not a directory|it, or its lock, is a sym)"):
            file.announce("websocket", URL)
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_first_door(self, root: Path, file: ServiceFile, doors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the file cannot be written nothing is left of it, and the lock is given back."""
        with monkeypatch.context() as patch:
            fill_disk(patch)
            with pytest.raises(RootError, match=r"cannot hold observatory/service\.json: No space left on device$"):
                file.announce("websocket", URL)
        assert names(root) == ["service.lock"]
        another = ServiceFile(root, Security(), Clock())
        another.announce("websocket", URL)
        assert doors() == {"websocket": URL}
        another.withdraw("websocket")

    def test_further_door(self, root: Path, file: ServiceFile, doors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A door that cannot be told of leaves the others as they were."""
        file.announce("websocket", URL)
        with monkeypatch.context() as patch:
            fill_disk(patch)
            with pytest.raises(RootError):
                file.announce("http", URL)
        assert doors() == {"websocket": URL}
        file.withdraw("websocket")
        assert names(root) == ["service.lock"]
