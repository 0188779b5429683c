"""What expressions come down to, as far as one file tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from observatory_lint.functions import returns_of
from observatory_lint.scopes import Binding, Scope, Scopes, owner_of

MOST = 64
"""Values that one expression may have; what has more is not known."""

DEEPEST = 24
"""Steps from a use to what it comes from."""

_STEPS = 500  # to answer one question; names that lead in circles have no end of ways


class Leaf(NamedTuple):
    """What an expression comes down to."""

    binding: Binding | None
    """How the name is bound that it is; None where an expression is left."""
    node: ast.AST
    """The expression."""
    scope: Scope
    """Where it stands."""


class Leaves:
    """Looks into one file.

    Args:
        scopes: the file's.
    """

    def __init__(self, scopes: Scopes) -> None:
        self.scopes = scopes
        self._active: set[tuple[int, int]] = set()
        self._known: dict[tuple[int, int], tuple[Leaf, ...]] = {}
        self._questions = 0
        self._steps = 0

    def __enter__(self) -> None:
        """Count what is asked within a block as one question, which takes a limited number of steps."""
        if self._questions == 0:
            self._steps = 0
        self._questions += 1

    def __exit__(self, *_: object) -> None:
        self._questions -= 1

    def leaves(self, node: ast.AST, scope: Scope) -> tuple[Leaf, ...]:
        """Return what an expression may come down to: through names, attributes of `self`, branches, and results."""
        key = (id(node), id(scope))
        self._steps = self._steps + 1 if self._questions else 0
        if self._steps > _STEPS:
            return ()
        if key in self._known:
            return self._known[key]
        if key in self._active or len(self._active) > DEEPEST:
            return ()
        self._active.add(key)
        try:
            with self:
                found = tuple(dict.fromkeys(islice(self._leaves(node, scope), MOST)))
        finally:
            self._active.remove(key)
        if not self._active:
            self._known[key] = found
        return found

    def members(self, node: ast.AST, scope: Scope, key: object = None) -> list[tuple[ast.expr, Scope]]:
        """Return the elements of a display that an expression is, those of a dict by its values; `key` picks one."""
        found: list[tuple[ast.expr, Scope]] = []
        for leaf in self.leaves(node, scope):
            inner = leaf.node
            if isinstance(inner, (ast.List, ast.Tuple, ast.Set)):
                elements = inner.elts
                if isinstance(key, int) and -len(elements) <= key < len(elements):
                    elements = [elements[key]]
                found.extend((element, leaf.scope) for element in elements)
            elif isinstance(inner, ast.Dict):
                found.extend(
                    (value, leaf.scope)
                    for name, value in zip(inner.keys, inner.values, strict=True)
                    if key is None or not isinstance(name, ast.Constant) or name.value == key
                )
        return found[:MOST]

    def _leaves(self, node: ast.AST, scope: Scope) -> Iterator[Leaf]:
        match node:
            case ast.Name():
                yield from self._of_name(node, scope)
            case ast.IfExp():
                yield from self.leaves(node.body, scope)
                yield from self.leaves(node.orelse, scope)
            case ast.BoolOp():
                for value in node.values:
                    yield from self.leaves(value, scope)
            case ast.NamedExpr() | ast.Await() | ast.Starred():
                yield from self.leaves(node.value, scope)
            case ast.Attribute():
                yield from self._of_attribute(node, scope)
            case ast.Subscript(value=ast.Call(func=ast.Name(id="globals")), slice=ast.Constant(value=str() as key)):
                for binding in scope.module.names.get(key, ()):
                    yield from self.of_binding(binding, node, scope.module)
            case ast.Subscript(slice=ast.Constant(value=key)):
                chosen = self.members(node.value, scope, key)
                yield from self._each(chosen) if chosen else iter([Leaf(None, node, scope)])
            case ast.Subscript(slice=index) if not isinstance(index, ast.Slice):
                chosen = self.members(node.value, scope)
                yield from self._each(chosen) if chosen else iter([Leaf(None, node, scope)])
            case ast.Call():
                yield from self._of_call(node, scope)
            case _:
                yield Leaf(None, node, scope)

    def _each(self, chosen: list[tuple[ast.expr, Scope]]) -> Iterator[Leaf]:
        for node, scope in chosen:
            yield from self.leaves(node, scope)

    def _of_name(self, node: ast.Name, scope: Scope) -> Iterator[Leaf]:
        where = scope.find(node.id)
        if where is None:
            yield Leaf(None, node, scope)
            return
        for binding in where.names.get(node.id, ()):
            yield from self.of_binding(binding, node, where)

    def of_binding(self, binding: Binding, node: ast.AST, where: Scope) -> Iterator[Leaf]:
        """Return what a name comes down to that is bound so; `node` is where it is used, `where` its scope."""
        if binding.how == "is" and not binding.position:
            yield from self.leaves(binding.node, binding.scope)
        elif binding.how in {"is", "element"}:
            parts: list[tuple[ast.AST, Scope]] = [(binding.node, binding.scope)]
            if binding.how == "element":
                parts = [*self._elements(binding.node, binding.scope, keys=binding.position[-1:] != (1,))]
            for index in binding.position if not _is_items(binding.node) else ():
                parts = [part for whole in parts for part in self.members(*whole, key=index)]
            for part, scope in parts:
                yield from self.leaves(part, scope)
            if not parts:
                whole = binding.how == "element" and not binding.position
                yield Leaf(binding if whole else Binding("unknown", node, where), node, where)
        else:
            yield Leaf(binding, node, where)

    def _elements(self, node: ast.AST, scope: Scope, *, keys: bool) -> Iterator[tuple[ast.AST, Scope]]:
        """Return what a loop over an expression goes through."""
        values = _is_items(node) and not keys
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr="values"):
                    values, node = True, node.func.value
                case ast.Attribute(attr="items" | "keys"):
                    node = node.func.value
                case ast.Name(id="sorted" | "list" | "tuple" | "set" | "reversed" | "iter" | "frozenset") if node.args:
                    node = node.args[0]
        for leaf in self.leaves(node, scope):
            if isinstance(leaf.node, ast.Dict) and not values:
                yield from ((key, leaf.scope) for key in leaf.node.keys if key)
            else:
                yield from self.members(leaf.node, leaf.scope)

    def _of_attribute(self, node: ast.Attribute, scope: Scope) -> Iterator[Leaf]:
        """Return what `self` or a class of this file was given under that name."""
        where = None
        if isinstance(node.value, ast.Name):
            owner = owner_of(node.value.id, scope)
            where = owner[0] if owner else self._class_named(node.value, scope)
        bindings = [] if where is None else [*where.attributes.get(node.attr, ()), *where.names.get(node.attr, ())]
        if not bindings:
            inner = self.leaves(node.value, scope) if node.attr == "value" else ()  # of a member of an enumeration
            yield from [leaf for leaf in inner if isinstance(leaf.node, ast.Constant)] or [Leaf(None, node, scope)]
        for binding in bindings:
            if binding.how == "definition" or binding.how == "unknown":
                yield Leaf(None, node, scope)
            else:
                yield from self.of_binding(binding, node, scope)

    def _class_named(self, node: ast.Name, scope: Scope) -> Scope | None:
        where = scope.find(node.id)
        for binding in where.names.get(node.id, ()) if where else ():
            if isinstance(binding.node, ast.ClassDef):
                return self.scopes.bodies[binding.node]
        return None

    def _of_call(self, node: ast.Call, scope: Scope) -> Iterator[Leaf]:
        """Return what a call of a function of this file returns, else the call itself."""
        match node:
            case ast.Call(func=ast.Name(id="staticmethod" | "classmethod"), args=[inner]):
                yield from self.leaves(inner, scope)
                return
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            chosen = self.members(node.func.value, scope)
            if chosen:
                yield from self._each(chosen)
                return
        returned = False
        for leaf in self.leaves(node.func, scope) if isinstance(node.func, ast.Name) else ():
            definition = leaf.binding.node if leaf.binding and leaf.binding.how == "definition" else leaf.node
            for value in returns_of(definition):
                returned = True
                yield from self.leaves(value, self.scopes.bodies[definition])
        if not returned:
            yield Leaf(None, node, scope)


def _is_items(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "items"
