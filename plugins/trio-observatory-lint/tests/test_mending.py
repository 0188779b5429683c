"""Comments that suppress nothing are removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from observatory_lint.command import main


@pytest.fixture
def table(here: Path) -> Path:
    """Return an ephemeral file that is empty."""
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["table"]\n', encoding="utf-8")
    (here / "table.py").touch()
    return here / "table.py"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import json  # noqa: OBS101 -- why\n", "import json\n"),
        ("import json  # noqa: OBS101, E501 -- why\n", "import json  # noqa: E501 -- why\n"),
        ("import json  # noqa: OBS101,OBS301,OBS102 -- why\n", "import json\n"),
        ("import sqlite3  # noqa: OBS101, OBS102 -- why\n", "import sqlite3  # noqa: OBS101 -- why\n"),
        ("import json  # why not # noqa: OBS101 -- why\n", "import json  # why not\n"),
        ("x = 'äö'  # noqa: OBS101 -- why\r\ny = 1\r\n", "x = 'äö'\r\ny = 1\r\n"),
        ("x = 1  # noqa: OBS101 -- why\ry = 2  # noqa: OBS102 -- why\r", "x = 1\ry = 2\r"),
        ("import sqlite3  # noqa: OBS101 -- why\n", "import sqlite3  # noqa: OBS101 -- why\n"),
        ("x = 1  # NOQA:OBS101 E501\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: OBS101 -- see #12\n", "x = 1\n"),
        ("x = 1  # noqa: OBS101 -- why  # type: ignore\n", "x = 1  # type: ignore\n"),
        (
            "x = 1  # type: ignore  # noqa: OBS101, E501 -- why # pragma: no cover\n",
            "x = 1  # type: ignore  # noqa: E501 -- why # pragma: no cover\n",
        ),
        ("# noqa: OBS101 -- why", ""),
        ("x = '# noqa: OBS101 -- a'  # noqa: OBS101 -- b\n", "x = '# noqa: OBS101 -- a'\n"),
        ('x = """\n# noqa: OBS101 -- a\n"""  # noqa: OBS101 -- b\n', 'x = """\n# noqa: OBS101 -- a\n"""\n'),
        ("x = 1  # noqa: E501\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: OBS902 -- stays\n", "x = 1  # noqa: OBS902 -- stays\n"),
        ("\ufeffx = 'ä'  # noqa: OBS101 -- why\n", "\ufeffx = 'ä'\n"),
    ],
)
def test_comments_without_effect_are_removed(table: Path, before: str, after: str) -> None:
    """What they suppress besides stays, and so do ends of lines."""
    table.write_bytes(before.encode())
    assert main([".", "--fix-noqa"]) == 0
    assert table.read_bytes() == after.encode()


def test_the_encoding_of_a_file_stays(table: Path) -> None:
    """Whatever it declares."""
    text = "# coding: latin-1\nx = 'ä'{}\n"
    table.write_bytes(text.format("  # noqa: OBS101 -- why").encode("latin-1"))
    assert main([".", "--fix-noqa"]) == 0
    assert table.read_bytes() == text.format("").encode("latin-1")


def test_the_mode_of_a_file_stays_and_nothing_is_left_beside_it(table: Path) -> None:
    """Who may read it, and who may run it."""
    table.write_text("x = 1  # noqa: OBS101 -- why\n", encoding="utf-8")
    table.chmod(0o751)
    assert main([".", "--fix-noqa", "--no-cache"]) == 0
    assert table.stat().st_mode & 0o777 == 0o751
    assert sorted(path.name for path in table.parent.iterdir()) == ["pyproject.toml", "table.py"]


def test_a_link_stays_a_link(table: Path) -> None:
    """What it leads to is mended."""
    real = table.parent / "real.txt"
    table.rename(real)
    real.write_text("x = 1  # noqa: OBS101 -- why\n", encoding="utf-8")
    table.symlink_to("real.txt")
    assert main([".", "--fix-noqa"]) == 0
    assert table.is_symlink()
    assert real.read_text(encoding="utf-8") == "x = 1\n"


def test_what_was_mended_is_counted_and_the_rest_is_told(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the standard error, beside what is left."""
    table.write_text("x = 1  # noqa: OBS101 -- a\ny = 1  # noqa: OBS1 -- b\nimport dbm\n", encoding="utf-8")
    assert main([".", "--fix-noqa"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("table.py:3:1: OBS101 ")
    assert err == "observatory-lint: 2 comments mended\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everything")
@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o444), (0o555, 0o644)])
def test_what_may_not_be_written_is_told(
    table: Path, capsys: pytest.CaptureFixture[str], folder: int, file: int
) -> None:
    """By its name, and it stays as it is."""
    table.write_text("x = 1  # noqa: OBS101 -- a\n", encoding="utf-8")
    table.chmod(file)
    table.parent.chmod(folder)
    try:
        assert main([".", "--fix-noqa"]) == 2
    finally:
        table.parent.chmod(0o755)
    assert capsys.readouterr().err == f"observatory-lint: {table}: Permission denied\n"
    assert table.read_text(encoding="utf-8").endswith("OBS101 -- a\n")
