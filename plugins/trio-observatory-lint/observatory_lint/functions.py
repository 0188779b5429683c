"""Looking into functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def returns_of(node: ast.AST) -> Iterator[ast.expr]:
    """Return what a function or a lambda returns, not what functions in it do."""
    if isinstance(node, ast.Lambda):
        yield node.body
    waiting: list[ast.AST] = list(node.body) if isinstance(node, _FUNCTIONS) else []
    while waiting:
        found = waiting.pop()
        if isinstance(found, ast.Return) and found.value:
            yield found.value
        elif (isinstance(found, ast.stmt) and not isinstance(found, (*_FUNCTIONS, ast.ClassDef))) or isinstance(
            found, (ast.ExceptHandler, ast.match_case)
        ):
            waiting.extend(ast.iter_child_nodes(found))
