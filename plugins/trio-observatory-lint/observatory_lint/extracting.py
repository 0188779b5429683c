"""From a tree to what is known of the file: one way through its statements, and through no expression but a few."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from observatory_lint.classes import class_in
from observatory_lint.facts import HOOK, Class, Import
from observatory_lint.names import dotted, is_container
from observatory_lint.values import place_of

_Body = tuple[list[ast.stmt], str, bool]  # statements, the class that they stand in, whether in a function
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Extract:
    """What the statements of a file tell.

    Args:
        tree: the file.
        tops: names of packages of which it is worth knowing what is used of them when they are imported whole.

    Attributes:
        imports: every import statement, one entry a name.
        bindings: what module-level names are bound to.
        inner: names that only functions and classes import, with the import's index.
        exports: `__all__`, when it is constant.
        open_ended: whether there may be names that cannot be seen.
        classes: every class.
        hooks: functions that may implement the hook of modules.
    """

    def __init__(self, tree: ast.Module, tops: Collection[str] = ()) -> None:
        self.imports: list[Import] = []
        self.bindings: dict[str, list[str]] = {}
        self.inner: dict[str, int] = {}
        self.exports: list[str] | None = None
        self.open_ended = False
        self.classes: list[Class] = []
        self.hooks: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._bodies: list[_Body] = [(tree.body, "", False)]
        while self._bodies:
            body, owner, inside = self._bodies.pop()
            for statement in body:
                self._read(statement, owner, inside)
        self._find_uses(tree, tops)

    def _read(self, statement: ast.stmt, owner: str, inside: bool) -> None:
        if isinstance(statement, ast.Expr):
            return
        top = not owner and not inside
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._read_import(statement, top)
        elif isinstance(statement, _FUNCTIONS):
            self._read_function(statement, owner, top)
        elif isinstance(statement, ast.ClassDef):
            name = f"{owner}.{statement.name}" if owner else statement.name
            self.classes.append(class_in(statement, name))
            self._bodies.append((statement.body, name, inside))
            if top:
                self._bind(statement.name, "class")
        elif top and isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            self._read_assignment(statement)
        else:
            self._read_block(statement, owner, inside, top)

    def _read_block(self, statement: ast.stmt, owner: str, inside: bool, top: bool) -> None:
        for body in _bodies_of(statement):
            if body:
                self._bodies.append((body, owner, inside))
        if top:
            for node in _targets_of(statement):
                self._bind_target(node, "value")

    def _read_import(self, node: ast.Import | ast.ImportFrom, top: bool) -> None:
        place = place_of(node)
        for alias in node.names:
            if isinstance(node, ast.Import):
                bound = alias.asname or alias.name.partition(".")[0]
                found = Import(alias.name, 0, "", bound, place, None, False)
            else:
                bound = "" if alias.name == "*" else alias.asname or alias.name
                found = Import(node.module or "", node.level, alias.name, bound, place, None, False)
            index = len(self.imports)
            self.imports.append(found)
            if bound and top:
                self._bind(bound, f"import {index}")
            elif bound:
                self.inner.setdefault(bound, index)

    def _read_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str, top: bool) -> None:
        if node.name == "__getattr__" and top:
            self.open_ended = True
        if node.decorator_list and (node.name == HOOK or any(map(_may_be_hook, node.decorator_list))):
            self.hooks.append(node)
        if top:
            returned = ["{}" if is_container(value) else dotted(value) for value in _returned(node.body)]
            if annotated := dotted(node.returns):
                returned.append(f"{annotated}()")
            self._bind(node.name, f"def {'|'.join(filter(None, returned))}")
        self._bodies.append((node.body, owner, True))

    def _read_assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id == "__all__":
                self._export(node)
            elif isinstance(target, ast.Name) and isinstance(node, ast.AugAssign):
                self.bindings.setdefault(target.id, ["value"])
            else:
                self._bind_target(target, _kind_of(node.value))

    def _bind_target(self, target: ast.expr, kind: str) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, kind)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._bind_target(element, "value")
        elif isinstance(target, ast.Starred):
            self._bind_target(target.value, "table")

    def _bind(self, name: str, kind: str) -> None:
        kinds = self.bindings.setdefault(name, [])
        if kind not in kinds:
            kinds.append(kind)

    def _export(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        """Note `__all__`; whatever is no list of text makes it unknown."""
        value = node.value
        if isinstance(value, (ast.List, ast.Tuple)):
            names = [
                item.value for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)
            ]
            if len(names) == len(value.elts):
                self.exports = [*(self.exports or []), *names]
                return
        self.exports = None

    def _find_uses(self, tree: ast.Module, tops: Collection[str]) -> None:
        """Note what is used of modules that are imported whole; who takes one name of a package reaches no other."""
        wanted = {
            found.bound: found.module
            for found in self.imports
            if not found.name and found.module.partition(".")[0] in tops
        }
        if not wanted:
            return
        uses = _uses_in(tree, wanted.keys())
        for index, found in enumerate(self.imports):
            if found.bound in wanted and not found.name:
                prefix = found.module if found.bound == found.module.partition(".")[0] else found.bound
                self.imports[index] = found._replace(uses=_below(uses.get(found.bound), prefix))


def _uses_in(tree: ast.Module, names: Iterable[str]) -> dict[str, set[str] | None]:
    """Return what follows each name, by name; None where it is used as it is."""
    uses: dict[str, set[str] | None] = {name: set() for name in names}
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):  # from the outside in, so that `a.b.c` is met before the `a.b` in it
        if isinstance(node, ast.Attribute):
            if node not in parts and (text := dotted(node)):
                head, _, rest = text.partition(".")
                known = uses.get(head)
                if known is not None:
                    known.add(rest.partition("(")[0])
            if isinstance(node.value, (ast.Attribute, ast.Name)):
                parts.add(node.value)
        elif isinstance(node, ast.Name) and node.id in uses and node not in parts:
            uses[node.id] = None
    return uses


def _below(uses: set[str] | None, prefix: str) -> tuple[str, ...] | None:
    """Return uses of `a` as uses of the `a.b` that was imported; None when something else of it is used, or nothing."""
    if not uses:
        return None
    skip = prefix.count(".")
    ends = prefix.split(".")[1:]
    below = []
    for use in sorted(uses):
        parts = use.split(".")
        if skip and parts[:skip] != ends[: len(parts)][:skip]:
            continue  # of a sibling, which has its own import
        if len(parts) <= skip:
            return None
        below.append(".".join(parts[skip:]))
    return tuple(below) or None


def _kind_of(value: ast.expr | None) -> str:
    if value is None:
        return "value"
    if is_container(value):
        return "table"
    if isinstance(value, ast.IfExp):
        return next((kind for kind in map(_kind_of, (value.body, value.orelse)) if kind != "value"), "value")
    text = dotted(value)
    return f"name {text}" if text else "value"


def _may_be_hook(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call) and any(word.arg == "specname" for word in decorator.keywords):
        return True
    return "impl" in (dotted(decorator) or "")


def _bodies_of(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Return the blocks of a statement that is neither a function nor a class."""
    for field in ("body", "orelse", "finalbody"):
        body = getattr(statement, field, None)
        if body:
            yield body
    for field in ("handlers", "cases"):
        for part in getattr(statement, field, ()):
            yield part.body


def _targets_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """Return what a block binds at its head, and what assignment expressions bind."""
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        yield statement.target
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        for item in statement.items:
            if item.optional_vars:
                yield item.optional_vars
    elif isinstance(statement, (ast.If, ast.While)):
        for node in ast.walk(statement.test):
            if isinstance(node, ast.NamedExpr):
                yield node.target


def _returned(body: list[ast.stmt]) -> Iterator[ast.expr]:
    """Return what a function returns, not what functions in it do."""
    bodies = [body]
    while bodies:
        for statement in bodies.pop():
            if isinstance(statement, ast.Return) and statement.value:
                yield statement.value
            elif not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
                bodies.extend(_bodies_of(statement))
