"""Looking into annotations."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_AROUND = frozenset({"Optional", "Annotated", "Final", "ClassVar", "Union"})


def classes_in(node: ast.expr | None) -> Iterator[ast.expr]:
    """Return the names of the classes that an annotation is made of, without what they are subscripted with."""
    match node:
        case ast.Constant(value=str() as text):
            try:
                yield from classes_in(ast.parse(text, mode="eval").body)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            yield from classes_in(left)
            yield from classes_in(right)
        case ast.Subscript(value=ast.Name(id=around) | ast.Attribute(attr=around), slice=inner) if around in _AROUND:
            parts = inner.elts if isinstance(inner, ast.Tuple) and around == "Union" else [inner]
            for part in parts:
                yield from classes_in(part.elts[0] if isinstance(part, ast.Tuple) and part.elts else part)
        case ast.Subscript(value=value):
            yield from classes_in(value)
        case ast.Name() | ast.Attribute():
            yield node
