"""OBS301."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.functions import returns_of
from observatory_lint.names import is_container, is_field
from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Binding, Scope, owner_of
from observatory_lint.source import Source
from observatory_lint.values import Place, Raw, head_of, place_of, words

CHANGING = words(
    """
    add append appendleft clear difference_update discard extend extendleft insert intersection_update move_to_end pop
    popitem popleft put put_nowait remove reverse rotate send_nowait set setdefault sort subtract
    symmetric_difference_update update __setitem__ __delitem__
    """
)
"""Methods that change a container."""

_CHANGERS = words(
    """
    builtins.setattr builtins.delattr operator.setitem operator.delitem operator.iadd operator.ior operator.iconcat
    heapq.heappush heapq.heappop heapq.heapify heapq.heapreplace heapq.heappushpop
    bisect.insort bisect.insort_left bisect.insort_right random.shuffle
    """
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_STEPPED = frozenset({"itertools.count()", "itertools.cycle()", "builtins.iter()"})
_FOREIGN = frozenset({"os.environ", "sys.path", "sys.modules", "sys.meta_path", "sys.path_hooks", "warnings.filters"})
_FINE = ("contextvars.ContextVar()", "logging.getLogger()", "threading.local()", "trio.lowlevel.RunVar()")


class SharedState(Rule):
    """What a function writes belongs to an object: two Observatories in one process do not see each other."""

    code: ClassVar[str] = "OBS301"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (
        *(ast.Name, ast.Attribute, ast.Subscript, ast.Call),
        *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    )

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for what is written, deleted, or changed by a method, within a function."""
        if not scope.in_function:
            return
        written = next((f"the global {name}" for name in _bound(node) if _is_global(name, scope)), None)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            written = _attribute(node, scope, source)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            written = _shared(node.value, scope, source)
        elif isinstance(node, ast.Call):
            written = _call(node, scope, source)
        if written:
            place = head_of(node) if isinstance(node, _DEFINITIONS) else place_of(node)  # type: ignore[arg-type]
            message = f"writes {written}, which the whole process shares: give it to the object that owns it"
            yield Raw(place, self.code, message)


def _bound(node: ast.AST) -> Iterator[str]:
    """Return the names that a node gives a value, or takes it from."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _is_global(name: str, scope: Scope) -> bool:
    return isinstance(scope.elsewhere.get(name), ast.Global)


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
    """Return what a call changes: by a method, also one that it hands on, or by a function that is handed the state."""
    for function in (node.func, *node.args):
        for value, where in source.values(function, scope):
            if not isinstance(value, ast.Attribute) or not _changes(value, where, source):
                continue
            if found := _shared(value.value, where, source, by_method=True):
                return found
    if not node.args:
        return None
    origins = source.origins(node.func, scope)
    if origins & {"builtins.setattr", "builtins.delattr"} and _is_class(node.args[0], scope, source):
        return f"an attribute of {ast.unparse(node.args[0])}"
    stepped = "builtins.next" in origins and not _STEPPED.isdisjoint(source.origins(node.args[0], scope))
    return _shared(node.args[0], scope, source) if stepped or any(map(_changes_first, origins)) else None


def _changes(method: ast.Attribute, scope: Scope, source: Source) -> bool:
    """Return whether a method changes its object: of a class of this file that is seen, else its name tells."""
    for origin in source.origins(method.value, scope):
        known = source.scopes.classes.get(origin[1:-2]) if origin.startswith("@") and origin.endswith("()") else None
        for binding in known.names.get(method.attr, ()) if known else ():
            return _changes_self(binding.node)
    return method.attr in CHANGING


def _changes_self(method: ast.AST) -> bool:
    """Return whether a method assigns or changes what its object holds."""
    first = method.args.args[0].arg if isinstance(method, _FUNCTIONS) and method.args.args else ""
    for part in ast.walk(method):
        if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            changed: ast.expr = part
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in CHANGING:
            changed = part.func.value
        else:
            continue
        while isinstance(changed, (ast.Attribute, ast.Subscript)):
            changed = changed.value
            if isinstance(changed, ast.Name) and changed.id == first:
                return True
    return False


def _changes_first(function: str) -> bool:
    """Return whether a function changes its first argument, as `heapq.heappush` and `dict.update` do."""
    owner, _, name = function.rpartition(".")
    return function in _CHANGERS or (owner.startswith(("builtins.", "collections.")) and name in CHANGING)


def _shared(node: ast.expr, scope: Scope, source: Source, *, by_method: bool = False) -> str | None:
    """Return what an expression is called when it is state of a module or a class; None when it is an object's."""
    match node:
        case ast.Subscript(value=value):
            return _shared(value, scope, source, by_method=by_method)
        case ast.Call(func=ast.Name(id="globals"), args=[]):
            return "globals()"
        case ast.Call(func=ast.Name(id="vars"), args=[ast.Name()]):
            return None
        case ast.Call(func=ast.Name(id=name)):
            return _returned(name, scope, source)
        case ast.Call(func=ast.Attribute(attr="get", value=value)):  # what `setdefault` gives was told of with itself
            return _shared(value, scope, source, by_method=by_method)
        case ast.Name():
            return _shared_name(node, scope, source, by_method=by_method)
        case ast.Attribute():
            return _shared_attribute(node, scope, source, by_method=by_method)
    return None


def _returned(function: str, scope: Scope, source: Source) -> str | None:
    """Return the state of the module that a function of it hands out."""
    for binding in scope.module.names.get(function, ()) if scope.find(function) is scope.module else ():
        for value in returns_of(binding.node):
            inner = source.scopes.bodies[binding.node]
            if isinstance(value, ast.Name) and inner.find(value.id) is scope.module:
                return _shared_name(value, inner, source, by_method=True)
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
    bindings = [binding for binding in where.names.get(node.id, ()) if binding.how != "parameter"]
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
    return any(_holds_container(value) or (isinstance(value, ast.Call) and not is_field(value)) for value in values)


def _holds_container(node: ast.expr) -> bool:
    return any(map(_holds_container, node.elts)) if isinstance(node, ast.Tuple) else is_container(node)


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
        origins = source.origins(root, scope)
        for origin in () if any(origin.startswith(_FINE) for origin in origins) else sorted(origins):
            if not origin.startswith(("#", "@", "builtins.")) and "(" not in origin:
                yield origin, place_of(node)
