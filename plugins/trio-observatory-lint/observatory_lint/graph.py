"""What a module reaches by its imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from observatory_lint.facts import Import
from observatory_lint.libraries import Libraries
from observatory_lint.project import Module, Origin, Project
from observatory_lint.values import Step


class Hop(NamedTuple):
    """What an import leads to."""

    module: Module | None
    """A module of the project, with all that it imports; None for a library."""
    library: str
    """The persistence library; empty for a module of the project."""
    steps: tuple[Step, ...]
    """The imports on the way, this one first."""


class Graph:
    """The imports of a project.

    Args:
        project: its modules.
        libraries: what means persistence.
    """

    def __init__(self, project: Project, libraries: Libraries) -> None:
        self._project = project
        self._libraries = libraries
        self._hops: dict[str, list[Hop]] = {}
        self._leads: dict[str, list[tuple[str, Hop]]] = {}
        self._reaching: dict[str, bool] = {}  # whether a module reaches a library, by path

    def hops(self, module: Module, found: Import) -> Iterator[Hop]:
        """Return what an import leads to.

        A name that a package re-exports leads to the module that defines it, and not to what else the package imports.
        What is defined in the package itself leads to the package.
        """
        project = self._project
        name = project.absolute(module, found.module, found.level)
        if name is None:
            return
        step = Step(module.path, found.place.line, f"{name}.{found.name}" if found.name else name)
        target = project.find(name, module)
        if target is None:
            yield from self._outside(module, found, name, step)
        elif not target.is_package or found.dynamic:
            yield Hop(target, "", (step,))
        elif found.name == "*":
            yield from self._taken(target, sorted(project.names_of(target)), step)
        elif found.name:
            yield from self._taken(target, [found.name], step)
        elif found.uses is None:
            yield Hop(target, "", (step,))
        else:
            yield from self._taken(target, found.uses, step)

    def chains(self, module: Module, found: Import) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """Return the libraries that an import reaches, with the shortest chain to each."""
        met = {module.path}
        trail: list[tuple[Hop, int]] = []  # hops, the nearest first, each with the number of the one that leads to it

        def meet(hops: Iterable[tuple[str, Hop]], before: int) -> None:
            for key, hop in hops:
                if key not in met:
                    met.add(key)
                    trail.append((hop, before))

        meet(self._led_to(self.hops(module, found)), -1)
        for number, (hop, _) in enumerate(trail):  # which grows meanwhile
            if hop.module is None:
                yield hop.library, _steps_to(trail, number)
            else:
                meet(self._leading(hop.module), number)

    def _reaches(self, module: Module) -> bool:
        """Return whether a module reaches a library: most do not, and each is gone through once, whoever imports it."""
        known = self._reaching.get(module.path)
        if known is None:
            self._explore(module)
            known = self._reaching[module.path]
        return known

    def _explore(self, start: Module) -> None:
        """Find out which modules reach a library, of one and all that it leads to."""
        importers: dict[str, list[str]] = {start.path: []}
        found: list[str] = []
        waiting = [start]
        while waiting:
            here = waiting.pop()
            for hop in self._hops_of(here):
                if hop.module is None or self._reaching.get(hop.module.path):
                    found.append(here.path)
                elif hop.module.path not in self._reaching:
                    if hop.module.path not in importers:
                        waiting.append(hop.module)
                    importers.setdefault(hop.module.path, []).append(here.path)
        self._reaching.update(dict.fromkeys(importers, False))
        while found:
            path = found.pop()
            if not self._reaching[path]:
                self._reaching[path] = True
                found.extend(importers[path])

    def _leading(self, module: Module) -> list[tuple[str, Hop]]:
        """Return the hops of a module by which a library can be reached."""
        known = self._leads.get(module.path)
        if known is None:
            known = self._leads[module.path] = self._led_to(self._hops_of(module))
        return known

    def _led_to(self, hops: Iterable[Hop]) -> list[tuple[str, Hop]]:
        return [(_key(hop), hop) for hop in hops if hop.module is None or self._reaches(hop.module)]

    def _hops_of(self, module: Module) -> list[Hop]:
        """Return what the imports of a module lead to, each once."""
        known = self._hops.get(module.path)
        if known is None:
            first: dict[str, Hop] = {}
            for found in module.facts.imports:
                for hop in self.hops(module, found):
                    first.setdefault(_key(hop), hop)
            known = self._hops[module.path] = [*first.values()]
        return known

    def _outside(self, module: Module, found: Import, name: str, step: Step) -> Iterator[Hop]:
        """Return what is reached by a name that is no module of the project."""
        below = self._project.find(f"{name}.{found.name}", module) if found.name else None
        if below:
            yield Hop(below, "", (step,))
        elif found.dynamic and (origins := self._project.dotted(module, name)) and origins[0].module:
            yield Hop(origins[0].module, "", (step,))
        elif not self._project.owns(name):
            library = self._libraries.match(f"{name}.{found.name}" if found.name not in {"", "*"} else name)
            if library:
                yield Hop(None, library, (step,))
            elif not found.name and found.uses:
                yield from self._used(name, found.uses, step)

    def _used(self, name: str, uses: tuple[str, ...], step: Step) -> Iterator[Hop]:
        """Return libraries below a package that is imported whole, as `django.db` is used after `import django`."""
        if self._libraries.above(name):
            for library in sorted({self._libraries.match(f"{name}.{use}") or "" for use in uses} - {""}):
                yield Hop(None, library, (step,))

    def _taken(self, package: Module, names: Iterable[str], step: Step) -> Iterator[Hop]:
        """Return what names lead to that are taken from a package."""
        met: set[str] = set()
        for name in names:
            for origin in self._defined(package, name):
                key = origin.module.path if origin.module else origin.name
                if key not in met:
                    met.add(key)
                    yield from self._to(origin, step)

    def _to(self, origin: Origin, step: Step) -> Iterator[Hop]:
        if origin.module:
            yield Hop(origin.module, "", (step, *origin.steps))
        elif library := self._libraries.match(origin.name):
            yield Hop(None, library, (step, *origin.steps))

    def _defined(self, package: Module, name: str) -> list[Origin]:
        """Return where a name is defined; the package itself where it gives it a value, or nothing is known."""
        kinds = package.facts.bindings.get(name.partition(".")[0], ())
        if any(not kind.startswith("import ") for kind in kinds) and not any(k.startswith("import ") for k in kinds):
            return [Origin(package, name, ())]
        return self._project.attribute(package, name) or [Origin(package, name, ())]


def _key(hop: Hop) -> str:
    """Return what a hop leads to: the path of a module, or the name of a library."""
    return hop.module.path if hop.module else hop.library


def _steps_to(trail: list[tuple[Hop, int]], number: int) -> tuple[Step, ...]:
    steps: tuple[Step, ...] = ()
    while number >= 0:
        hop, number = trail[number]
        steps = hop.steps + steps
    return steps
