"""OBS301."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.names import is_container, is_field
from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Binding, Scope, owner_of
from observatory_lint.source import Source
from observatory_lint.values import Place, Raw, place_of, words

CHANGING = words(
    """
    add append appendleft clear difference_update discard extend extendleft insert intersection_update move_to_end pop
    popitem popleft remove reverse rotate setdefault sort subtract symmetric_difference_update update __setitem__
    __delitem__
    """
)
"""Methods that change a container."""

_STEPPED = frozenset({"itertools.count()", "itertools.cycle()", "builtins.iter()"})
_FOREIGN = frozenset({"os.environ", "sys.path", "sys.modules", "sys.meta_path", "sys.path_hooks", "warnings.filters"})
_FINE = ("contextvars.ContextVar()", "logging.getLogger()", "threading.local()", "trio.lowlevel.RunVar()")


class SharedState(Rule):
    """What a function writes belongs to an object: two Observatories in one process do not see each other."""

    code: ClassVar[str] = "OBS301"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for what is written, deleted, or changed by a method, within a function."""
        if not scope.in_function:
            return
        written = None
        if isinstance(node, ast.Name):
            written = self._name(node, scope)
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            written = _attribute(node, scope, source)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            written = _shared(node.value, scope, source)
        elif isinstance(node, ast.Call):
            written = _call(node, scope, source)
        if written:
            place = place_of(node)  # type: ignore[arg-type]  # one of four kinds of expressions
            message = f"writes {written}, which the whole process shares: give it to the object that owns it"
            yield Raw(place, self.code, message)

    def _name(self, node: ast.Name, scope: Scope) -> str | None:
        if isinstance(node.ctx, ast.Load) or not isinstance(scope.elsewhere.get(node.id), ast.Global):
            return None
        return f"the global {node.id}"


def _attribute(node: ast.Attribute, scope: Scope, source: Source) -> str | None:
    """Return the attribute of a module, a class, or a module's object that is assigned."""
    if isinstance(node.value, ast.Name):
        owner = owner_of(node.value.id, scope)
        if owner:
            return f"{owner[0].qualified}.{node.attr} of the class" if owner[1] else None
    if _is_class(node.value, scope, source):
        return f"{ast.unparse(node)} of the class"
    if _is_function(node.value, scope):
        return f"{ast.unparse(node)} of the function"
    return _shared(node.value, scope, source)


def _call(node: ast.Call, scope: Scope, source: Source) -> str | None:
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in CHANGING:
        return _shared(function.value, scope, source, by_method=True)
    if isinstance(function, ast.Name) and node.args:
        origins = source.origins(function, scope)
        if "builtins.next" in origins and not _STEPPED.isdisjoint(source.origins(node.args[0], scope)):
            return _shared(node.args[0], scope, source)
        if origins & {"builtins.setattr", "builtins.delattr"}:
            if _is_class(node.args[0], scope, source):
                return f"an attribute of {ast.unparse(node.args[0])}"
            return _shared(node.args[0], scope, source)
    return None


def _shared(node: ast.expr, scope: Scope, source: Source, *, by_method: bool = False) -> str | None:
    """Return what an expression is called when it is state of a module or a class; None when it is an object's."""
    match node:
        case ast.Subscript(value=value):
            return _shared(value, scope, source, by_method=by_method)
        case ast.Call(func=ast.Name(id="globals"), args=[]):
            return "globals()"
        case ast.Call(func=ast.Name(id="vars"), args=[ast.Name()]):
            return None
        case ast.Call(func=ast.Attribute(attr="setdefault" | "get", value=value)):
            return _shared(value, scope, source, by_method=by_method)
        case ast.Name():
            return _shared_name(node, scope, source, by_method=by_method)
        case ast.Attribute():
            return _shared_attribute(node, scope, source, by_method=by_method)
    return None


def _shared_name(node: ast.Name, scope: Scope, source: Source, *, by_method: bool) -> str | None:
    where = scope.find(node.id)
    if where is None or where is not scope.module:
        return _alias(node, scope, where, source, by_method=by_method)
    for binding in where.names.get(node.id, ()):
        if binding.how == "import":
            if _import_is_state(binding, source, by_method=by_method):
                return f"{binding.origin}"
        elif _can_change(binding, source):
            return f"the module's {node.id}"
    return None


