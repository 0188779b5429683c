"""Where the value of an expression comes from, as far as one file tells, whatever it was renamed to on the way.

An origin is text: `os.open` and `.state.TABLE` are imported, `builtins.open` is built in, `@Board` is defined in the
file, `pathlib.Path()` is what a call gives, `#text` is a constant or a display.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from itertools import islice

from observatory_lint.annotations import classes_in
from observatory_lint.computing import UNKNOWN, Texts
from observatory_lint.elsewhere import OWN, Elsewhere
from observatory_lint.functions import returns_of
from observatory_lint.leaves import DEEPEST, MOST, Leaf, Leaves
from observatory_lint.names import dotted
from observatory_lint.paths import element, normal
from observatory_lint.scopes import Scope, Scopes, owner_of

_LONGEST = 200  # letters of an origin
_BUILTINS = frozenset(dir(builtins))
_GETTER = "operator.attrgetter: "  # begins the origin of what gets an attribute, before its name
_TEXT = (ast.JoinedStr, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.DictComp, ast.ListComp, ast.SetComp)


class Origins(Leaves):
    """Looks into one file, and from there to others.

    Args:
        scopes: the file's.
        elsewhere: what is known of other files.

    Attributes:
        texts: works out the texts that an expression may be.
    """

    def __init__(self, scopes: Scopes, elsewhere: Elsewhere) -> None:
        super().__init__(scopes)
        self.elsewhere = elsewhere
        self.texts: Callable[[ast.AST, Scope], Texts] = lambda node, scope: UNKNOWN
        self._asked: set[tuple[int, int]] = set()
        self._answers: dict[tuple[int, int], frozenset[str]] = {}

    def of(self, node: ast.AST | None, scope: Scope) -> frozenset[str]:
        """Return the origins of an expression; none where nothing is known."""
        key = (id(node), id(scope))
        if key in self._answers:
            return self._answers[key]
        if node is None or key in self._asked or len(self._asked) > DEEPEST:
            return frozenset()
        self._asked.add(key)
        try:
            with self:
                origins = (origin for leaf in self.leaves(node, scope) for origin in self._of_leaf(leaf))
                here = {origin for origin in islice(origins, MOST) if len(origin) < _LONGEST}
                there = (self.elsewhere.names(origin) for origin in here if origin.startswith((".", OWN)))
                found = frozenset(here.union(*there))
        finally:
            self._asked.remove(key)
        if not self._asked and not self._active:
            self._answers[key] = found
        return found

    def _of_leaf(self, leaf: Leaf) -> Iterator[str]:
        binding, node, scope = leaf
        if binding is None:
            yield from self._of_expression(node, scope)
        elif binding.how == "import":
            yield normal(self.elsewhere.own(binding.origin))
        elif binding.how == "definition":
            yield f"@{self.scopes.bodies[binding.node].qualified}"
        elif binding.how == "element":
            yield from filter(None, map(element, self.of(binding.node, binding.scope)))
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
                for origin in self.of(value, scope):
                    yield from self._of_field(origin, attr, node) or [normal(f"{origin}.{attr}")]
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

    def _of_field(self, origin: str, attr: str, node: ast.AST) -> list[str]:
        """Return the origins of what objects of a class of this file have under a name, as far as it shows."""
        known = self.scopes.classes.get(origin[1:-2]) if origin.startswith("@") and origin.endswith("()") else None
        bindings = [*known.attributes.get(attr, ()), *known.names.get(attr, ())] if known else []
        leaves = (leaf for b in bindings if b.how != "definition" for leaf in self.of_binding(b, node, b.scope))
        properties = (b.node for b in bindings if b.how == "definition" and _is_property(b.node))
        return [found for leaf in leaves for found in self._of_leaf(leaf)] + [
            found for function in properties for found in self._results(function)
        ]

    def _of_method(self, origin: str) -> list[str]:
        """Return the origins of what a method gives of objects of a class of this file."""
        head, _, attr = origin.rpartition(".")
        known = self.scopes.classes.get(head[1:-2]) if head.startswith("@") and head.endswith("()") else None
        bindings = known.names.get(attr, ()) if known else ()
        return [found for b in bindings if b.how == "definition" for found in self._results(b.node)]

    def _results(self, function: ast.AST) -> Iterator[str]:
        """Return the origins of what a function returns, as it is seen or annotated."""
        scope = self.scopes.bodies[function]
        for returned in returns_of(function):
            yield from self.of(returned, scope)
        for named in classes_in(getattr(function, "returns", None)):
            yield from (normal(f"{origin}()") for origin in self.of(named, scope.module))

    def _called(self, node: ast.Call, scope: Scope) -> Iterator[str]:
        for function in self.of(node.func, scope):
            if function == "builtins.getattr" and len(node.args) > 1:
                for name in sorted(self.texts(node.args[1], scope).values):
                    yield from (normal(f"{origin}.{name}") for origin in self.of(node.args[0], scope))
            elif function == "operator.attrgetter" and node.args:
                yield from (f"{_GETTER}{name}" for name in sorted(self.texts(node.args[0], scope).values))
            elif function == "functools.partial" and len(node.args) == 1 and not node.keywords:
                yield from self.of(node.args[0], scope)
            elif function.startswith(_GETTER) and node.args:
                name = function.removeprefix(_GETTER)
                yield from (normal(f"{origin}.{name}") for origin in self.of(node.args[0], scope))
            elif function in {"builtins.__import__", "importlib.import_module"} and node.args:
                yield from sorted(self.texts(node.args[0], scope).values)
            else:
                yield from self._of_method(function) or [normal(f"{function}()")]

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


def _is_property(node: ast.AST) -> bool:
    return any((dotted(by) or "").endswith("property") for by in getattr(node, "decorator_list", ()))
