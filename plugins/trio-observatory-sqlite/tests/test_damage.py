"""Databases that something has happened to: they are refused, or nothing is missing, and nothing is ever reset."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from observatory import Cleared, StorageError, Stored
from observatory.testing.samples import messages
from observatory.testing.storage import of_every_kind

PAGE = 4096
SEED = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))


@pytest.fixture
async def kept(bench: Any) -> list[Stored]:
    """Make a database with something in every table and with free pages, and return what is replayed of it."""
    async with bench.open() as storage:
        for number in range(40):
            await storage.append([*of_every_kind(f"a{number}"), *messages("b", content="hello " * 100 * number)])
        await storage.append(messages(*["c"] * 100, content="x" * 200))
        await storage.append([Cleared("c"), Cleared("a3")])
        found: list[Stored] = await bench.everything(storage)
    return found


async def damage(bench: Any, change: Callable[[Path], None]) -> list[Stored] | str:
    """Damage a copy; return what is replayed of it, or why it is not."""
    good = bench.path.read_bytes()
    change(bench.path)
    bad = bench.path.read_bytes()
    found: list[Stored] | str
    try:
        found = await bench.everything()
    except StorageError as error:
        found = str(error)
    assert isinstance(found, list) or bench.path.read_bytes() == bad, "what is damaged was changed"
    bench.log.unlink(missing_ok=True)
    bench.path.write_bytes(good)
    return found


@pytest.mark.parametrize("kept_bytes", [1, 99, 100, PAGE - 1, PAGE, PAGE + 1, -PAGE])
async def test_cut_off(bench: Any, kept: list[Stored], kept_bytes: int) -> None:
    """A database that lacks its end is refused, wherever it was cut."""
    size = bench.path.stat().st_size
    refusal = await damage(bench, lambda path: os.truncate(path, kept_bytes % size))
    assert "was left as it is" in refusal
    assert await bench.everything() == kept


async def test_pages_of_noise(bench: Any, kept: list[Stored]) -> None:
    """When any page was overwritten, the database is refused, or that page held nothing."""
    chance = random.Random(SEED)
    pages = bench.path.stat().st_size // PAGE
    found = [await damage(bench, overwrite(page * PAGE, chance.randbytes(PAGE))) for page in range(pages)]
    refused = [each for each in found if isinstance(each, str)]
    print(f"FAULTS_SEED={SEED}: {len(refused)} of {pages} damaged pages were noticed")
    assert all("damaged" in each or "no database" in each for each in refused)
    assert all(each == kept for each in found if not isinstance(each, str))
    assert len(refused) > pages // 2


async def test_pages_of_zeros(bench: Any, kept: list[Stored]) -> None:
    """A page of zeros, as a file system leaves it after a crash, is found, unless it held nothing but text."""
    pages = bench.path.stat().st_size // PAGE
    found = [await damage(bench, overwrite(page * PAGE, bytes(PAGE))) for page in range(pages)]
    refused = [each for each in found if isinstance(each, str)]
    assert all("damaged" in each or "no database" in each for each in refused)
    assert all(len(each) == len(kept) for each in found if not isinstance(each, str))
    assert len(refused) > pages // 2


async def test_a_schema_that_is_no_text(bench: Any, kept: list[Stored]) -> None:
    """It is told as damage, although SQLite's own words about it cannot be read."""
    place = bench.path.read_bytes().index(b"CREATE TABLE")
    for offset in range(60):
        refusal = await damage(bench, overwrite(place + offset, b"\xa5"))
        assert isinstance(refusal, list) or "was left as it is" in refusal
    assert await bench.everything() == kept


async def test_single_bytes(bench: Any, kept: list[Stored]) -> None:
    """A byte that is wrong may be a letter in a text; but no message is missing where the database is not refused."""
    chance = random.Random(SEED)
    size = bench.path.stat().st_size
    refused = 0
    for _ in range(150):
        found = await damage(bench, overwrite(chance.randrange(100, size), chance.randbytes(1)))
        if isinstance(found, str):
            refused += 1
        else:
            assert len(found) == len(kept)
    print(f"FAULTS_SEED={SEED}: {refused} of 150 wrong bytes were noticed")


@pytest.mark.parametrize(
    "change",
    [
        "messages SET recipient = CAST(x'ff' AS TEXT)",
        "messages SET content = CAST(x'ff' AS TEXT)",
        "messages SET timestamp = 'yesterday'",
        f"messages SET timestamp = {2**62}",
        "messages SET metadata = '{'",
        "messages SET sequence = 7",
        "keys SET timestamp = 'yesterday'",
        "deliveries SET at = 'yesterday'",
        "dead_letters SET given_up = 'yesterday'",
    ],
)
async def test_values_that_nobody_wrote(bench: Any, kept: list[Stored], change: str) -> None:
    """What cannot be read as what it should be is told as damage."""
    bench.execute(f"UPDATE {change}")
    with pytest.raises(StorageError, match="is damaged, and was left as it is"):
        await bench.everything()


async def test_a_log_that_lost_its_end(bench: Any) -> None:
    """What is left of a log is whole commits, from the first one on."""
    async with bench.open() as storage:
        for number in range(20):
            await storage.append(messages("a", "b", content=str(number)))
        database, log = bench.path.read_bytes(), bench.log.read_bytes()
    counts = []
    for size in range(0, len(log), len(log) // 15):
        bench.path.write_bytes(database)
        bench.log.write_bytes(log[:size])
        found = await bench.contents()
        counts.append(len(found))
        assert found == [str(number) for number in range(len(found) // 2) for _ in "ab"]
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[-1]


def overwrite(place: int, data: bytes) -> Callable[[Path], None]:
    """Return what writes over a part of a file."""

    def change(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(data)

    return change
