"""Settings, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from observatory_lint import SettingsError, check

TABLE = "$.tool.observatory.lint"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("ephemeral = 3", "ephemeral", "expected a list of text, got a number"),
        ("ephemeral = ['a', 3]", "ephemeral[1]", "expected a text that is not empty, got a number"),
        ("ephemeral = ['']", "ephemeral[0]", "expected a text that is not empty, got an empty text"),
        ("ephemeral = ['a b']", "ephemeral[0]", "expected a dotted name such as 'package.module', got 'a b'"),
        ("libraries = [true]", "libraries[0]", "expected a text that is not empty, got a boolean"),
        ("ephemral = []", "ephemral", "unknown key; did you mean 'ephemeral'?"),
        ("zzz = []", "zzz", "unknown key; known are ephemeral, libraries, allow,"),
        ("application = []", "application", "expected a text that is not empty, got a list"),
        ("select = ['OBS999']", "select[0]", "'OBS999' is no code, nor what one begins with; did you mean OBS9"),
        ("ignore = ['E501']", "ignore[0]", "'E501' is no code, nor what one begins with"),
        ("per-file-ignores = []", "per-file-ignores", "expected a table of patterns with lists of codes, got a list"),
        ("per-file-ignores = {a = ['X']}", 'per-file-ignores."a"[0]', "'X' is no code"),
    ],
)
def test_wrong_settings_name_the_path(here: Path, text: str, path: str, message: str) -> None:
    """The message says what is allowed, and the nearest name."""
    (here / "pyproject.toml").write_text(f"[tool.observatory.lint]\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as info:
        check([here])
    assert info.value.path == f"{TABLE}.{path}"
    assert str(info.value).startswith(f"{here / 'pyproject.toml'}: {TABLE}.{path}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.observatory]\nlint = 3\n", "$.tool.observatory.lint: expected a table, got a number"),
        ("[tool.observatory.lint\n", "$: is no TOML: "),
    ],
)
def test_what_is_no_table_is_an_error(here: Path, text: str, message: str) -> None:
    """Also a file that is no TOML at all."""
    (here / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as info:
        check([here])
    assert message in str(info.value)


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [
        ("a/b/table.py", True),
        ("a/b/*.py", True),
        ("a", True),
        ("a/b/", True),
        ("table.py", True),
        ("**/table.py", True),
        ("**/b/**", True),
        ("b/table.py", False),
        ("a/c", False),
        ("tabl", False),
    ],
)
def test_patterns_of_files(here: Path, pattern: str, ignored: bool) -> None:
    """A pattern is for the path from the project's folder on; one without a slash is for any folder or file."""
    (here / "a/b").mkdir(parents=True)
    (here / "a/b/table.py").write_text("import sqlite3\n", encoding="utf-8")
    settings = f'[tool.observatory.lint]\nephemeral = ["*.table"]\nper-file-ignores = {{ "{pattern}" = ["OBS1"] }}\n'
    (here / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert bool(check([here], cached=False)) is not ignored


def test_codes_that_are_asked_for_replace_those_in_the_settings(here: Path) -> None:
    """`select` instead of them, `ignore` besides them."""
    (here / "table.py").write_text("import sqlite3\nopen('a', 'w')\n", encoding="utf-8")
    settings = '[tool.observatory.lint]\nephemeral = ["table"]\nselect = ["OBS101"]\n'
    (here / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert [finding.code for finding in check([here], cached=False)] == ["OBS101"]
    assert [finding.code for finding in check([here], cached=False, select=("OBS106",))] == ["OBS106"]
    assert [finding.code for finding in check([here], cached=False, select=("OBS1",))] == ["OBS101", "OBS106"]
    assert check([here], cached=False, ignore=("OBS10",)) == []


def test_settings_are_those_of_the_nearest_project_that_has_some(here: Path) -> None:
    """A project without them, below one that has them, is a part of that."""
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["inner.table"]\n', encoding="utf-8")
    (here / "plugins/one/inner").mkdir(parents=True)
    (here / "plugins/one/pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (here / "plugins/one/inner/__init__.py").touch()
    file = here / "plugins/one/inner/table.py"
    file.write_text("import sqlite3\n", encoding="utf-8")
    assert [finding.code for finding in check([file], cached=False)] == ["OBS101"]
    (here / "plugins/one/pyproject.toml").write_text("[tool.observatory.lint]\n", encoding="utf-8")
    assert check([file], cached=False) == []
