"""What hook implementations register, and what the application holds: read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from observatory_lint.facts import HOOK, Registration
from observatory_lint.functions import returns_of
from observatory_lint.scopes import Scope
from observatory_lint.source import Source
from observatory_lint.values import place_of

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_ADDING = frozenset({"append", "add", "insert", "extend", "register", "setdefault", "appendleft"})
_QUESTIONS = frozenset({"isinstance", "issubclass", "module", "service", "cast"})  # calls that only ask about a class


def registered(functions: Sequence[_Function], source: Source) -> Iterator[Registration]:
    """Return what those of some functions register that implement the hook."""
    scopes = {id(node): scope for node, scope in source.scopes.sites}
    waiting = [(function, _first_of(function)) for function in functions if _implements(function)]
    for function, registrar in waiting:  # grows by helpers that are handed the registrar
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and registrar:
                scope = scopes.get(id(node), source.scopes.module)
                helper = _helper(node, registrar, scope, source)
                if helper is None:
                    yield from _registered_by(node, registrar, scope, source)
                elif helper not in waiting:
                    waiting.append(helper)


def _first_of(function: _Function) -> str:
    """Return the name of the registrar; empty when the function takes none."""
    return next((arg.arg for arg in function.args.args if arg.arg not in {"self", "cls"}), "")


def _helper(node: ast.Call, registrar: str, scope: Scope, source: Source) -> tuple[_Function, str] | None:
    """Return a function of the file that is handed the registrar, and nothing to register, with what it calls it."""
    if len(node.args) != 1 or not isinstance(node.args[0], ast.Name) or node.args[0].id != registrar:
        return None
    for definition, _ in _definitions(node.func, scope, source):
        if isinstance(definition, _Function):
            return definition, _first_of(definition)
    return None


def _implements(function: _Function) -> bool:
    if function.name == HOOK:
        return True
    words = (word for by in function.decorator_list if isinstance(by, ast.Call) for word in by.keywords)
    return any(
        word.arg == "specname" and isinstance(word.value, ast.Constant) and word.value.value == HOOK for word in words
    )


def _registered_by(node: ast.Call, registrar: str, scope: Scope, source: Source) -> Iterator[Registration]:
    if any(_is_register(value, registrar, where, source) for value, where in source.values(node.func, scope)):
        words = {word.arg: word.value for word in node.keywords}
        for args in _unstarred(node.args, scope, source):
            item = args[1] if len(args) > 1 else words.get("item")
            label = source.texts(args[0] if args else words.get("name"), scope).values
            if item is not None:
                items = tuple(sorted(set(_items(item, scope, source))))
                yield Registration(min(label, default=""), items, place_of(node))
    elif any(isinstance(arg, ast.Name) and arg.id == registrar for arg in node.args):
        for arg in node.args:  # a helper registers what it is handed
            for member, where in source.members(arg, scope):
                yield Registration("", tuple(sorted(set(_items(member, where, source)))), place_of(member))


def _unstarred(args: list[ast.expr], scope: Scope, source: Source) -> Iterator[list[ast.expr]]:
    """Return what a call is given by position: a pair that is unpacked may be any of those that it is seen to be."""
    match args:
        case [ast.Starred(value=pair)]:
            yield from (
                value.elts for value, _ in source.values(pair, scope) if isinstance(value, (ast.Tuple, ast.List))
            )
        case _:
            yield args


def _is_register(node: ast.AST, registrar: str, scope: Scope, source: Source) -> bool:
    match node:
        case ast.Attribute(attr="register", value=ast.Name() as value):
            return any(isinstance(v, ast.Name) and v.id == registrar for v, _ in source.values(value, scope))
    return False


def _items(node: ast.expr, scope: Scope, source: Source) -> Iterator[str]:
    """Return what a factory makes: a class itself, or what a function is seen to return."""
    for value, where in source.values(node, scope):
        if isinstance(value, ast.Lambda):
            inner = source.scopes.bodies[value]
            for returned in returns_of(value):
                yield from (origin.removesuffix("()") for origin in source.origins(returned, inner))
        elif isinstance(value, ast.Call) and _is_partial(value, where, source) and value.args:
            yield from _items(value.args[0], where, source)
        elif isinstance(value, ast.Name) and where.find(value.id) is None and not source.origins(value, where):
            yield f"!{value.id}"
    for origin in source.origins(node, scope):
        if origin.startswith("@"):
            yield from _made_by(origin, node, scope, source)
        elif not origin.startswith("functools.partial"):
            yield origin


def _made_by(origin: str, node: ast.expr, scope: Scope, source: Source) -> Iterator[str]:
    """Return a class of the file, or what a function of the file returns."""
    functions = [value for value, _ in _definitions(node, scope, source) if isinstance(value, _Function)]
    if not functions:
        yield origin
    for function in functions:
        if not function.decorator_list and not any(True for _ in returns_of(function)):
            yield "#NoneType"
        inner = source.scopes.bodies[function]
        for returned in returns_of(function):
            yield from (made.removesuffix("()") for made in source.origins(returned, inner))


def _definitions(node: ast.expr, scope: Scope, source: Source) -> Iterator[tuple[ast.AST, Scope]]:
    for value, where in source.values(node, scope):
        name = value.id if isinstance(value, ast.Name) else ""
        found = where.find(name)
        for binding in found.names.get(name, ()) if found else ():
            yield binding.node, where


def _is_partial(node: ast.Call, scope: Scope, source: Source) -> bool:
    return "functools.partial" in source.origins(node.func, scope)


def listed(source: Source) -> Iterator[Registration]:
    """Return what an application holds: the elements of its displays, under the place of each, and what it constructs.

    A `name` of `LINE:COLUMN` is where a display begins, `added` that of a method that adds to one; without a name the
    class is called, or handed on.
    """
    asked = {id(part) for node, _ in source.scopes.sites if _asks(node) for part in ast.walk(node)}
    for node, scope in source.scopes.sites:
        if id(node) in asked:
            continue
        if isinstance(node, ast.expr) and (elements := _elements(node)) is not None:
            for element, where in _unpacked(elements, scope, source):
                if items := _classes(element, where, source):
                    place = place_of(element if element in elements else node)
                    begin = place_of(node)
                    yield Registration(f"{begin.line}:{begin.column}", items, place)
        elif isinstance(node, ast.Call):
            added = "added" if isinstance(node.func, ast.Attribute) and node.func.attr in _ADDING else ""
            for part in (node.func, *node.args):
                if items := _classes(part, scope, source):
                    yield Registration(added, items, place_of(node))


def _elements(node: ast.expr) -> list[ast.expr] | None:
    """Return the elements of a display; `dict(name=value)` is one, too."""
    match node:
        case ast.Dict(values=values):
            return values
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return [word.value for word in keywords]
        case ast.List(ctx=ast.Load()) | ast.Tuple(ctx=ast.Load()) | ast.Set():
            return node.elts
    return None


def _unpacked(elements: list[ast.expr], scope: Scope, source: Source) -> Iterator[tuple[ast.expr, Scope]]:
    for element in elements:
        if isinstance(element, ast.Starred):
            yield from source.members(element.value, scope)
        else:
            yield element, scope


def _asks(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    return name in _QUESTIONS


def _classes(node: ast.expr, scope: Scope, source: Source) -> tuple[str, ...]:
    origins = [origin for origin in _items(node, scope, source) if not origin.startswith(("#", "!"))]
    known = (origin for origin in origins if not (origin.startswith("builtins.") and origin.endswith("()")))
    return tuple(sorted({origin.removesuffix("()") for origin in known}))
