"""A root has one service: the lock that says so."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory import Clock, Security, ServiceFile, ServiceRunningError, read_service

Start: TypeAlias = Callable[[], "subprocess.Popen[str]"]

URL = "ws://127.0.0.1:41234/"


SERVICE = """
import sys
from pathlib import Path
from observatory import Clock, Security, ServiceFile, ServiceRunningError
file = ServiceFile(Path(sys.argv[1]), Security(), Clock())
print("ready", flush=True)
sys.stdin.readline()
try:
    file.announce("websocket", "ws://127.0.0.1:7/")
except ServiceRunningError as error:
    print("refused", flush=True)
else:
    print("announced", flush=True)
sys.stdin.readline()
"""


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Send a line to a process."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Wait for a line from a process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


class TestProcesses:
    """Services in processes of their own."""

    @pytest.fixture
    def start(self, root: Path) -> Iterator[Start]:
        """Return what starts a process that announces a service once it is told to, and says so."""
        with ExitStack() as stack:

            def start() -> subprocess.Popen[str]:
                pipe = subprocess.PIPE
                process = subprocess.Popen([sys.executable, "-c", SERVICE, root], stdin=pipe, stdout=pipe, text=True)
                stack.enter_context(process)
                stack.callback(process.kill)
                assert hear(process) == "ready"
                return process

            yield start

    def test_another_process(self, root: Path, start: Start, file: ServiceFile, doors: Any) -> None:
        """While another process runs a service, it is found, and its number is in the error."""
        process = start()
        tell(process, "announce")
        assert hear(process) == "announced"
        with pytest.raises(ServiceRunningError, match=rf"^process {process.pid} runs a service on the root") as caught:
            file.announce("websocket", URL)
        assert caught.value.pid == process.pid
        assert doors() == {"websocket": "ws://127.0.0.1:7/"}

    def test_killed(self, path: Path, start: Start, file: ServiceFile, doors: Any) -> None:
        """What a process that was killed has left is not taken for a service, and the next one replaces it."""
        process = start()
        tell(process, "announce")
        assert hear(process) == "announced"
        process.kill()
        process.wait()
        assert path.exists()
        assert doors() is None
        file.announce("websocket", URL)
        assert doors() == {"websocket": URL}

    def test_many_at_once(self, root: Path, start: Start) -> None:
        """Of several processes that start at the same moment one has the service, and clients find that one."""
        processes = [start() for _ in range(4)]
        for process in processes:
            tell(process, "announce")
        answers = {process.pid: hear(process) for process in processes}
        assert sorted(answers.values()) == ["announced", "refused", "refused", "refused"]
        info = read_service(root)
        assert info is not None
        assert answers[info.pid] == "announced"


class TestOneService:
    """A root has one service."""

    def test_two_in_a_process(self, root: Path, file: ServiceFile, doors: Any, security: Security) -> None:
        """A second Observatory of the same process is refused, until the first one has withdrawn."""
        file.announce("websocket", URL)
        second = ServiceFile(root, Security(), Clock())
        with pytest.raises(ServiceRunningError) as caught:
            second.announce("websocket", "ws://127.0.0.1:5/")
        assert (caught.value.root, caught.value.pid) == (str(root), os.getpid())
        second.withdraw("websocket")
        assert doors() == {"websocket": URL}
        file.withdraw("websocket")
        second.announce("websocket", "ws://127.0.0.1:5/")
        assert doors() == {"websocket": "ws://127.0.0.1:5/"}
        second.withdraw("websocket")

    def test_other_without_a_file(self, root: Path, path: Path, file: ServiceFile) -> None:
        """Of a service whose file is gone the process cannot be told."""
        file.announce("websocket", URL)
        path.unlink()
        with pytest.raises(ServiceRunningError, match=r"^another process runs a service on the root") as caught:
            ServiceFile(root, Security(), Clock()).announce("websocket", URL)
        assert caught.value.pid is None

    def test_reader(self, path: Path, file: ServiceFile, doors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reader that shares the lock for a moment is waited for."""
        path.parent.mkdir()
        reader = os.open(path.with_name("service.lock"), os.O_RDONLY | os.O_CREAT, 0o600)
        fcntl.flock(reader, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: os.close(reader))
        file.announce("websocket", URL)
        assert doors() == {"websocket": URL}

    def test_reader_that_stays(self, path: Path, file: ServiceFile, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever shares the lock for longer than a second keeps a service from starting, and is not waited for."""
        path.parent.mkdir()
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        with path.with_name("service.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            with pytest.raises(ServiceRunningError):
                file.announce("websocket", URL)
        assert sum(slept) == pytest.approx(1)

    @pytest.mark.parametrize("again", [True, False])
    def test_lock_that_is_removed(
        self, again: bool, path: Path, file: ServiceFile, doors: Any, monkeypatch: Any
    ) -> None:
        """A lock that somebody removes while it is taken, or puts another one in the place of, is taken anew."""
        take = fcntl.flock

        def take_and_remove(descriptor: int, how: int) -> None:
            take(descriptor, how)
            if how & fcntl.LOCK_EX:
                monkeypatch.setattr(fcntl, "flock", take)
                path.with_name("service.lock").unlink()
                if again:
                    path.with_name("service.lock").touch(0o600)

        monkeypatch.setattr(fcntl, "flock", take_and_remove)
        file.announce("websocket", URL)
        assert doors() == {"websocket": URL}

    def test_stale_file_of_another(self, root: Path, path: Path, file: ServiceFile, monkeypatch: Any) -> None:
        """From the moment at which the lock is held alone, what an earlier service has left is not taken for ours."""
        path.parent.mkdir()
        path.write_text(json.dumps({"pid": 1, "token": "x", "doors": {}, "started": "2026-01-01T00:00:00+00:00"}))
        path.chmod(0o600)
        take = fcntl.flock
        found = []

        def take_and_read(descriptor: int, how: int) -> None:
            take(descriptor, how)
            if how & fcntl.LOCK_EX:
                monkeypatch.setattr(fcntl, "flock", take)
                found.append(read_service(root))

        monkeypatch.setattr(fcntl, "flock", take_and_read)
        file.announce("websocket", URL)
        assert found == [None]
