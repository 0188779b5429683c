"""One file as rules look at it: its tree, its scopes, and what expressions in it come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from observatory_lint.computing import Texts
from observatory_lint.elsewhere import Elsewhere
from observatory_lint.libraries import Libraries
from observatory_lint.origins import Origins
from observatory_lint.scopes import Binding, Scope, Scopes
from observatory_lint.texts import Reader


class Source:
    """A file that was parsed.

    Args:
        tree: the file.
        lines: how many lines it has.
        libraries: what means persistence.
        depth: how many texts that are run it is within.
        elsewhere: what is known of other files.

    Attributes:
        scopes: its scopes.
    """

    def __init__(
        self,
        tree: ast.Module,
        lines: int,
        libraries: Libraries,
        *,
        depth: int = 0,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.tree = tree
        self.lines = lines
        self.depth = depth
        self.libraries = libraries
        self.scopes = Scopes(tree)
        self._origins = Origins(self.scopes, elsewhere or Elsewhere())
        self._reader = Reader(self._origins)
        self._calls: dict[ast.Call, Sequence[Call]] = {}

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

    def bound(self, binding: Binding, node: ast.AST, scope: Scope) -> list[ast.AST]:
        """Return the expressions that one way of binding a name comes down to."""
        return [leaf.node for leaf in self._origins.of_binding(binding, node, scope)]

    def members(self, node: ast.expr, scope: Scope) -> list[tuple[ast.expr, Scope]]:
        """Return the elements of the display that an expression is."""
        return self._origins.members(node, scope)

    def calls(self, node: ast.Call, scope: Scope) -> Sequence[Call]:
        """Return what a call calls: its function, and functions that it hands on with what they are to be called with.

        `trio.to_thread.run_sync(open, path, "w")` calls `open`, as far as a rule is concerned.
        """
        found = self._calls.get(node)
        if found is None:
            found = self._calls[node] = list(self._called(node, scope))
        return found

    def _called(self, node: ast.Call, scope: Scope) -> Iterator[Call]:
        args, keywords = self._given(node, scope)
        origins = self.origins(node.func, scope)
        for origin in sorted(origins):  # always the same one first
            yield Call(origin, node.func, args, keywords, scope)
        for index, arg in enumerate([] if "builtins.staticmethod" in origins else args):
            if isinstance(arg, (ast.Name, ast.Attribute)):
                for origin in sorted(self.origins(arg, scope)):
                    if not origin.startswith(("#", "@")):
                        yield Call(origin, arg, args[index + 1 :], keywords, scope, handed=True)

    def _given(self, node: ast.Call, scope: Scope) -> tuple[list[ast.expr], list[ast.keyword]]:
        """Return the arguments of a call, also those that stand in a tuple or a dict that is unpacked."""
        args: list[ast.expr] = []
        for arg in node.args:
            parts = [part for part, _ in self.members(arg.value, scope)] if isinstance(arg, ast.Starred) else []
            args.extend(parts or [arg])
        keywords: list[ast.keyword] = []
        for word in node.keywords:
            parts_by_name = self._items(word.value, scope) if word.arg is None else []
            keywords.extend(parts_by_name or [word])
        return args, keywords

    def _items(self, node: ast.expr, scope: Scope) -> list[ast.keyword]:
        return [
            ast.keyword(key.value, value)
            for leaf in self._origins.leaves(node, scope)
            if isinstance(leaf.node, ast.Dict)
            for key, value in zip(leaf.node.keys, leaf.node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        ]


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
