"""OBS105, as far as one file tells: the rest needs the classes of the whole project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.model_names import is_base_maker, is_mapping_decorator
from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Scope
from observatory_lint.source import Source
from observatory_lint.values import Raw, head_of, place_of

_METACLASSES = (".DeclarativeMeta", ".DCTransformDeclarative", "django.db.models.base.ModelBase")
_MARKS = frozenset({"__tablename__", "__table__"})


class ModelsHere(Rule):
    """A class that says which table it is, a decorator that maps one, or the making of a declarative base."""

    code: ClassVar[str] = "OBS105"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (ast.ClassDef, ast.Call)

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for a class, or for a call that makes a base of them."""
        if isinstance(node, ast.ClassDef):
            mark = next((name for name in _names_in(node) if name in _MARKS), None)
            by = (origin for by in node.decorator_list for origin in sorted(source.origins(by, scope)))
            made = (origin for word in node.keywords for origin in sorted(source.origins(word.value, scope)))
            if mark:
                yield Raw(head_of(node), self.code, f"{node.name} declares a persistent model: it has {mark}")
            elif found := next((origin for origin in by if is_mapping_decorator(origin.removesuffix("()"))), None):
                yield Raw(head_of(node), self.code, f"{node.name} declares a persistent model: {found} maps it")
            elif found := next((origin for origin in made if origin.endswith(_METACLASSES)), None):
                yield Raw(head_of(node), self.code, f"{node.name} declares a persistent model: {found} makes it")
        elif isinstance(node, ast.Call):
            for origin in sorted(source.origins(node, scope)):
                if is_base_maker(origin, source.libraries):
                    yield Raw(place_of(node), self.code, f"makes a base of persistent models: {origin}")
                    return


def _names_in(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement.name
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                if isinstance(target, ast.Name):
                    yield target.id
