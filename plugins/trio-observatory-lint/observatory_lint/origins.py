"""Where the value of an expression comes from, as far as one file tells, whatever it was renamed to on the way.

An origin is text: `os.open` and `.state.TABLE` are imported, `builtins.open` is built in, `@Board` is defined in the
file, `pathlib.Path()` is what a call gives, `#text` is a constant or a display.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from observatory_lint.annotations import classes_in
from observatory_lint.computing import UNKNOWN, Texts
from observatory_lint.elsewhere import Elsewhere
from observatory_lint.functions import returns_of
from observatory_lint.paths import normal
from observatory_lint.scopes import Binding, Scope, Scopes, owner_of

_MOST = 64  # values that one expression may have; what has more is not known
_LONGEST = 200  # letters of an origin
_DEEPEST = 24  # steps from a use to what it comes from
_STEPS = 500  # to answer one question; names that lead in circles have no end of ways
_BUILTINS = frozenset(dir(builtins))
_GETTER = "operator.attrgetter: "  # begins the origin of what gets an attribute, before its name
_TEXT = (ast.JoinedStr, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.DictComp, ast.ListComp, ast.SetComp)


class Leaf(NamedTuple):
    """What an expression comes down to."""

    binding: Binding | None
    """How the name is bound that it is; None where an expression is left."""
    node: ast.AST
    """The expression."""
    scope: Scope
    """Where it stands."""


class Origins:
    """Looks into one file.

    Args:
        scopes: the file's.
        elsewhere: what is known of other files.

    Attributes:
        texts: works out the texts that an expression may be.
    """

    def __init__(self, scopes: Scopes, elsewhere: Elsewhere) -> None:
        self.scopes = scopes
        self.elsewhere = elsewhere
        self.texts: Callable[[ast.AST, Scope], Texts] = lambda node, scope: UNKNOWN
        self._active: set[tuple[int, int]] = set()
        self._known: dict[tuple[int, int], tuple[Leaf, ...]] = {}
        self._asked: set[tuple[int, int]] = set()
        self._answers: dict[tuple[int, int], frozenset[str]] = {}
        self._questions = 0
        self._steps = 0

    @contextmanager
    def question(self) -> Iterator[None]:
        """Count what is asked within a block as one question, which takes a limited number of steps."""
        if self._questions == 0:
            self._steps = 0
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1

    def leaves(self, node: ast.AST, scope: Scope) -> tuple[Leaf, ...]:
        """Return what an expression may come down to: through names, attributes of `self`, branches, and results."""
        key = (id(node), id(scope))
        with self.question():
            self._steps += 1
        if self._steps > _STEPS:
            return ()
        if key in self._known:
            return self._known[key]
        if key in self._active or len(self._active) > _DEEPEST:
            return ()
        self._active.add(key)
        try:
            with self.question():
                found = tuple(dict.fromkeys(islice(self._leaves(node, scope), _MOST)))
        finally:
            self._active.remove(key)
        if not self._active:
            self._known[key] = found
        return found

    def of(self, node: ast.AST | None, scope: Scope) -> frozenset[str]:
        """Return the origins of an expression; none where nothing is known."""
        key = (id(node), id(scope))
        if key in self._answers:
            return self._answers[key]
        if node is None or key in self._asked or len(self._asked) > _DEEPEST:
            return frozenset()
        self._asked.add(key)
        try:
            with self.question():
                origins = (origin for leaf in self.leaves(node, scope) for origin in self._of_leaf(leaf))
                here = {origin for origin in islice(origins, _MOST) if len(origin) < _LONGEST}
                found = frozenset(here.union(*map(self.elsewhere.names, here)))
        finally:
            self._asked.remove(key)
        if not self._asked and not self._active:
            self._answers[key] = found
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
        return found[:_MOST]

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

    def _of_leaf(self, leaf: Leaf) -> Iterator[str]:
        binding, node, scope = leaf
        if binding is None:
            yield from self._of_expression(node, scope)
        elif binding.how == "import":
            yield normal(self.elsewhere.own(binding.origin))
        elif binding.how == "definition":
            yield f"@{self.scopes.bodies[binding.node].qualified}"
        elif binding.how == "parameter":
            owner = owner_of(node.id, scope) if isinstance(node, ast.Name) else None
            if owner:
                yield f"@{owner[0].qualified}" + ("" if owner[1] else "()")
            else:
                for named in classes_in(getattr(binding.node, "annotation", None)):
                    origins = self.of(named, binding.scope)
                    yield from (normal(f"{origin}()") for origin in origins if origin != "typing.Any")

    def _of_expression(self, node: ast.AST, scope: Scope) -> Iterator[str]:
        match node:
            case ast.Name(id="__builtins__"):
                yield "builtins"
            case ast.Name(id=name):
                yield from (normal(self.elsewhere.own(f"{star}.{name}")) for star in self.scopes.stars)
                if name in _BUILTINS:
                    yield f"builtins.{name}"
            case ast.Attribute(value=value, attr=attr):
                yield from (normal(f"{origin}.{attr}") for origin in self.of(value, scope))
            case ast.Subscript(value=value, slice=ast.Constant(value=str() as key)):
                mapped = self._mapped(value, scope)
                yield from (key if origin == "sys.modules" else f"{origin}.{key}" for origin in mapped)
            case ast.Call():
                yield from self._called(node, scope)
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                yield from (o for o in (*self.of(left, scope), *self.of(right, scope)) if o.endswith("Path()"))
            case ast.Constant(value=value):
                yield f"#{type(value).__name__}"
            case _ if isinstance(node, _TEXT):
                yield f"#{type(node).__name__.lower()}"

    def _called(self, node: ast.Call, scope: Scope) -> Iterator[str]:
        for function in self.of(node.func, scope):
            if function == "builtins.getattr" and len(node.args) > 1:
                for name in sorted(self.texts(node.args[1], scope).values):
                    yield from (normal(f"{origin}.{name}") for origin in self.of(node.args[0], scope))
            elif function == "operator.attrgetter" and node.args:
                yield from (f"{_GETTER}{name}" for name in sorted(self.texts(node.args[0], scope).values))
            elif function.startswith(_GETTER) and node.args:
                name = function.removeprefix(_GETTER)
                yield from (normal(f"{origin}.{name}") for origin in self.of(node.args[0], scope))
            elif function in {"builtins.__import__", "importlib.import_module"} and node.args:
                yield from sorted(self.texts(node.args[0], scope).values)
            else:
                yield normal(f"{function}()")

    def _mapped(self, node: ast.expr, scope: Scope) -> frozenset[str]:
        """Return the origins of what a mapping of names belongs to: a module's `__dict__`, `vars(module)`."""
        match node:
            case ast.Attribute(attr="__dict__", value=value):
                return self.of(value, scope)
            case ast.Call(func=ast.Name(id="vars"), args=[value]):
                return self.of(value, scope)
            case ast.Name(id="__builtins__"):
                return frozenset({"builtins"})
        return frozenset({origin for origin in self.of(node, scope) if origin == "sys.modules"})


def _is_items(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "items"
