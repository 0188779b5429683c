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
        (
            "ephemeral = ['a b']",
            "ephemeral[0]",
            "expected a dotted name such as 'package.module' or 'package.*'",
        ),
        (
            "ephemeral = ['a[b]']",
            "ephemeral[0]",
            "expected a dotted name such as 'package.module' or 'package.*'",
        ),
        ("libraries = ['our_*']", "libraries[0]", "expected a dotted name such as 'package.module', got 'our_*'"),
        ("allow = ['redi']", "allow[0]", "'redi' is no persistence library, nor below one; did you mean 'redis'?"),
        (
            "allow = ['django']",
            "allow[0]",
            "'django' is no persistence library, nor below one; did you mean 'django.db",
        ),
        ("libraries = ['ours']\nallow = ['ours.a', 'json']", "allow[1]", "'json' is no persistence library, nor below"),
        ("application = 'nowhere.py'", "application", "there is no file 'nowhere.py' in "),
        ("select = ['obs101']", "select[0]", "'obs101' is no code, nor what one begins with; did you mean OBS101?"),
        ("libraries = [true]", "libraries[0]", "expected a text that is not empty, got a boolean"),
        ("ephemral = []", "ephemral", "unknown key; did you mean 'ephemeral'?"),
        ("zzz = []", "zzz", "unknown key; known are ephemeral, libraries, allow,"),
        ("application = []", "application", "expected a text that is not empty, got a list"),
        ("select = ['OBS999']", "select[0]", "'OBS999' is no code, nor what one begins with; did you mean OBS9"),
        ("ignore = ['E501']", "ignore[0]", "'E501' is no code, nor what one begins with; known are OBS101,"),
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
        ("tool = 3 # observatory\n", "$.tool: expected a table, got a number"),
        ("[tool.observatory.lnt]\n", "$.tool.observatory.lnt: unknown key; did you mean 'lint'?"),
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


def test_settings_that_cannot_be_read_are_an_error(here: Path) -> None:
    """The message says why."""
    (here / "pyproject.toml").write_bytes(b"[tool.observatory.lint]\nx = '\xff'\n")
    with pytest.raises(SettingsError, match=r"\$: is no TOML: 'utf-8' codec can't decode"):
        check([here])
    (here / "pyproject.toml").unlink()
    (here / "pyproject.toml").mkdir()
    with pytest.raises(SettingsError, match=r"\$: cannot be read: Is a directory"):
        check([here])


def test_tables_of_others_are_theirs(here: Path) -> None:
    """Below `tool.observatory` stands what else belongs to Observatory."""
    (here / "pyproject.toml").write_text("[tool.observatory.swarm]\nx = 1\n", encoding="utf-8")
    assert check([here], cached=False) == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("", ["OBS101", "OBS101"]),
        ("libraries = ['our_orm']", ["OBS101", "OBS101", "OBS101"]),
        ("allow = ['redis']", ["OBS101"]),
        ("allow = ['redis.exceptions']", ["OBS101"]),
        ("libraries = ['our_orm']\nallow = ['our_orm.values', 'redis', 'django.db.utils']", []),
    ],
)
def test_libraries_are_added_and_removed(here: Path, settings: str, found: list[str]) -> None:
    """As a whole, or what stands below one."""
    text = "import our_orm.values\nfrom redis.exceptions import RedisError\nimport django.db.utils\n"
    (here / "table.py").write_text(text, encoding="utf-8")
    (here / "pyproject.toml").write_text(
        f"[tool.observatory.lint]\nephemeral = ['table']\n{settings}\n", encoding="utf-8"
    )
    assert [finding.code for finding in check([here], cached=False)] == found


@pytest.mark.parametrize(
    ("pattern", "ephemeral"),
    [
        ("house.tables", False),
        ("house.tables.*", True),
        ("house.*", True),
        ("*", True),
        ("*.notes", True),
        ("*notes", True),
        ("house.tables.notes", True),
        ("house.table*.n*s", True),
        ("tables.notes", False),
        ("house", False),
    ],
)
def test_patterns_of_ephemeral_modules(here: Path, pattern: str, ephemeral: bool) -> None:
    """`*` stands for any letters, dots too."""
    (here / "house/tables").mkdir(parents=True)
    (here / "house/__init__.py").touch()
    (here / "house/tables/__init__.py").touch()
    (here / "house/tables/notes.py").write_text("import dbm\n", encoding="utf-8")
    (here / "pyproject.toml").write_text(f"[tool.observatory.lint]\nephemeral = ['{pattern}']\n", encoding="utf-8")
    assert bool(check([here], cached=False)) == ephemeral


def test_the_application_is_the_file_that_is_named(here: Path) -> None:
    """And no other that happens to have the usual name."""
    (here / "main.py").write_text(
        "from observatory import Mailbox, Notes, SwarmMonitor\nmodules = [Mailbox, SwarmMonitor, Notes]\n",
        encoding="utf-8",
    )
    (here / "application.py").write_text(
        "from observatory import Mailbox, Notes\nmodules = [Mailbox, Notes]\n", encoding="utf-8"
    )
    settings = here / "pyproject.toml"
    settings.write_text("[tool.observatory.lint]\n", encoding="utf-8")
    assert [(finding.path, finding.code) for finding in check([here], cached=False)] == [("application.py", "OBS204")]
    settings.write_text("[tool.observatory.lint]\napplication = 'main.py'\n", encoding="utf-8")
    assert check([here], cached=False) == []
