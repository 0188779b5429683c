"""The check `sqlite`: its laws, and what it finds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from observatory_sqlite import SqliteSettings
from observatory_sqlite.checks import DatabaseCheck
from observatory_sqlite.database import Database

from observatory import CheckFactory, Clock, Context, Finding, PubSub
from observatory.testing import CheckConformance
from observatory.testing.checks import state_of
from observatory.testing.samples import messages

TAKE = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError:
    pass
else:
    sys.exit("somebody else can take it")
"""


def make_database(path: Path, *contents: Any) -> None:
    """Make a database with messages in it, and close it."""
    database = Database(path)
    database.open()
    database.append(list(contents))
    database.close()


class TestDatabaseCheck(CheckConformance):
    """The laws."""

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what the plugin registers."""
        return DatabaseCheck

    def spoil(self, root: Path) -> None:
        """Make a database that others can read, of a time to come, beside one that was being made."""
        path = root / "observatory" / "observatory.db"
        (message,) = messages("bob")
        make_database(path, attrs.evolve(message, timestamp=datetime.now(UTC) + timedelta(hours=1)))
        path.chmod(0o644)
        path.parent.chmod(0o755)
        leftover = path.parent / ".observatory.db-01abcd_z"
        leftover.mkdir()
        os.utime(leftover, (0, 0))


async def examine(bench: Any, path: Path | None = None) -> Sequence[Finding]:
    """Return what the check finds, once it has seen to it that looking changes nothing."""
    context = Context(bench.root, Clock(), PubSub(), SqliteSettings(path=path), {}, {})
    before = state_of(bench.root)
    found = await DatabaseCheck(context).run()
    assert state_of(bench.root) == before
    return found


async def test_a_good_one(bench: Any) -> None:
    """Nothing is wrong with a database that was closed."""
    make_database(bench.path, *messages("bob"))
    assert await examine(bench) == []


async def test_one_that_is_open(bench: Any) -> None:
    """Beside an Observatory nothing is found, and nothing is taken from it."""
    async with bench.open() as storage:
        assert await examine(bench) == []
        await storage.append(messages("bob"))
        await trio.run_process([sys.executable, "-c", TAKE, bench.path])


@pytest.mark.parametrize("ends", [True, False])
async def test_a_process_can_open_it_meanwhile(bench: Any, monkeypatch: pytest.MonkeyPatch, ends: bool) -> None:
    """Looking holds no lock, and what was seen of a file that may have been changed meanwhile is not told."""
    make_database(bench.path, *messages("bob"))
    other = Database(bench.path)
    read_from = DatabaseCheck._read_from

    def read_slowly(self: DatabaseCheck, connection: Any) -> Any:
        yield from read_from(self, connection)
        other.open()
        if ends:
            other.append(messages("bob"))
            other.close()
        yield Finding("", "", "")

    monkeypatch.setattr(DatabaseCheck, "_read_from", read_slowly)
    context = Context(bench.root, Clock(), PubSub(), None, {}, {})
    assert await DatabaseCheck(context).run() == []
    other.close()


async def test_a_log_of_a_process_that_was_killed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start puts it right, so there is nothing to find, and the database is not read for nothing."""
    monkeypatch.setattr(DatabaseCheck, "_read", lambda self, size: pytest.fail("it is read"))
    make_database(bench.path, *messages("bob"))
    bench.log.write_bytes(b"x" * 5000)
    bench.log.chmod(0o600)
    bench.path.write_bytes(b"y" * 5000)
    assert await examine(bench) == []


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (b"", "is damaged (it has 0 bytes)"),
        (b"hello" * 1000, "cannot be read ('file is not a database')"),
    ],
)
async def test_what_is_no_database(bench: Any, contents: bytes, problem: str) -> None:
    """It is said what it is, and the command moves it away."""
    make_database(bench.path)
    bench.path.write_bytes(contents)
    (finding,) = await examine(bench)
    assert finding.problem.startswith(problem)
    await trio.run_process(["sh", "-c", finding.remedy])
    assert not bench.path.exists()
    assert bench.path.with_name("observatory.db.aside").read_bytes() == contents


async def test_damage(bench: Any) -> None:
    """A page of noise is found as at a start."""
    make_database(bench.path, *(message for n in range(50) for message in messages("b", content="hello " * 100 * n)))
    contents = bench.path.read_bytes()
    half = len(contents) // 2
    bench.path.write_bytes(contents[:half] + b"\xff" * 8192 + contents[half + 8192 :])
    (finding,) = await examine(bench)
    assert "is damaged" in finding.problem
    assert finding.fix is None


async def test_a_folder_in_its_place(bench: Any) -> None:
    """It is no database."""
    bench.path.mkdir(parents=True)
    bench.path.parent.chmod(0o700)
    (finding,) = await examine(bench)
    assert finding.problem == "is no file"


async def test_one_of_another_program(bench: Any) -> None:
    """It is left to that."""
    make_database(bench.path)
    bench.execute("PRAGMA application_id = 7")
    (finding,) = await examine(bench)
    assert finding.problem == "is one of another program"


async def test_one_of_a_newer_version(bench: Any) -> None:
    """The command installs what knows it."""
    make_database(bench.path)
    bench.execute("PRAGMA user_version = 99")
    (finding,) = await examine(bench)
    assert "is of version 99" in finding.problem
    assert "install --upgrade trio-observatory-sqlite" in finding.remedy


async def test_a_time_that_is_none(bench: Any) -> None:
    """A text where a number belongs is damage that SQLite itself does not see."""
    make_database(bench.path)
    bench.execute("INSERT INTO messages VALUES (1, 'a', 1, '00', 'x', 'hello', 'yesterday', 'text', NULL, NULL)")
    (finding,) = await examine(bench)
    assert "a time is no number" in finding.problem


async def test_one_that_is_gone(bench: Any) -> None:
    """That it was here is known by the lock file; one that was made just now may come yet."""
    make_database(bench.path)
    bench.path.unlink()
    assert await examine(bench) == []
    os.utime(f"{bench.path}-lock", (time.time() - 100,) * 2)
    (finding,) = await examine(bench)
    assert finding.problem == "is missing, though it was opened here before"


async def test_a_log_without_its_database(bench: Any) -> None:
    """What it holds was committed."""
    make_database(bench.path)
    bench.path.unlink()
    bench.log.touch(0o600)
    (finding,) = await examine(bench)
    assert "holds what was committed" in finding.problem


async def test_a_folder_of_the_users_choice(bench: Any) -> None:
    """Its mode is theirs."""
    path = bench.root / "messages.db"
    make_database(path)
    bench.root.chmod(0o755)
    assert await examine(bench, path) == []


async def test_messages_of_now(bench: Any) -> None:
    """A clock that is a little behind has not gone backwards."""
    (message,) = messages("bob")
    make_database(bench.path, attrs.evolve(message, timestamp=datetime.now(UTC) + timedelta(seconds=30)))
    assert await examine(bench) == []
