"""What a storage backend makes, and what it refuses to touch."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_sqlite import schema

from observatory import StorageError
from observatory.testing.samples import messages

OPENER = Path(__file__).with_name("opener.py")
NOBODY = 65534


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the umask for the time of the test."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077], indirect=True, ids=oct)
@pytest.mark.usefixtures("umask")
async def test_modes(bench: Any) -> None:
    """The folder and the files in it are their owner's alone, whatever the umask."""
    async with bench.open() as storage:
        await storage.append(messages("a"))
        assert stat.S_IMODE(bench.path.parent.stat().st_mode) == 0o700
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in bench.path.parent.iterdir()}
        assert modes == {"observatory.db": 0o600, "observatory.db-wal": 0o600, "observatory.db-lock": 0o600}


async def test_nothing_else_is_left(bench: Any) -> None:
    """Once closed, there is the database, and its lock."""
    async with bench.open() as storage:
        await storage.append(messages("a"))
    assert sorted(entry.name for entry in bench.path.parent.iterdir()) == ["observatory.db", "observatory.db-lock"]


async def test_a_path_of_its_own(bench: Any) -> None:
    """The database is where the setting says, in folders that are made."""
    path = bench.root / "some where" / "50%?#" / "mine.db"
    async with bench.open(path) as storage:
        await storage.append(messages("a"))
    assert path.is_file()
    assert not bench.path.exists()
    async with bench.open(path) as storage:
        assert len(await bench.everything(storage)) == 1


async def test_what_was_promised(bench: Any) -> None:
    """A commit is synchronised with the disk, through a log."""
    async with bench.open() as storage:
        connection = storage._database._connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_folder_in_its_place(bench: Any) -> None:
    """A folder is refused."""
    bench.path.mkdir(parents=True)
    assert "is no file: move that away" in await bench.refusal()


async def test_below_a_file(bench: Any) -> None:
    """A place below something that is no folder is refused."""
    bench.path.parent.write_text("mine")
    assert "Not a directory" in await bench.refusal()


@pytest.mark.parametrize("content", ["hello" * 1000, "SQLite format 3\0" + "x" * 5000])
async def test_no_database(bench: Any, content: str) -> None:
    """Another file is refused, and stays as it is."""
    bench.path.parent.mkdir()
    bench.path.write_text(content)
    assert "is no database, and was left as it is" in await bench.refusal()


async def test_an_empty_file(bench: Any) -> None:
    """A file without content has lost it: ours is never empty."""
    bench.path.parent.mkdir()
    bench.path.touch()
    assert "is damaged, and was left as it is" in await bench.refusal()


async def test_a_log_without_its_database(bench: Any) -> None:
    """When the database is gone and its log is there, no new one is made, since that would lose the log."""
    bench.path.parent.mkdir()
    bench.log.write_text("committed")
    assert "holds what was committed: put it back" in await bench.refusal()
    assert bench.log.read_text() == "committed"


async def test_a_database_of_another_program(bench: Any) -> None:
    """A good database that is not ours is refused."""
    bench.path.parent.mkdir()
    bench.execute("CREATE TABLE mine (x)")
    assert "is one of another program" in await bench.refusal()


async def test_a_newer_version(bench: Any) -> None:
    """A database that a newer version of this package has made is refused."""
    async with bench.open():
        pass
    bench.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    refusal = await bench.refusal()
    newest = len(schema.MIGRATIONS)
    assert f"is of version {newest + 1}, and versions up to {newest} are known here: install the newest" in refusal


async def test_version_0(bench: Any) -> None:
    """A database in which nothing has been made yet is brought to the newest version."""
    bench.path.parent.mkdir()
    bench.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    async with bench.open() as storage:
        await storage.append(messages("a"))
    assert bench.execute("PRAGMA user_version") == [(len(schema.MIGRATIONS),)]
    assert len(await bench.everything()) == 1


async def test_an_older_version(bench: Any) -> None:
    """A database of the first version gets what it lacks, and keeps what it has."""
    first, second = messages("a", "a")
    bench.path.parent.mkdir()
    bench.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    with closing(sqlite3.connect(bench.path)) as connection:
        schema.MIGRATIONS[0](connection)
        add = "INSERT INTO messages VALUES (1, 'a', 1, ?, ?, ?, ?, 'text', NULL, NULL)"
        micros = int(first.timestamp.timestamp() * 1_000_000)
        connection.execute(add, (first.id, first.from_, first.content, micros))
        connection.execute("INSERT INTO keys VALUES ('b', 'k', '00', 'a', ?, 1, ?)", (first.id, micros))
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    async with bench.open() as storage:
        assert await storage.append([second]) == [2]
    assert bench.execute("PRAGMA user_version") == [(len(schema.MIGRATIONS),)]
    _, _, key = await bench.everything()
    assert (key.id, key.expires_at) == (first.id, None)


