"""Whatever stands in a file, there is a finding or a result, and never a traceback."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from observatory_lint import check
from observatory_lint.libraries import Libraries
from observatory_lint.looking import look
from observatory_lint.parsing import UnreadableError, quietly
from observatory_lint.reading import read, source_of

Found = list[tuple[int, str]]

LIBRARIES = Libraries()


@pytest.fixture
def found_in(here: Path) -> Callable[[bytes], Found]:
    """Return what writes an ephemeral file, and returns line and code of what is found in it."""
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["table"]\n', encoding="utf-8")

    def write_and_check(data: bytes) -> Found:
        (here / "table.py").write_bytes(data)
        return [(finding.line, finding.code) for finding in check(["table.py"], cached=False)]

    return write_and_check


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"x = 1\ndef :\n", 2),
        (b"x = (1\n", 1),
        (b"x = 1\n  y = 2\n", 2),
        (b"if x:\n", 1),
        (b"'''\n", 1),
        (b"x = 1\nx = '\0'\n", 2),
        (b"\0" * 100, 1),
        ("x = 1\n".encode("utf-16"), 1),
        (b"# coding: nonsense\n", 1),
        (b"x = '\xff'\n", 1),
        (b"x = 1" + b"0" * 5_000, 1),
        (b"(" * 500, 1),
        (b"-" * 100_000 + b"1", 1),
        (b"x = " + b"+".join([b"1"] * 20_000), 1),
        (b"x" + b".y" * 100_000, 1),
    ],
)
def test_what_is_no_python_is_a_finding(found_in: Callable[[bytes], Found], data: bytes, line: int) -> None:
    """It names the line where it stops making sense, or the first one."""
    assert found_in(data) == [(line, "OBS900")]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it is no error any more")
@pytest.mark.parametrize("text", ["type X = int\n", "def f[T](x: T): ...\n", "f'{'a'}'\n"])
def test_newer_syntax_says_who_has_read_it(here: Path, text: str) -> None:
    """The message names the Python that reads."""
    (here / "new.py").write_text(text, encoding="utf-8")
    (finding,) = check(["new.py"], cached=False)
    assert finding.code == "OBS900"
    assert "read as Python 3.11" in finding.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbfimport json\n",
        b"# -*- coding: latin-1 -*-\nx = '\xff'\n",
        b"x = 1\r\ny = 2\r\n",
        b"x = 1\ry = 2\r",
        b"x = '\\d'\n",
        b"\x0cx = 1\n",
        b"x = " + b"(" * 90 + b"1" + b")" * 90,
    ],
)
def test_what_looks_odd_and_is_python_is_read(found_in: Callable[[bytes], Found], data: bytes) -> None:
    """Encodings, ends of lines, and warnings of the parser are no findings."""
    assert [code for _, code in found_in(data)] == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_are_counted_once_however_they_end(found_in: Callable[[bytes], Found], end: bytes) -> None:
    """300 lines are allowed, whether or not the last one ends."""
    assert found_in((b"x = 1" + end) * 300) == []
    assert found_in((b"x = 1" + end) * 299 + b"x = 1") == []
    assert found_in((b"x = 1" + end) * 301) == [(301, "OBS201")]
    assert found_in((b"x = 1" + end) * 300 + b"x = 1") == [(301, "OBS201")]


def test_columns_count_characters(here: Path, found_in: Callable[[bytes], Found]) -> None:
    """Also behind letters that are several bytes, in a file of any encoding."""
    for encoding in ("utf-8", "latin-1"):
        found_in(f"# coding: {encoding}\nx = 'äöü'; import sqlite3\n".encode(encoding))
        (finding,) = check(["table.py"], cached=False)
        assert (finding.line, finding.column, finding.end_column) == (2, 12, 26)


def test_a_very_long_file_is_read(found_in: Callable[[bytes], Found]) -> None:
    """50,000 lines take seconds at most."""
    start = time.monotonic()
    found = found_in(b"x = f(1, 'a')\n" * 25_000 + b"open('a', 'w').write('x')\n" * 25_000)
    assert len(found) == 25_001
    assert time.monotonic() - start < 60


def test_loops_of_links_end(here: Path) -> None:
    """A folder that leads to one above it is entered once."""
    (here / "package").mkdir()
    (here / "package" / "table.py").write_text("import sqlite3\n", encoding="utf-8")
    (here / "package" / "again").symlink_to(here, target_is_directory=True)
    (here / "package" / "nowhere.py").symlink_to("missing.py")
    (here / "package" / "itself.py").symlink_to("itself.py")
    os.mkfifo(here / "package" / "pipe.py")
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["*table"]\n', encoding="utf-8")
    assert [(f.path, f.code) for f in check([here], cached=False)] == [("package/table.py", "OBS101")]


def test_a_link_takes_no_folder_its_name(here: Path) -> None:
    """Whichever is met first; what a link alone leads to is read there."""
    (here / "house").mkdir()
    (here / "house" / "table.py").write_text("import sqlite3\n", encoding="utf-8")
    (here / "a").mkdir()
    (here / "a" / "link").symlink_to(here / "house", target_is_directory=True)
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["*table"]\n', encoding="utf-8")
    assert [finding.path for finding in check([here], cached=False)] == ["house/table.py"]
    assert [finding.path for finding in check([here / "a"], cached=False)] == ["a/link/table.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_finding(here: Path) -> None:
    """It says why."""
    (here / "table.py").write_text("", encoding="utf-8")
    (here / "table.py").chmod(0)
    (finding,) = check(["table.py"], cached=False)
    assert (finding.code, finding.message) == ("OBS900", "cannot be read: Permission denied")


def test_a_path_that_does_not_exist_is_an_error(here: Path) -> None:
    """The message names it."""
    with pytest.raises(FileNotFoundError, match=r"missing\.py does not exist"):
        check(["missing.py"])


def _examine(data: bytes) -> None:
    with quietly(), suppress(UnreadableError):
        _, tree = read(data, LIBRARIES, {"a"})
        look(source_of(tree, data, LIBRARIES))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """There is no other way."""
    _examine(data)


_WORDS = """
import from as os io open sqlite3 x y self . , : = == ( ) [ ] { } "w" 'a' f"{x}" 1 + / | * ** := lambda def class
if else for in with async await try except finally return yield global nonlocal del match case None import_module
importlib __import__ getattr exec subprocess run ["psql"] Path write_text # noqa: OBS101
"""
LINES = st.lists(st.sampled_from([*_WORDS.split(), "\n", "\n    ", "\n        "]), max_size=30)


@settings(max_examples=200, deadline=5_000, suppress_health_check=[HealthCheck.too_slow])
@given(LINES)
def test_any_words_are_read_or_refused(found: list[str]) -> None:
    """Also what is nearly Python."""
    _examine(" ".join(found).encode())


PIECES = [
    "x = y", "y = x", "x = x.y", "x = x()", "x = [x for x in x]", "x = x + 'a'", "x += 1", "x = {'a': x}", "x = x['a']",
    "def x(x=x): return x", "x = lambda: x", "class x(x): x = x", "for x, y in x.items(): pass", "x, y = y, x",
    "x.open('w')", "open(x, x)", "import_module(x)", "x.append(x)", "import x", "from x import *", "from . import x",
    "global x", "x = getattr(x, 'x')", "x = f'{x}'", "x = x % x", "x = ''.join(x)", "x = x if x else y", "(x := x)",
    "with x as x: x()", "def y(self): self.x = self.x", "exec(x)", "x = partial(x, x)", "x = x[::-1]", "x = x / x",
]  # fmt: skip


@settings(max_examples=200, deadline=5_000, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.sampled_from(PIECES), max_size=12))
def test_names_that_lead_in_circles_end(outside: list[str], inside: list[str]) -> None:
    """Whatever names are bound to each other."""
    body = "".join(f"        {piece}\n" for piece in [*inside, "pass"])
    _examine(("\n".join(outside) + f"\nclass T:\n    def m(self, x):\n{body}").encode())
