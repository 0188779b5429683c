"""What is remembered between runs, and what a change changes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from observatory_lint import Finding, check, reading
from observatory_lint.cache import NAME

FILES = {
    "pyproject.toml": '[tool.observatory.lint]\nephemeral = ["house.table"]\n',
    "house/__init__.py": "",
    "house/table.py": "from house.a import run\nopen('a', 'w')\n",
    "house/a.py": "from house.b import run\n",
    "house/b.py": "from house.c import run\n",
    "house/c.py": "def run(): ...\n",
    "house/bad.py": "def :\n",
}


@pytest.fixture
def house(here: Path) -> Path:
    """Return a project that was checked once."""
    for path, text in FILES.items():
        (here / path).parent.mkdir(exist_ok=True)
        (here / path).write_text(text, encoding="utf-8")
    check([here])
    return here


def _codes(found: list[Finding]) -> list[str]:
    return [finding.code for finding in found]


def _same(folder: Path) -> list[str]:
    """Return the codes, which a cache must not change."""
    found = check([folder])
    assert found == check([folder], cached=False)
    return _codes(found)


def test_what_has_not_changed_is_not_read_again(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is fine, nor what has findings, nor what is no Python."""
    before = check([house], cached=False)
    monkeypatch.setattr(reading, "parse", lambda data: pytest.fail("it is parsed"))
    monkeypatch.setattr("observatory_lint.checking.parse", lambda data: pytest.fail("it is parsed"))
    assert check([house]) == before
    assert _codes(before) == ["OBS900", "OBS106"]


def test_a_value_of_another_file_changes_what_is_found(house: Path) -> None:
    """The file with the call is the same as before: what it takes from others is remembered with where that was."""
    (house / "house/table.py").write_text("from house.names import MODE, run\nrun('a', MODE)\n", encoding="utf-8")
    assert _same(house) == ["OBS900"]
    for text, codes in [
        ("MODE = 'w'\nrun = open\n", ["OBS900", "OBS106"]),
        ("MODE = 'r'\nrun = open\n", ["OBS900"]),
        ("from house.more import *\nrun = open\n", ["OBS900"]),
        ("MODE = 'w'\ndef run(path, mode): ...\n", ["OBS900"]),
    ]:
        (house / "house/names.py").write_text(text, encoding="utf-8")
        assert _same(house) == codes
    (house / "house/names.py").write_text("from house.more import *\nrun = open\n", encoding="utf-8")
    (house / "house/more.py").write_text("MODE = 'x'\n", encoding="utf-8")
    assert _same(house) == ["OBS900", "OBS106"]


def test_a_change_far_away_changes_what_reaches_it(house: Path) -> None:
    """The file with the finding is the same as before."""
    assert _same(house) == ["OBS900", "OBS106"]
    (house / "house/c.py").write_text("import sqlite3\ndef run(): ...\n", encoding="utf-8")
    assert _same(house) == ["OBS900", "OBS102", "OBS106"]
    (house / "house/b.py").write_text("def run(): ...\n", encoding="utf-8")
    assert _same(house) == ["OBS900", "OBS106"]


def test_a_file_that_comes_or_goes_changes_what_imports_it(house: Path) -> None:
    """A local package of a library's name is none any more."""
    (house / "house/table.py").write_text("import redis\n", encoding="utf-8")
    assert _same(house) == ["OBS900", "OBS101"]
    (house / "redis.py").touch()
    assert _same(house) == ["OBS900"]
    (house / "redis.py").unlink()
    assert _same(house) == ["OBS900", "OBS101"]


def test_a_file_becomes_ephemeral_by_a_change_of_another(house: Path) -> None:
    """It is looked at then, though it has not changed itself."""
    (house / "house/a.py").write_text("class Base: ...\n", encoding="utf-8")
    (house / "house/d.py").write_text(
        "from house.a import Base\nclass D(Base): ...\nopen('a', 'w')\n", encoding="utf-8"
    )
    assert _same(house) == ["OBS900", "OBS106"]
    (house / "house/a.py").write_text("from observatory import Module\nclass Base(Module): ...\n", encoding="utf-8")
    assert _same(house) == ["OBS900", "OBS202", "OBS205", "OBS106", "OBS106"]


def test_settings_that_change_count_at_once(house: Path) -> None:
    """Results of other settings are not used."""
    (house / "house/c.py").write_text("import mystore\ndef run(): ...\n", encoding="utf-8")
    assert _same(house) == ["OBS900", "OBS106"]
    with (house / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('libraries = ["mystore"]\n')
    assert _same(house) == ["OBS900", "OBS102", "OBS106"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\xff" * 100,
        lambda data: b"[]",
        lambda data: b"[" * 100_000,
        lambda data: json.dumps({**json.loads(data), "files": 3}).encode(),
        lambda data: json.dumps({**json.loads(data), "files": dict.fromkeys(json.loads(data)["files"], 3)}).encode(),
        lambda data: json.dumps(
            {**json.loads(data), "files": {k: [[], 1, 2] for k in json.loads(data)["files"]}}
        ).encode(),
        lambda data: json.dumps({**json.loads(data), "key": "another"}).encode(),
    ],
)
def test_a_damaged_cache_is_written_anew(house: Path, damage: object) -> None:
    """It changes no result."""
    file = house / NAME / "results.json"
    assert callable(damage)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert _codes(check([house])) == ["OBS900", "OBS106"]
    assert file.read_bytes() == whole


def test_what_is_gone_is_forgotten(house: Path) -> None:
    """The cache holds what the project has, and nothing else lies beside it."""
    (house / "house/bad.py").unlink()
    check([house])
    assert len(json.loads((house / NAME / "results.json").read_bytes())["files"]) == 5
    assert {path.name for path in house.iterdir()} == {NAME, "pyproject.toml", "house"}
    assert {path.name for path in (house / NAME).iterdir()} == {"results.json", ".gitignore"}


def test_git_leaves_it_alone(house: Path) -> None:
    """Nobody has to tell it to."""
    subprocess.run(["git", "init", "-q"], cwd=house, check=True)
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    run = subprocess.run(status, cwd=house, capture_output=True, text=True, check=True)
    assert "house/table.py" in run.stdout
    assert NAME not in run.stdout


def test_a_folder_that_cannot_be_written_to_is_no_error(house: Path) -> None:
    """The next run works without."""
    shutil.rmtree(house / NAME)
    (house / NAME).touch()
    assert _codes(check([house])) == ["OBS900", "OBS106"]
