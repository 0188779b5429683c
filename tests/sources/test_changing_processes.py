"""Processes that change the same tasks, are killed while they do, or may not do so."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from observatory.errors import SwarmSourceError
from observatory.sources.file_source import FileSource
from tests.sources.looking import names

CHANGER = Path(__file__).with_name("changer.py")
SIZE = 400_000


# Of what is killed, or may write no files, no coverage can be taken.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a process that changes tasks."""
    command = [sys.executable, str(CHANGER), *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(*arguments: object) -> str:
    """Run one to its end, and return what it has printed."""
    process = start(*arguments)
    printed, _ = process.communicate()
    assert process.returncode == 0
    return printed


def test_of_sixteen_processes_none_loses_anything(project: Path) -> None:
    """Each adds marks to one list in one line; every other byte stays."""
    tasks = project / "tasks.jsonl"
    tasks.write_bytes(b'{"id": "0"}\n{"id": "1", "marks": [],  "x": 1}\r\nno task\n')
    processes = [start("claim", project, f"p{number}", 10) for number in range(16)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 16
    before, line, *after = tasks.read_bytes().split(b"\n")
    assert Counter(json.loads(line)["marks"]) == {f"p{number}": 10 for number in range(16)}
    assert (before, after) == (b'{"id": "0"}', [b"no task", b""])
    assert line.endswith(b',  "x": 1}\r')
    assert names(project) == ["tasks.jsonl"]


async def test_a_kill_leaves_the_old_file_or_the_new_one(source: FileSource, project: Path) -> None:
    """As a whole, whenever it comes; the lock does not outlive it, and what it leaves goes with the next change."""
    chance = random.Random(1)
    for _ in range(10):
        process = start("fill", project)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 0.03))
        process.kill()
        process.communicate()
        data = await source.read(str(project))
        assert data == data[:1] * SIZE
        assert await source.change(str(project), lambda _: b"{}") == b"{}"
        assert names(project) == ["tasks.jsonl"]


async def test_what_a_process_has_left_that_was_killed(source: FileSource, project: Path) -> None:
    """It goes with the next change, whatever it is; what is no file is left where it is, and said to be in the way."""
    tasks, left = project / "tasks.jsonl", project / ".tasks.jsonl.observatory.tmp"
    left.symlink_to(tasks)
    await source.change(str(project), lambda _: b"{}")
    assert (names(project), tasks.read_bytes()) == (["tasks.jsonl"], b"{}")
    left.mkdir()
    with pytest.raises(SwarmSourceError, match="cannot be written: Is a directory"):
        await source.change(str(project), lambda _: b"[]")
    assert tasks.read_bytes() == b"{}"


@pytest.mark.parametrize("umask", ["000", "077", "777"])
def test_modes_do_not_depend_on_the_umask(project: Path, root: Path, write_team: Any, umask: str) -> None:
    """Of the file, and of folders for what is put aside."""
    write_team("alpha")
    run("masked", project, umask)
    made = [root / "observatory", root / "observatory/archive", root / "observatory/archive/alpha"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
    assert stat.S_IMODE((project / "tasks.jsonl").stat().st_mode) == 0o600


def test_a_full_disk_leaves_everything_as_it_was(project: Path) -> None:
    """Where it is full in the middle of the file."""
    (project / "tasks.jsonl").write_text("{}\n")
    assert json.loads(run("full", project)) == ["cannot be written: File too large", ["tasks.jsonl"]]
    assert (project / "tasks.jsonl").read_text() == "{}\n"


def test_missing_rights_are_an_error(folder_without_rights: Path) -> None:
    """Those to write, and those to read."""
    project = folder_without_rights / "project"
    project.mkdir()
    (project / "tasks.jsonl").write_text("{}\n")
    for path in (project, project / "tasks.jsonl"):
        os.chown(path, *[folder_without_rights.stat().st_uid] * 2)
    written, read = map(json.loads, run("denied", project, 65534).splitlines())
    assert written == ["cannot be written: Permission denied", ["tasks.jsonl"]]
    assert read == ["cannot be changed: Permission denied", ["tasks.jsonl"]]


def test_a_folder_without_rights_is_not_watched(folder_without_rights: Path) -> None:
    """And is no error."""
    project = folder_without_rights / "project"
    project.mkdir()
    os.chown(project, *[folder_without_rights.stat().st_uid] * 2)
    assert run("blind", project, 65534) == "watching\n"
