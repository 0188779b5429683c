"""Which classes are ephemeral modules, and what they inherit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from observatory_lint.classes import CONSTRUCTORS
from observatory_lint.facts import Class
from observatory_lint.names import is_table
from observatory_lint.project import Module, Origin, Project
from observatory_lint.values import Step

MODULE = frozenset({"observatory.Module", "observatory.abc.Module"})
"""What every ephemeral module derives from."""

_PLAIN = frozenset({"Generic", "Protocol", "ABC", "object"})


class Kind(NamedTuple):
    """A class of the project."""

    module: Module
    """The file."""
    about: Class
    """What is known of it."""


class Hierarchy:
    """The classes of a project.

    Args:
        project: its modules.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._modules: dict[tuple[str, str], bool] = {}
        self._parents: set[tuple[str, str]] = set()

    def modules(self) -> Iterator[Kind]:
        """Return every ephemeral module, those among them that others derive from."""
        modules = self._project.modules.values()
        if not any(map(_knows_observatory, modules)):
            return
        for module in modules:
            for about in module.facts.classes:
                kind = Kind(module, about)
                if about.bases and self.is_module(kind):
                    yield kind

    def is_parent(self, kind: Kind) -> bool:
        """Return whether another ephemeral module derives from this one; after `modules` has gone through all."""
        return (kind.module.path, kind.about.name) in self._parents

    def is_module(self, kind: Kind) -> bool:
        """Return whether a class derives from `observatory.Module`."""
        key = (kind.module.path, kind.about.name)
        known = self._modules.get(key)
        if known is None:
            self._modules[key] = False  # as long as it is looked at: what derives from itself does not
            known = self._modules[key] = any(self._leads_to_module(origin) for origin in self.bases(kind))
        return known

    def is_module_origin(self, origin: Origin) -> bool | None:
        """Return whether what stands there is an ephemeral module; None when that cannot be told."""
        kind = self.kind(origin)
        if kind:
            return self.is_module(kind) or (None if self.is_opaque(kind) else False)
        if origin.module is None:
            return self._outside(origin.name)
        if not origin.name:
            return False  # a file
        values = origin.module.facts.bindings.get(origin.name, ())
        return False if values and all(value in {"table", "value"} for value in values) else None

    def kind(self, origin: Origin) -> Kind | None:
        """Return the class of the project that an origin is."""
        about = origin.module.classes.get(origin.name) if origin.module else None
        return Kind(origin.module, about) if origin.module and about else None

    def bases(self, kind: Kind) -> Iterator[Origin]:
        """Return where the bases of a class come from."""
        for base in kind.about.bases:
            yield from self._project.attribute(kind.module, base)

    def ancestors(self, kind: Kind) -> list[tuple[Origin, tuple[Step, ...]]]:
        """Return all that a class derives from, itself first, with the imports that lead there."""
        found: list[tuple[Origin, tuple[Step, ...]]] = [(Origin(kind.module, kind.about.name, ()), ())]
        seen = {(kind.module.path, kind.about.name)}
        for origin, steps in found:  # grows on the way
            here = self.kind(origin)
            for base in self.bases(here) if here else ():
                key = (base.module.path if base.module else "", base.name)
                if key not in seen:
                    seen.add(key)
                    found.append((base, steps + base.steps))
        return found

    def is_opaque(self, kind: Kind) -> bool:
        """Return whether a class has bases that nothing is known of."""
        for origin, _ in self.ancestors(kind):
            here = self.kind(origin)
            if here is None and self._may_be_anything(origin):
                return True
            if here and (here.about.opaque or len(list(self.bases(here))) < len(here.about.bases) - self._plain(here)):
                return True
        return False

    def _may_be_anything(self, origin: Origin) -> bool:
        if self._is_base(origin) or origin.name.rpartition(".")[2] in _PLAIN:
            return False
        return origin.module is not None or self._outside(origin.name) is None

    def runs(self, kind: Kind) -> bool:
        """Return whether a class has a `run` of its own, or of a base."""
        return any("run" in here.about.methods for here in self._own(kind))

    def makes_table(self, kind: Kind) -> bool:
        """Return whether constructing an object makes something that can be a table."""
        line = self._own(kind)
        for index, here in enumerate(line):
            about = here.about
            if "__init__" in about.makes or not set(CONSTRUCTORS).isdisjoint(about.makes):
                return True
            helpers = set(about.calls)
            if any(not helpers.isdisjoint(other.about.makes) for other in line):
                return True
            if any(call.endswith("()") and self._gives_table(here.module, call[:-2]) for call in about.calls):
                return True
            constructs = not set(CONSTRUCTORS).isdisjoint(about.methods)
            if constructs and index == 0 and "super" not in about.calls:
                return False
        return False

    def _gives_table(self, module: Module, function: str) -> bool:
        """Return whether a function of the project returns a container, or an object that may be a table."""
        for origin in self._project.attribute(module, function):
            for kind in origin.module.facts.bindings.get(origin.name, ()) if origin.module else ():
                what, _, returned = kind.partition(" ")
                if what == "def" and any(map(is_table, returned.split("|"))):
                    return True
        return False

    def _own(self, kind: Kind) -> list[Kind]:
        """Return a class and those of its bases that the project defines, without `observatory.Module`."""
        kinds = (self.kind(origin) for origin, _ in self.ancestors(kind) if not self._is_base(origin))
        return [here for here in kinds if here]

    def _leads_to_module(self, origin: Origin) -> bool:
        if self._is_base(origin):
            return True
        kind = self.kind(origin)
        if kind is None or not self.is_module(kind):
            return False
        self._parents.add((kind.module.path, kind.about.name))
        return True

    def _is_base(self, origin: Origin) -> bool:
        if origin.module is None:
            return origin.name in MODULE
        return any(f"{name}.{origin.name}" in MODULE for name in origin.module.names)

    def _outside(self, name: str) -> bool | None:
        if name.startswith("builtins."):
            return False
        if name.startswith("observatory.") and name.rpartition(".")[2] in _PARTS:
            return False
        return None

    def _plain(self, kind: Kind) -> int:
        """Return how many bases are Python's own, which no import brings."""
        return sum(base in _BUILT_IN for base in kind.about.bases)


def _knows_observatory(module: Module) -> bool:
    """Return whether a file imports anything of Observatory, or is a part of it."""
    if module.name.startswith("observatory."):
        return True
    return any(found.module.startswith("observatory") for found in module.facts.imports)


_PARTS = frozenset(
    {"DeliveryChannel", "Service", "StorageBackend", "Check", "Context", "Message", "Note", "LogChannel"}
)
_BUILT_IN = frozenset(
    {"object", "dict", "list", "set", "tuple", "str", "int", "Exception", "ValueError", "RuntimeError", "type", "float"}
)
