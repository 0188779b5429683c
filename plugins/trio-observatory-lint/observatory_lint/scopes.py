"""The scopes of a file: one walk that notes what every name may be bound to, and where each expression stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

How: TypeAlias = Literal["is", "element", "import", "definition", "parameter", "unknown"]


class Binding(NamedTuple):
    """One way in which a name gets its value."""

    how: How
    """`is` an expression; is an `element` of one; an `import`; a `definition`; a `parameter`; `unknown`."""
    node: ast.AST
    """The expression, the definition, the parameter, or where it is bound."""
    scope: Scope
    """Where the expression is looked at."""
    origin: str = ""
    """What is imported: a dotted name, with dots in front of a relative one."""
    position: tuple[int, ...] = ()
    """Which part of the value it is: positions in nested tuples, from the outside in."""


class Scope:
    """A module, a class, a function, or a comprehension.

    Args:
        node: what opens it.
        parent: the one around it; None for a module.

    Attributes:
        names: what each name in it may be bound to.
        elsewhere: names that its `global` and `nonlocal` statements give to another scope, with that statement.
        attributes: of a class: what its methods assign to `self`, as bindings.
    """

    def __init__(self, node: ast.AST, parent: Scope | None) -> None:
        self.node = node
        self.parent = parent
        self.names: dict[str, list[Binding]] = {}
        self.elsewhere: dict[str, ast.Global | ast.Nonlocal] = {}
        self.attributes: dict[str, list[Binding]] = {}
        self.is_class = isinstance(node, ast.ClassDef)
        self.is_function = isinstance(node, (*_FUNCTIONS, ast.Lambda))
        self.in_function: bool = self.is_function or (parent is not None and parent.in_function)
        self.module: Scope = parent.module if parent else self

    def find(self, name: str) -> Scope | None:
        """Return the scope that a name belongs to when it is used here; None when nothing binds it."""
        scope: Scope | None = self
        while scope:
            if isinstance(scope.elsewhere.get(name), ast.Global):
                return self.module
            if name in scope.names and name not in scope.elsewhere and (scope is self or not scope.is_class):
                return scope
            scope = scope.parent
        return None

    @property
    def qualified(self) -> str:
        """The name of the class or function, with those of the classes around it."""
        name = getattr(self.node, "name", "")
        return f"{self.parent.qualified}.{name}" if self.parent and self.parent.is_class else name


class Scopes:
    """The scopes of one file.

    Args:
        tree: the file.

    Attributes:
        module: the outermost scope.
        sites: every statement and expression, with the scope that it stands in.
        stars: modules that everything is imported from.
        classes: the scopes of classes, by qualified name.
        bodies: the scopes that functions and lambdas open.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.module = Scope(tree, None)
        self.sites: list[tuple[ast.AST, Scope]] = []
        self.stars: list[str] = []
        self.classes: dict[str, Scope] = {}
        self.bodies: dict[ast.AST, Scope] = {}
        self._waiting: list[tuple[ast.AST, Scope]] = [(tree, self.module)]
        while self._waiting:
            node, scope = self._waiting.pop()
            self._enter(node, scope)
        for scope in self.bodies.values():
            self._give_away(scope)

    def _enter(self, node: ast.AST, scope: Scope) -> None:
        self.sites.append((node, scope))
        visit = getattr(self, f"_enter_{type(node).__name__}", None)
        if visit is None:
            self._later(ast.iter_child_nodes(node), scope)
        else:
            visit(node, scope)

    def _give_away(self, scope: Scope) -> None:
        """Move what a scope binds for another to the names of that one."""
        for name, statement in scope.elsewhere.items():
            if isinstance(statement, ast.Global):
                self.module.names.setdefault(name, []).extend(scope.names.pop(name, []))
            elif owner := scope.find(name):
                owner.names[name].extend(scope.names.pop(name, []))

    def _later(self, nodes: Iterator[ast.AST], scope: Scope) -> None:
        self._waiting.extend((node, scope) for node in nodes)

    def _enter_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        self._bind(node.name, Binding("definition", node, scope), scope)
        inner = self.bodies[node] = Scope(node, scope)
        self._later(iter([*node.decorator_list, *filter(None, [node.returns])]), scope)
        self._enter_parameters(node.args, inner, scope)
        self._later(iter(node.body), inner)

    _enter_AsyncFunctionDef = _enter_FunctionDef

    def _enter_Lambda(self, node: ast.Lambda, scope: Scope) -> None:
        inner = self.bodies[node] = Scope(node, scope)
        self._enter_parameters(node.args, inner, scope)
        self._waiting.append((node.body, inner))

    def _enter_parameters(self, args: ast.arguments, inner: Scope, outer: Scope) -> None:
        positional = [*args.posonlyargs, *args.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
        for arg, default in [
            *zip(positional, defaults, strict=True),
            *zip(args.kwonlyargs, args.kw_defaults, strict=True),
        ]:
            inner.names.setdefault(arg.arg, []).append(Binding("parameter", arg, outer))
            if default:
                inner.names[arg.arg].append(Binding("is", default, outer))
                self._waiting.append((default, outer))
        for arg in filter(None, [args.vararg, args.kwarg]):
            inner.names.setdefault(arg.arg, []).append(Binding("unknown", arg, outer))
        every = [*positional, *args.kwonlyargs, *filter(None, [args.vararg, args.kwarg])]
        self._later((arg.annotation for arg in every if arg.annotation), outer)

    def _enter_ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        self._bind(node.name, Binding("definition", node, scope), scope)
        inner = self.bodies[node] = Scope(node, scope)
        self.classes[inner.qualified] = inner
        self._later(iter([*node.decorator_list, *node.bases, *node.keywords]), scope)
        self._later(iter(node.body), inner)

    def _enter_comprehension_scope(self, node: ast.expr, scope: Scope) -> None:
        self._later(ast.iter_child_nodes(node), Scope(node, scope))

    _enter_ListComp = _enter_SetComp = _enter_DictComp = _enter_GeneratorExp = _enter_comprehension_scope

    def _enter_comprehension(self, node: ast.comprehension, scope: Scope) -> None:
        self._assign(node.target, Binding("element", node.iter, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_Import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._bind(name, Binding("import", node, scope, alias.name if alias.asname else name), scope)

    def _enter_ImportFrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
            else:
                origin = f"{module}{alias.name}" if module.endswith(".") else f"{module}.{alias.name}"
                self._bind(alias.asname or alias.name, Binding("import", node, scope, origin), scope)

    def _enter_Global(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
        for name in node.names:
            scope.elsewhere[name] = node

    _enter_Nonlocal = _enter_Global

    def _enter_Assign(self, node: ast.Assign, scope: Scope) -> None:
        for target in node.targets:
            self._assign(target, Binding("is", node.value, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value:
            self._assign(node.target, Binding("is", node.value, scope), scope)
        if node.value is None or not scope.in_function:
            self._assign(node.target, Binding("parameter", node, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_AugAssign(self, node: ast.AugAssign, scope: Scope) -> None:
        if isinstance(node.target, ast.Name):  # what it was, and what is added
            before = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
            both = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
            self._bind(node.target.id, Binding("is", both, scope), scope)
        else:
            self._assign(node.target, Binding("unknown", node, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> None:
        while isinstance(scope.node, _COMPREHENSIONS) and scope.parent:
            scope = scope.parent
        self._assign(node.target, Binding("is", node.value, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_For(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        self._assign(node.target, Binding("element", node.iter, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    _enter_AsyncFor = _enter_For

    def _enter_withitem(self, node: ast.withitem, scope: Scope) -> None:
        if node.optional_vars:
            self._assign(node.optional_vars, Binding("is", node.context_expr, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_ExceptHandler(self, node: ast.ExceptHandler, scope: Scope) -> None:
        if node.name:
            self._bind(node.name, Binding("unknown", node, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_MatchAs(self, node: ast.MatchAs | ast.MatchStar, scope: Scope) -> None:
        if node.name:
            self._bind(node.name, Binding("unknown", node, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    _enter_MatchStar = _enter_MatchAs

    def _enter_MatchMapping(self, node: ast.MatchMapping, scope: Scope) -> None:
        if node.rest:
            self._bind(node.rest, Binding("unknown", node, scope), scope)
        self._later(ast.iter_child_nodes(node), scope)

    def _enter_Delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.names.setdefault(target.id, [])  # also what is deleted is a name of its own
        self._later(ast.iter_child_nodes(node), scope)

    def _assign(self, target: ast.expr, binding: Binding, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, binding, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for index, element in enumerate(target.elts):
                self._assign(element, binding._replace(position=(*binding.position, index)), scope)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, Binding("unknown", target, scope), scope)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = owner_of(target.value.id, scope)
            if owner:
                owner[0].attributes.setdefault(target.attr, []).append(binding)

    def _bind(self, name: str, binding: Binding, scope: Scope) -> None:
        scope.names.setdefault(name, []).append(binding)


def owner_of(name: str, scope: Scope) -> tuple[Scope, bool] | None:
    """Return the class whose object a name is, as `self` is in a method, and whether it is the class itself."""
    found: Scope | None = scope
    while found:
        node = found.node
        if isinstance(node, _FUNCTIONS) and found.parent and found.parent.is_class:
            first = next(iter([*node.args.posonlyargs, *node.args.args]), None)
            words = {by.id for by in node.decorator_list if isinstance(by, ast.Name)}
            if first and first.arg == name and "staticmethod" not in words:
                return found.parent, "classmethod" in words or node.name in {"__new__", "__init_subclass__"}
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)) and name in found.names:
            return None
        found = found.parent
    return None
