"""Running commands: in this process, where that is quicker, and in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

from observatory.cli import main


@attrs.frozen
class Result:
    """What a command left."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of the commands; missing at first."""
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own, so that no settings of anybody's are read."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in os.environ:
        if name.startswith("OBSERVATORY_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "nobody"))
    return folder


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the programs that are started, though a shell has what runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, with `--root` at the test's own."""

    def run(*arguments: str, root: str = str(root)) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main([*arguments, "--root", root] if root else arguments)
        captured = capsys.readouterr()
        assert isinstance(ending.value.code, int)
        return Result(ending.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def process(root: Path) -> Run:
    """Run a command in a process of its own and wait for its end."""

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        command = [sys.executable, "-m", "observatory", *arguments, "--root", str(root)]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., subprocess.Popen[Any]]]:
    """Start a command in a process of its own; it does not outlive the test."""
    started: list[subprocess.Popen[Any]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[Any]:
        command = [sys.executable, "-m", "observatory", *arguments, "--root", str(root)]
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


Service: TypeAlias = "subprocess.Popen[str]"


@pytest.fixture
def serve(start: Callable[..., Service]) -> Callable[[], Service]:
    """Start a service with a door, in a process of its own, and wait until it is ready."""
    pytest.importorskip("observatory_websocket", reason="needs a door: trio-observatory-websocket is not installed")

    def serve() -> Service:
        process = start("serve", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        assert process.stdout.readline().startswith("ready: ")
        return process

    return serve


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a plugin: a module, and a distribution with entry points, in a folder of the test's own."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)  # for processes

    def install(name: str, code: str, **groups: str) -> None:
        monkeypatch.delitem(sys.modules, f"plugin_{name}", raising=False)  # an earlier test may have imported it
        (folder / f"plugin_{name}.py").write_text(code)
        info = folder / f"plugin_{name}-3.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 3.1\n")
        (info / "entry_points.txt").write_text(
            f"[observatory]\n{name} = plugin_{name}\n\n[observatory.commands]\n# what the help lists\n"
            + "".join(f"{group} = {path}\n" for group, path in groups.items())
        )

    return install


_TELLING = """
import trio
from observatory import Service, hookimpl

class Telling(Service):
    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        await trio.sleep_forever()

    def statistics(self):
        return {figures!r}

@hookimpl
def observatory_register_services(registrar):
    registrar.register("telling", lambda context: Telling())
"""


@pytest.fixture
def install_telling(install: Callable[[str, str], None]) -> Callable[[object], None]:
    """Install a plugin with a service that tells the figures that it is given."""
    return lambda figures: install("telling", _TELLING.format(figures=figures))


_GUIDE = """\
# Guide

Lanterns guide [travellers](travellers.md#top), [lost](lost.md), [web](https://example.org) and [here](#guide).

```python
# no heading, and [no link](nowhere.md)
```

~~~
TODO: light more lanterns
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two pages."""
    folder = tmp_path / "pages"
    (folder / "deep").mkdir(parents=True)
    (folder / "guide.md").write_text(_GUIDE)
    (folder / "travellers.md").write_text("# Travellers\n\nTravellers follow travellers.\n")
    (folder / "deep" / "notes.txt").write_text("plain " * 50 + "\n")
    return folder
