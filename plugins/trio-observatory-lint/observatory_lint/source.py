"""One file as rules look at it: its tree, its scopes, and what expressions in it come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from observatory_lint.libraries import Libraries
from observatory_lint.origins import Origins
from observatory_lint.scopes import Scope, Scopes
from observatory_lint.texts import Reader, Texts


class Source:
    """A file that was parsed.

    Args:
        tree: the file.
        lines: how many lines it has.
        libraries: what means persistence.

    Attributes:
        scopes: its scopes.
    """

    def __init__(self, tree: ast.Module, lines: int, libraries: Libraries) -> None:
        self.tree = tree
        self.lines = lines
        self.libraries = libraries
        self.scopes = Scopes(tree)
        self._origins = Origins(self.scopes)
        self._reader = Reader(self._origins)

    def origins(self, node: ast.AST | None, scope: Scope) -> frozenset[str]:
        """Return where the value of an expression comes from; see `observatory_lint.origins`."""
        return self._origins.of(node, scope)

    def texts(self, node: ast.AST | None, scope: Scope) -> Texts:
        """Return the texts that an expression may be."""
        return self._reader.texts(node, scope)

    def elements(self, node: ast.expr, scope: Scope) -> list[list[Texts]]:
        """Return the lists of texts that an expression may be."""
        return self._reader.elements(node, scope)

    def values(self, node: ast.expr, scope: Scope) -> list[tuple[ast.AST, Scope]]:
        """Return the expressions that an expression comes down to."""
        return [(leaf.node, leaf.scope) for leaf in self._origins.leaves(node, scope)]

    def members(self, node: ast.expr, scope: Scope) -> list[tuple[ast.expr, Scope]]:
        """Return the elements of the display that an expression is."""
        return self._origins.members(node, scope)

    def calls(self, node: ast.Call, scope: Scope) -> Iterator[Call]:
        """Return what a call calls: its function, and functions that it hands on with what they are to be called with.

        `trio.to_thread.run_sync(open, path, "w")` calls `open`, as far as a rule is concerned.
        """
        for origin in self.origins(node.func, scope):
            yield Call(origin, node.func, node.args, node.keywords, scope)
        for index, arg in enumerate(node.args):
            if isinstance(arg, (ast.Name, ast.Attribute)):
                for origin in self.origins(arg, scope):
                    if not origin.startswith(("#", "@")):
                        yield Call(origin, arg, node.args[index + 1 :], node.keywords, scope, handed=True)


class Call(NamedTuple):
    """A call of something that is known."""

    origin: str
    """Where the function comes from."""
    function: ast.expr
    """The function as it is written."""
    args: list[ast.expr]
    """What it is given by position."""
    keywords: list[ast.keyword]
    """What it is given by name."""
    scope: Scope
    """Where it is called."""
    handed: bool = False
    """Whether somebody else is to call it."""

    def argument(self, position: int, name: str) -> ast.expr | None:
        """Return an argument by position or name; None when it is not given, or cannot be told."""
        for keyword in self.keywords:
            if keyword.arg == name:
                return keyword.value
        given = self.args[: position + 1]
        if len(given) <= position or any(isinstance(arg, ast.Starred) for arg in given):
            return None
        return given[position]
