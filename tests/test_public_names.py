"""What can be imported from `observatory`, at once and late."""

import ast
import inspect
import subprocess
import sys

import pytest

import observatory
from observatory import late


def imported(module: object) -> set[str]:
    """Return the names that a module's own source imports from Observatory, and hands on."""
    source = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    return {
        alias.asname
        for node in source.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


def test_every_name_is_listed() -> None:
    """`dir` has what is imported at once, and what is imported late."""
    assert imported(observatory) | imported(late) <= set(dir(observatory))


def test_no_name_stands_twice() -> None:
    """A name is imported at once or late."""
    assert not imported(observatory) & imported(late)


def test_everything_can_be_imported_by_a_star() -> None:
    """In a process in which nothing has asked for any of it before."""
    code = f"from observatory import *; print({', '.join(sorted(imported(observatory) | imported(late)))})"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_a_name_that_there_is_not() -> None:
    """It is the error that every other module has."""
    with pytest.raises(AttributeError, match=r"^module 'observatory' has no attribute 'Nothing'$"):
        getattr(observatory, "Nothing")  # noqa: B009  # for the type checker it is an error, too
    with pytest.raises(ImportError, match=r"^cannot import name 'Nothing' from 'observatory'"):
        exec("from observatory import Nothing")  # noqa: S102
