"""Expressions as text: `a.b().c` for what is made of names, attributes and calls, whatever the calls are handed."""

from __future__ import annotations

import ast

from observatory_lint.values import words

CONTAINERS = words(
    """
    dict list set bytearray deque defaultdict OrderedDict Counter ChainMap WeakKeyDictionary WeakValueDictionary WeakSet
    array SortedDict SortedList SortedSet
    """
)
"""What makes a container that can change."""

_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)

_NO_TABLES = words(
    """
    Event Lock StrictFIFOLock Condition Semaphore CapacityLimiter CancelScope Path PurePath Random TypeVar Logger
    ContextVar ParamSpec NewType Decimal Fraction UUID NamedTuple StringIO BytesIO
    """
)
"""Classes whose objects hold no data that is asked for."""


def dotted(node: ast.expr | None) -> str | None:
    """Return an expression as text, or None when it is something else; what a class is subscripted with is left out."""
    ends: list[str] = []
    while True:
        if isinstance(node, ast.Name):
            return node.id + "".join(reversed(ends))
        if isinstance(node, ast.Attribute):
            ends.append(f".{node.attr}")
            node = node.value
        elif isinstance(node, ast.Call):
            ends.append("()")
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return None


_FIELDS = frozenset({"field", "ib", "attrib", "Factory"})


def is_field(node: ast.expr) -> bool:
    """Return whether an expression in the body of a class describes a field, of which each object gets its own."""
    return isinstance(node, ast.Call) and (dotted(node.func) or "").rpartition(".")[2] in _FIELDS


def is_container(node: ast.expr) -> bool:
    """Return whether an expression is a container that can change, as far as it shows."""
    if isinstance(node, _DISPLAYS):
        return True
    return isinstance(node, ast.Call) and (dotted(node.func) or "").rpartition(".")[2] in CONTAINERS


def is_table(result: str) -> bool:
    """Return whether what a function returns, a dotted name or `{}`, is a container or an object like one."""
    name = result.removesuffix("()").rpartition(".")[2].lstrip("_")
    return result == "{}" or (result.endswith("()") and (name in CONTAINERS or _is_class_of_data(name)))


def makes_table(node: ast.AST) -> bool:
    """Return whether an expression makes a container or an object that may be a table."""
    if isinstance(node, (ast.IfExp, ast.BoolOp, ast.BinOp, ast.Tuple, ast.Starred, ast.NamedExpr)):
        return any(map(makes_table, ast.iter_child_nodes(node)))
    if isinstance(node, _DISPLAYS):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = (dotted(node.func) or "").rpartition(".")[2].lstrip("_")
    if name in CONTAINERS or name == "fromkeys":
        return True
    if name in _FIELDS:  # of a class that attrs or dataclasses make
        return (
            name == "Factory"
            or any(word.arg in {"factory", "default_factory"} for word in node.keywords)
            or any(map(makes_table, [*node.args, *(word.value for word in node.keywords if word.arg == "default")]))
        )
    return _is_class_of_data(name)


def _is_class_of_data(name: str) -> bool:
    return name[:1].isupper() and name not in _NO_TABLES