async def test_a_migration_that_fails(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the database is what it was."""
    async with bench.open() as storage:
        await storage.append(messages("a"))

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM messages")
        connection.execute("DELETE FROM no_such_table")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, fail))
        with pytest.raises(StorageError, match="no such table"):
            await bench.storage().start()
    assert bench.execute("PRAGMA user_version") == [(len(schema.MIGRATIONS),)]
    assert len(await bench.everything()) == 1


async def test_two_in_one_process(bench: Any) -> None:
    """The second one is refused at once, the first one works on, and afterwards there is no lock."""
    async with bench.open() as storage:
        for number in (1, 2):
            with pytest.raises(StorageError, match="is in use by another Observatory"):
                await bench.storage().start()
            assert await storage.append(messages("a")) == [number]
    assert len(await bench.everything()) == 2


async def test_two_processes(bench: Any) -> None:
    """A second process is refused, and every other program too, also after this one has tried a second time."""
    async with bench.open() as storage:
        with pytest.raises(StorageError, match="is in use by another Observatory"):
            await bench.storage().start()
        done = await trio.run_process([sys.executable, OPENER, bench.root], capture_stdout=True)
        assert b"is in use by another Observatory" in done.stdout
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            bench.execute("SELECT * FROM messages")
        assert await storage.append(messages("a")) == [1]
    done = await trio.run_process([sys.executable, OPENER, bench.root], capture_stdout=True)
    assert done.stdout == b"1 messages\n"


async def test_a_copy_made_in_this_process(bench: Any) -> None:
    """SQLite's own lock is lost when this process reads the file, and a second process is refused all the same."""
    async with bench.open() as storage:
        bench.path.read_bytes()
        done = await trio.run_process([sys.executable, OPENER, bench.root], capture_stdout=True)
        assert b"is in use by another Observatory" in done.stdout
        assert await storage.append(messages("a")) == [1]
    assert len(await bench.everything()) == 1


async def test_another_program_reads(bench: Any) -> None:
    """While another program reads the database it is in use, and afterwards no more."""
    async with bench.open():
        pass
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM messages").fetchall()
        with pytest.raises(StorageError, match="is in use"):
            await bench.storage().start()
    async with bench.open():
        pass


async def test_two_that_make_it(bench: Any) -> None:
    """When several make a new database at the same time, one gets it, and none loses it."""
    won: list[Any] = []
    lost: list[str] = []

    async def start() -> None:
        storage = bench.storage()
        try:
            await storage.start()
        except StorageError as error:
            lost.append(str(error))
        else:
            won.append(storage)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(start)
    (storage,) = won
    assert await storage.append(messages("a")) == [1]
    await storage.aclose()
    assert all("is in use" in text for text in lost)
    assert sorted(entry.name for entry in bench.path.parent.iterdir()) == ["observatory.db", "observatory.db-lock"]
    assert len(await bench.everything()) == 1


async def test_used_while_it_is_closed(bench: Any) -> None:
    """Before `start` and after `aclose` the error says so."""
    storage = bench.storage()
    with pytest.raises(StorageError, match="is not open"):
        await storage.append(messages("a"))
    await storage.aclose()


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o000, 0o700), (0o400, 0o700), (0o600, 0o500), (0o600, 0o000)])
def test_without_rights(mode: int, folder_mode: int) -> None:
    """What may not be read and written is refused, whether that is the file or the folder."""
    if os.geteuid():
        pytest.skip("only the superuser can give the database to somebody else")
    with tempfile.TemporaryDirectory() as folder:
        if not all(parent.stat().st_mode & stat.S_IXOTH for parent in Path(folder).parents):
            pytest.skip(f"{folder} cannot be reached by a user without rights")
        os.chown(folder, NOBODY, NOBODY)
        for modes in ((), (mode, folder_mode)):
            command = [sys.executable, str(OPENER), folder, str(NOBODY), *map(str, modes)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        assert "observatory.db' cannot be " in done.stdout
        assert ": see that it" in done.stdout
