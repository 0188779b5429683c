"""OBS105, as far as one file tells: the rest needs the classes of the whole project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.model_names import MARKS, is_base_maker, is_mapping_decorator, is_model
from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Scope
from observatory_lint.source import Source
from observatory_lint.values import Raw, head_of, place_of

_METACLASSES = (".DeclarativeMeta", ".DCTransformDeclarative", "django.db.models.base.ModelBase")


class ModelsHere(Rule):
    """A class that says which table it is, a decorator that maps one, or the making of a declarative base."""

    code: ClassVar[str] = "OBS105"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (ast.ClassDef, ast.Call)

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for a class, or for a call that makes a base of them."""
        if isinstance(node, ast.ClassDef):
            mark = next((name for name in source.scopes.bodies[node].names if name in MARKS), None)
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
            if len(node.args) == 3 and "builtins.type" in source.origins(node.func, scope):
                yield from self._made(node, scope, source)

    def _made(self, node: ast.Call, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for `type(name, bases, names)` that makes a model."""
        bases = (
            origin for base, where in source.members(node.args[1], scope) for origin in source.origins(base, where)
        )
        names = (
            key.value
            for value, _ in source.values(node.args[2], scope)
            for key in getattr(value, "keys", ())
            if isinstance(key, ast.Constant)
        )
        reason = next((base for base in bases if is_model(base, source.libraries)), None)
        if reason := reason or next((name for name in names if name in MARKS), None):
            yield Raw(place_of(node), self.code, f"makes a persistent model: {reason} tells")
