"""From the tree of a class to what is known of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from observatory_lint.facts import Class
from observatory_lint.names import dotted, is_field, makes_table
from observatory_lint.values import head_of

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

CONSTRUCTORS = ("__init__", "__attrs_post_init__", "__attrs_pre_init__", "__post_init__", "__new__")
"""Methods that run when an object is constructed."""


def class_in(node: ast.ClassDef, name: str) -> Class:
    """Return what is known of a class; `name` is the qualified one."""
    bases = [dotted(base) for base in node.bases]
    methods: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | None] = {}
    makes: list[str] = []
    for statement in node.body:
        if isinstance(statement, _FUNCTIONS):
            methods[statement.name] = statement
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                if isinstance(target, ast.Name):
                    methods[target.id] = None
            if statement.value and is_field(statement.value) and makes_table(statement.value):
                makes.append("__init__")
    functions = {name: function for name, function in methods.items() if function}
    makes.extend(name for name, function in functions.items() if name not in makes and _makes(function))
    return Class(
        name,
        tuple(base for base in bases if base),
        None in bases,
        tuple(methods),
        tuple(makes),
        tuple(dict.fromkeys(call for name in CONSTRUCTORS if name in functions for call in _calls(functions[name]))),
        any("abstract" in (dotted(by) or "") for function in functions.values() for by in function.decorator_list),
        head_of(node),
    )


def _statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    bodies: list[list[ast.stmt]] = [function.body]
    while bodies:
        for statement in bodies.pop():
            yield statement
            for field in ("body", "orelse", "finalbody"):
                body = getattr(statement, field, None)
                if body and not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
                    bodies.append(body)
            for handler in getattr(statement, "handlers", ()):
                bodies.append(handler.body)


def _makes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a method assigns what it makes, or hands it to a call, as `setattr` is."""
    for statement in _statements(function):
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value and makes_table(statement.value):
            kept = function.name not in CONSTRUCTORS or _is_kept(statement, function)
            if kept:
                return True
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            if any(map(makes_table, [*call.args, *(word.value for word in call.keywords)])):
                return True
    return False


def _is_kept(statement: ast.Assign | ast.AnnAssign, function: ast.AST) -> bool:
    """Return whether a value is more than a variable that nobody looks at."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    if len(names) < len(targets):
        return True
    read = (part.id for part in ast.walk(function) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load))
    return any(name in names for name in read)


def _calls(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Return what a constructor calls: methods of its own, `super` for the base's constructor, `f()` what it keeps."""
    for statement in _statements(function):
        value = getattr(statement, "value", None)
        if not isinstance(value, ast.Call):
            continue
        text = dotted(value.func) or ""
        if text.startswith("super().") or text.endswith(".__init__"):
            yield "super"
        elif text.startswith("self."):
            yield text.removeprefix("self.")
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            yield f"{text}()"
