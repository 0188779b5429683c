"""What is found, and where."""

from __future__ import annotations

import ast
from typing import NamedTuple


class Place(NamedTuple):
    """A stretch of a file, as `ast` counts: columns are offsets in UTF-8."""

    line: int
    """Counted from 1."""
    column: int
    """Bytes before it in its line."""
    end_line: int
    """The line where it ends."""
    end_column: int
    """Bytes of that line up to its end."""


class Raw(NamedTuple):
    """A finding in one file, as a rule tells it."""

    place: Place
    """Where it is."""
    code: str
    """Such as `OBS101`."""
    message: str
    """What is wrong, and what is allowed."""


class Step(NamedTuple):
    """A step of a chain of imports."""

    path: str
    """The file that imports."""
    line: int
    """The line of the import."""
    imports: str
    """What is imported: the dotted name."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.imports}"


class Finding(NamedTuple):
    """One finding. Findings sort by file, then by place, then by code."""

    path: str
    """The file, as it was named, or below a folder that was."""
    line: int
    """Counted from 1."""
    column: int
    """Characters, counted from 1."""
    end_line: int
    """The line where it ends."""
    end_column: int
    """The column after its last character."""
    code: str
    """Such as `OBS101`."""
    message: str
    """What is wrong, in one line."""
    chain: tuple[Step, ...] = ()
    """The imports that lead to a persistence library, from this file on."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text: how long lists of names are written here."""
    return frozenset(text.split())


def place_of(node: ast.expr | ast.stmt | ast.alias | ast.excepthandler | ast.keyword) -> Place:
    """Return where a node stands."""
    end_line, end_column = node.end_lineno, node.end_col_offset
    return Place(
        node.lineno,
        node.col_offset,
        node.lineno if end_line is None else end_line,
        node.col_offset if end_column is None else end_column,
    )


def head_of(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Place:
    """Return where a definition begins, up to its name: what is said of all of it stands there."""
    keyword = len("class ") if isinstance(node, ast.ClassDef) else len("def ")
    end = node.col_offset + keyword + len(node.name.encode())
    return Place(node.lineno, node.col_offset, node.lineno, end)
