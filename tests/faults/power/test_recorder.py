"""Following system calls: what a process does to real files is what is read from its recorded calls."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from .model import Fate, Tree, leave
from .recorder import Recorder
from .trace import strace

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("recording")]

EVERYTHING = Fate(names=1.0, data=1.0)

CHANGES = """
import os, sqlite3, sys, tempfile, threading
top, log = sys.argv[1:]
os.makedirs(f"{top}/a/b")
with open(f"{top}/a/text", "w") as file:
    file.write("x" * 9000)
with open(f"{top}/a/text", "a") as file:
    file.write("appended, \\u00e4")
    os.fsync(file.fileno())
with open(log, "wb", buffering=0) as file:
    file.write(b"noted")
folder = os.open(f"{top}/a/b", os.O_RDONLY)
one = os.open("one", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
os.write(one, b"1234567890")
os.lseek(one, 3, os.SEEK_SET)
os.write(one, b"--")
os.ftruncate(one, 7)
os.pwrite(os.dup(one), b"!", 9)
os.link("one", "two", src_dir_fd=folder, dst_dir_fd=folder)
os.rename("one", "three", src_dir_fd=folder, dst_dir_fd=folder)
os.replace(f"{top}/a/text", f"{top}/a/b/text")
os.mkdir("lock", dir_fd=folder)
os.close(os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
os.rename("new", "two", src_dir_fd=folder, dst_dir_fd=folder)
os.rmdir("lock", dir_fd=folder)
try:
    unnamed = os.open(".", os.O_WRONLY | os.O_TMPFILE, dir_fd=folder)
except OSError:
    unnamed = os.open(f"{top}/a/b/linked", os.O_WRONLY | os.O_CREAT)
else:
    descriptors = os.open("/proc/self/fd", os.O_RDONLY)
    os.link(str(unnamed), "linked", src_dir_fd=descriptors, dst_dir_fd=folder, follow_symlinks=True)
thread = threading.Thread(target=os.write, args=[unnamed, b"by another thread"])
thread.start()
thread.join()
with tempfile.TemporaryDirectory(dir=top) as gone:
    open(f"{gone}/file", "w").close()
database = sqlite3.connect(f"{top}/database", isolation_level=None)
database.execute("pragma locking_mode = exclusive")
database.execute("pragma journal_mode = wal")
database.execute("create table t (x)")
database.executemany("insert into t values (?)", [("y" * 3000,)] * 9)
database.close()
"""


def read_tree(top: Path) -> Tree:
    """Return what is below a folder."""
    return {str(path.relative_to(top)): path.read_bytes() if path.is_file() else None for path in top.rglob("*")}


def follow(folder: Path, program: str) -> Recorder:
    """Follow a program of Python's; it is given a folder, and the path of a log."""
    top, log, calls = folder.resolve() / "top", folder.resolve() / "log", folder / "calls"
    top.mkdir()
    subprocess.run(strace(calls, [sys.executable, "-c", program, str(top), str(log)]), check=True)
    recorder = Recorder(top, log)
    with calls.open() as lines:
        recorder.follow(lines)
    return recorder


@pytest.mark.parametrize("parent", [None, "/dev/shm"])  # noqa: S108 -- another file system
def test_what_was_changed(parent: str | None) -> None:
    """When all changes have reached the disk, its files are those that the process has left."""
    if parent is not None and not Path(parent).is_dir():
        pytest.skip(f"there is no {parent}")
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        recorder = follow(Path(folder), CHANGES)
        assert leave(recorder.changes, recorder.top, EVERYTHING, random.Random()) == read_tree(Path(folder, "top"))
        ((before, noted),) = recorder.noted
        assert noted == b"noted"
        assert 0 < before < len(recorder.changes)


@pytest.mark.parametrize(
    "program",
    [
        "import mmap, sys; file = open(sys.argv[1] + '/a', 'w+b'); file.truncate(1); mmap.mmap(file.fileno(), 1)",
        "import sys; file = open(sys.argv[1] + '/a', 'w+b'); file.write(b'x')",
        "import os, sys; os.symlink('b', sys.argv[1] + '/a')",
        "import os, sys; os.writev(os.open(sys.argv[1] + '/a', os.O_WRONLY | os.O_CREAT), [b'x'])",
        "import os; os.fork()",
    ],
)
def test_what_cannot_be_followed(tmp_path: Path, program: str) -> None:
    """It is not passed over: a change that nobody knows of would make every state wrong."""
    with pytest.raises(AssertionError, match=r"cannot be followed|a process of its own|is not known"):
        follow(tmp_path, program)
