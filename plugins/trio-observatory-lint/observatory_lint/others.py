"""The other files of a project, as one of them sees them by its imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from observatory_lint.computing import UNKNOWN, Texts
from observatory_lint.elsewhere import OWN, Elsewhere
from observatory_lint.project import Module, Origin, Project
from observatory_lint.source import Source


class Others(Elsewhere):
    """Follows what one file imports to where it gets its value.

    Args:
        project: the files.
        module: the one that imports.
        source_of: how a file of the project is looked at on its own; None for one that cannot be.
        digest_of: what the content of a file is known by.

    Attributes:
        asked: what was looked for, with what it depended on.
    """

    def __init__(
        self,
        project: Project,
        module: Module,
        source_of: Callable[[str], Source | None],
        digest_of: Callable[[str], str],
    ) -> None:
        self._project = project
        self._module = module
        self._source_of = source_of
        self._digest_of = digest_of
        self.asked: dict[str, str] = {}
        self._values: dict[str, list[tuple[Source, ast.expr]]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._texts: dict[str, Texts] = {}
        self._nodes: dict[str, ast.expr | None] = {}  # kept, since what is known of nodes is kept by their identity

    def stands_for(self, origin: str) -> str:
        """Return what an origin leads to, and what that depends on: as long as it is the same, so is all of it."""
        found = self._project.origin(self._module, origin)
        return " ".join(
            f"{o.module.name}.{o.name}@{self._digest_of(o.module.path) if _has_value(o) else ''}"
            if o.module
            else o.name
            for o in found
        )

    def own(self, origin: str) -> str:
        """Return the origin, with a mark in front when an absolute name is the project's."""
        if origin.startswith("."):
            return origin
        top = origin.partition(".")[0]
        ours = self._project.find(top, self._module) is not None or self._project.owns(top)
        return f"{OWN}{origin}" if ours else origin

    def names(self, origin: str) -> frozenset[str]:
        """Return the origins outside the project, and of constants, that an origin in it stands for."""
        if origin not in self._names:
            self._names[origin] = self._find_names(origin)
        return self._names[origin]

    def texts(self, origin: str) -> Texts:
        """Return the texts that it may be."""
        if origin not in self._texts:
            self._texts[origin] = self._find_texts(origin)
        return self._texts[origin]

    def elements(self, origin: str) -> list[list[Texts]]:
        """Return the lists of texts that it may be."""
        values = self._values_of(origin)
        return [found for source, node in values for found in source.elements(node, source.scopes.module)]

    def _origins(self, origin: str) -> list[Origin]:
        if not origin.startswith((".", OWN)):
            return []
        if origin not in self.asked:
            self.asked[origin] = self.stands_for(origin)
        return self._project.origin(self._module, origin)

    def _find_names(self, origin: str) -> frozenset[str]:
        found = {o.name for o in self._origins(origin) if o.module is None}
        for source, node in self._values_of(origin):
            found |= {name for name in source.origins(node, source.scopes.module) if not name.startswith((".", "@"))}
        return frozenset(found - {origin})

    def _find_texts(self, origin: str) -> Texts:
        for source, node in self._values_of(origin):
            return source.texts(node, source.scopes.module)
        return UNKNOWN

    def _values_of(self, origin: str) -> list[tuple[Source, ast.expr]]:
        """Return the expressions that give it its value, with the files that they stand in."""
        if origin not in self._values:
            self._values[origin] = list(self._each_value(origin))
        return self._values[origin]

    def _each_value(self, origin: str) -> Iterator[tuple[Source, ast.expr]]:
        for found in self._origins(origin):
            source = self._source_of(found.module.path) if found.module and _has_value(found) else None
            node = self._parsed(found.name) if source else None
            if source and node:
                yield source, node

    def _parsed(self, name: str) -> ast.expr | None:
        """Return names, attributes and calls as an expression; None for what is none, as a key of a dict."""
        if name not in self._nodes:
            try:
                self._nodes[name] = ast.parse(name, mode="eval").body
            except (SyntaxError, ValueError):
                self._nodes[name] = None
        return self._nodes[name]


def _has_value(origin: Origin) -> bool:
    """Return whether it is what its file gives a value to, what a function there returns, or what a class there has."""
    if origin.module is None:
        return False
    head, call, _ = origin.name.partition(".")[0].partition("()")
    kinds = {kind.partition(" ")[0] for kind in origin.module.facts.bindings.get(head, ())}
    if kinds <= {"class"}:
        return origin.name != f"{head}{call}"
    return kinds != {"def"} or bool(call)
