"""Names of files and of what they import."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from observatory_lint import check
from observatory_lint.files import Roots
from observatory_lint.libraries import PERSISTENCE, Libraries
from observatory_lint.project import resolve

NAMES = st.lists(st.sampled_from(["a", "b", "cc"]), max_size=4).map(".".join)


@given(NAMES, NAMES, st.integers(0, 6))
def test_relative_imports_are_those_of_python(package: str, module: str, level: int) -> None:
    """Also what leads out of the topmost package."""
    try:
        expected = importlib.util.resolve_name("." * level + module, package) if level else module
    except ImportError:
        expected = None
    assert resolve(package, module, level) == expected


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("house/__init__.py", ["house"]),
        ("house/inner/table.py", ["house.inner.table"]),
        ("src/home/table.py", ["home.table", "src.home.table"]),
        ("space/table.py", ["space.table"]),
        ("plugins/one-two/two/table.py", ["two.table"]),
        ("one-two/table.py", ["table"]),
        ("no-name.py", []),
        ("setup.py", ["setup"]),
    ],
)
def test_a_file_has_the_names_that_it_is_imported_by(here: Path, path: str, names: list[str]) -> None:
    """In the flat layout and in `src`, in packages with and without a file of their own."""
    for package in ("house", "house/inner", "src/home", "plugins/one-two/two"):
        (here / package).mkdir(parents=True)
        (here / package / "__init__.py").touch()
    (here / "plugins/one-two/pyproject.toml").touch()
    assert Roots([str(here)]).names(str(here / path)) == names


@pytest.mark.parametrize("name", sorted(PERSISTENCE))
def test_every_library_is_found(here: Path, name: str) -> None:
    """By itself and by what is below it, and not by what only begins like it."""
    (here / "pyproject.toml").write_text('[tool.observatory.lint]\nephemeral = ["table"]\n', encoding="utf-8")
    above, _, last = name.rpartition(".")
    lines = [f"import {name}", f"import {name}.inner as x", f"from {name} import x", f"from {name}.inner import x"]
    lines += [f"from {above} import {last}"] if above else []
    allowed = [f"import {name}_more", f"from more_{name} import x", f"from house.{name} import x"]
    (here / "table.py").write_text("".join(f"{line}\n" for line in [*lines, *allowed]), encoding="utf-8")
    found = [(finding.line, finding.code) for finding in check(["table.py"], cached=False)]
    assert found == [(number + 1, "OBS101") for number in range(len(lines))]


def test_libraries_are_added_and_removed() -> None:
    """What is removed takes what is below with it; a part of a library can be removed alone."""
    libraries = Libraries(["house.store"], ["redis", "django.db.utils"])
    matches = {
        "house.store.inner": "house.store",
        "house": None,
        "redis": None,
        "redis.client": None,
        "django.db": "django.db",
        "django.db.utils.Error": None,
        "django": None,
    }
    assert {name: libraries.match(name) for name in matches} == matches