def _alias(node: ast.Name, scope: Scope, where: Scope | None, source: Source, *, by_method: bool) -> str | None:
    """Return the shared state that a local name was given."""
    if where is None or where.is_class or not where.in_function or owner_of(node.id, scope):
        return None
    bindings = where.names.get(node.id, [])
    if len(bindings) == 1 and bindings[0].how in {"is", "element"}:
        value = bindings[0].node
        if bindings[0].how == "element" and isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            value = value.func.value if value.func.attr in {"values", "items"} else value
        elif bindings[0].position:
            return None
        if isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)) and value is not node:
            return _shared(value, bindings[0].scope, source, by_method=by_method) if _is_other(value, node) else None
    return None


def _is_other(value: ast.expr, node: ast.Name) -> bool:
    return not any(isinstance(part, ast.Name) and part.id == node.id for part in ast.walk(value))


def _shared_attribute(node: ast.Attribute, scope: Scope, source: Source, *, by_method: bool) -> str | None:
    """Return the state of a class or another module that an attribute is."""
    owner = owner_of(node.value.id, scope) if isinstance(node.value, ast.Name) else None
    if owner:
        found = owner[0].names.get(node.attr, [])
        own = owner[0].attributes.get(node.attr) if not owner[1] else None
        return f"{owner[0].qualified}.{node.attr} of the class" if not own and _any_can_change(found, source) else None
    for origin in sorted(source.origins(node.value, scope)):
        if origin.startswith("@") and not origin.endswith("()"):
            known = source.scopes.classes.get(origin[1:])
            if known and _any_can_change(known.names.get(node.attr, []), source):
                return f"{origin[1:]}.{node.attr} of the class"
    for origin in sorted(source.origins(node, scope)):
        if origin in _FOREIGN:
            return origin
    root = node.value
    if isinstance(root, ast.Name) and scope.find(root.id) is scope.module:
        for binding in scope.module.names.get(root.id, ()):
            if binding.how == "import" and not by_method:
                return f"{binding.origin}.{node.attr}"
            if binding.how == "is" and _can_change(binding, source):
                return f"the module's {root.id}"
    return _shared(root, scope, source, by_method=by_method) if isinstance(root, ast.Attribute) else None


def _is_class(node: ast.expr, scope: Scope, source: Source) -> bool:
    """Return whether an expression is a class of this file: by name, as `type(self)`, or as `self.__class__`."""
    match node:
        case ast.Call(func=ast.Name(id="type"), args=[_]) | ast.Attribute(attr="__class__"):
            return True
        case ast.Name():
            where = scope.find(node.id)
            names = where.names.get(node.id, []) if where and not where.is_function else []
            return any(isinstance(binding.node, ast.ClassDef) for binding in names)
    return False


def _is_function(node: ast.expr, scope: Scope) -> bool:
    """Return whether an expression is a function of the module."""
    where = scope.find(node.id) if isinstance(node, ast.Name) else None
    names = where.names.get(node.id, []) if where is scope.module and isinstance(node, ast.Name) else []
    return any(isinstance(binding.node, (ast.FunctionDef, ast.AsyncFunctionDef)) for binding in names)


def _any_can_change(bindings: list[Binding], source: Source) -> bool:
    return any(_can_change(binding, source) for binding in bindings if binding.how != "definition")


def _can_change(binding: Binding, source: Source) -> bool:
    """Return whether what a module or a class binds is an object that can change."""
    if binding.how != "is" or not isinstance(binding.node, ast.expr):
        return False
    origins = source.origins(binding.node, binding.scope)
    if any(origin.startswith(_FINE) for origin in origins):
        return False
    values = [value for value in source.bound(binding, binding.node, binding.scope) if isinstance(value, ast.expr)]
    return any(is_container(value) or (isinstance(value, ast.Call) and not is_field(value)) for value in values)


def _import_is_state(binding: Binding, source: Source, *, by_method: bool) -> bool:
    """Return whether an imported name is state; what methods change is told by the module that defines it."""
    return binding.origin in _FOREIGN or not by_method


def changes_elsewhere(source: Source) -> Iterator[tuple[str, Place]]:
    """Return what functions change by methods of imported names; whether that is state, its own module tells."""
    for node, scope in source.scopes.sites:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and scope.in_function):
            continue
        if node.func.attr not in CHANGING:
            continue
        root = node.func.value
        while isinstance(root, ast.Subscript):
            root = root.value
        for origin in sorted(source.origins(root, scope)):
            if not origin.startswith(("#", "@", "builtins.")) and "(" not in origin:
                yield origin, place_of(node)
