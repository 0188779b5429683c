"""The modules of a project, and where names in them come from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from observatory_lint.elsewhere import OWN
from observatory_lint.facts import Class, Facts, Import
from observatory_lint.files import Roots
from observatory_lint.values import Step


class Module:
    """A file of the project.

    Args:
        path: the file.
        facts: what is known of it.
        names: the names that it may be imported by, the likeliest first.

    Attributes:
        is_package: whether it is the `__init__.py` of a package.
        classes: its classes by qualified name.
        stars: the imports of everything in it.
    """

    def __init__(self, path: str, facts: Facts, names: list[str]) -> None:
        self.path = path
        self.facts = facts
        self.names = names
        self.folder, file = os.path.split(path)
        self.is_package = file == "__init__.py"
        self.classes: dict[str, Class] = {found.name: found for found in facts.classes}
        self.stars = [found for found in facts.imports if found.name == "*"]

    @property
    def name(self) -> str:
        """The likeliest name; the file's where it has none."""
        return self.names[0] if self.names else os.path.basename(self.path)


Seen: TypeAlias = set[tuple[str, str]]
"""What was looked for already while one question is answered: names may lead in circles."""

_MOST = 500  # names that are looked for to answer one question


class Origin(NamedTuple):
    """Where a name comes from."""

    module: Module | None
    """The module of the project that defines it; None for what is from outside."""
    name: str
    """What it is called there, empty for the module itself; from outside the whole dotted name."""
    steps: tuple[Step, ...]
    """The imports that lead there."""


class _Star(NamedTuple):
    """What everything is imported from."""

    path: tuple[str, ...]
    """The files on the way there, without itself."""
    module: Module | None
    """The file; None for what is from outside."""
    name: str
    """What it is imported as."""
    steps: tuple[Step, ...]
    """The imports on the way."""


def resolve(package: str, module: str, level: int) -> str | None:
    """Return the absolute name of a relative import; None when it leads out of the topmost package.

    Args:
        package: the package of the file that imports.
        module: what stands behind the dots.
        level: how many dots there are; 0 for an absolute import.
    """
    if level == 0:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])


class Project:
    """Every file of a project.

    Args:
        files: facts by absolute path.
        roots: where modules are imported from.
    """

    def __init__(self, files: dict[str, Facts], roots: Roots) -> None:
        self.modules = {path: Module(path, facts, roots.names(path)) for path, facts in files.items()}
        self._by_name: dict[str, list[Module]] = {}
        self._answers: dict[tuple[str, str], list[Origin]] = {}
        self._stars: dict[str, list[_Star]] = {}
        self._folders: set[str] = set()  # packages, with and without a file of their own
        for module in self.modules.values():
            for name in module.names:
                self._by_name.setdefault(name, []).append(module)
                above = name.rpartition(".")[0]
                while above and above not in self._folders:
                    self._folders.add(above)
                    above = above.rpartition(".")[0]

    def find(self, name: str, importer: Module) -> Module | None:
        """Return the module of that name that an importer gets: of several, the one in the nearest folder."""
        found = self._by_name.get(name)
        if not found:
            return self._beside(name, importer)
        if len(found) == 1:
            return found[0]
        return max(found, key=lambda module: len(os.path.commonpath([module.path, importer.path])))

    def absolute(self, importer: Module, module: str, level: int) -> str | None:
        """Return the absolute name of what a file imports; None when it leads nowhere."""
        if level == 0:
            return module
        name = importer.name
        return resolve(name if importer.is_package else name.rpartition(".")[0], module, level)

    def owns(self, name: str) -> bool:
        """Return whether a name is a package of the project, with or without a file of its own."""
        return name in self._folders

    def attribute(self, module: Module, dotted: str, seen: Seen | None = None) -> list[Origin]:
        """Return where `module.dotted` comes from; nothing when no such name is to be seen there.

        Args:
            module: where it is looked for.
            dotted: names, attributes and calls, such as `a.b().c`.
            seen: what is being looked for already.
        """
        if seen is None:
            key = (module.path, dotted)
            if key not in self._answers:
                self._answers[key] = self.attribute(module, dotted, set())
            return self._answers[key]
        found = self._own(module, dotted, seen)
        return found or (list(self._by_stars(module, dotted, seen)) if module.stars else [])

    def dotted(self, importer: Module, name: str, seen: Seen | None = None) -> list[Origin]:
        """Return where an absolute dotted name comes from, the longest module in it first."""
        module = name.partition("(")[0]
        rest = name[len(module) :]
        while module:
            found = self.find(module, importer)
            if found:
                return self._below(found, rest, seen)
            module, _, last = module.rpartition(".")
            rest = f".{last}{rest}"
        return [Origin(None, name, ())]

    def origin(self, module: Module, text: str) -> list[Origin]:
        """Return where an origin of `observatory_lint.origins` comes from in the project."""
        if text.startswith("@"):
            return [Origin(module, text[1:], ())]
        name = self.named(module, text)
        return [] if name is None else self.dotted(module, name)

    def named(self, importer: Module, text: str) -> str | None:
        """Return the absolute name of an origin of something imported; None when it leads nowhere."""
        text = text.removeprefix(OWN)
        dots = len(text) - len(text.lstrip("."))
        return self.absolute(importer, text[dots:], dots)

    def imported(self, module: Module, found: Import, rest: str = "", seen: Seen | None = None) -> list[Origin]:
        """Return where the name comes from that an import binds, with attributes and calls behind it."""
        name = self.absolute(module, found.module, found.level)
        if name is None:
            return []
        step = Step(module.path, found.place.line, f"{name}.{found.name}" if found.name else name)
        if not found.name:
            whole = name.partition(".")[0] if found.bound == name.partition(".")[0] else name
            origins = self.dotted(module, whole + rest, seen)
        else:
            target = self.find(name, module)
            if target and (target is not module or found.level):
                origins = self.attribute(target, found.name + rest, seen)
            else:
                origins = self.dotted(module, f"{name}.{found.name}{rest}", seen)
        return [origin._replace(steps=(step, *origin.steps)) for origin in origins]

    def names_of(self, module: Module) -> set[str]:
        """Return the names that importing everything from a module gives."""
        names: set[str] = set()
        met = {module.path: module}
        waiting = [module]
        while waiting:
            here = waiting.pop()
            if here.facts.exports is not None:
                names.update(here.facts.exports)
                continue
            names.update(name for name in here.facts.bindings if not name.startswith("_"))
            for star in here.stars:
                target = self.find(self.absolute(here, star.module, star.level) or "", here)
                if target and target.path not in met:
                    met[target.path] = target
                    waiting.append(target)
        return names

    def is_open(self, module: Module) -> bool:
        """Return whether a module may have names that cannot be seen."""
        if module.facts.open_ended:
            return True
        return any(self.find(self.absolute(module, s.module, s.level) or "", module) is None for s in module.stars)

    def _bound(self, module: Module, kind: str, head: str, rest: str, seen: Seen) -> Iterable[Origin]:
        what, _, value = kind.partition(" ")
        if what == "import":
            return self.imported(module, module.facts.imports[int(value)], rest, seen)
        if what == "name":  # the module gives it the name, whatever it is
            return [*self.attribute(module, value + rest, seen), Origin(module, head + rest, ())]
        if what == "def" and value and rest.startswith("()"):
            found = [o for returned in value.split("|") for o in self.attribute(module, returned + rest[2:], seen)]
            return found or [Origin(module, head + rest, ())]
        return [Origin(module, head + rest, ())]

    def _own(self, module: Module, dotted: str, seen: Seen) -> list[Origin]:
        """Return where a name comes from that a module has without imports of everything."""
        key = (module.path, dotted)
        if key in seen or len(seen) > _MOST:
            return []
        seen.add(key)
        head, rest = _split(dotted)
        found = [
            origin
            for kind in module.facts.bindings.get(head, ())
            for origin in self._bound(module, kind, head, rest, seen)
        ]
        if not found and module.is_package:
            below = self.find(f"{module.name}.{head}", module)
            if below and below is not module:
                found = self._below(below, rest, seen)
        if not found and head in module.facts.inner:
            found = self.imported(module, module.facts.imports[module.facts.inner[head]], rest, seen)
        return found

    def _below(self, module: Module, rest: str, seen: Seen | None) -> list[Origin]:
        return self.attribute(module, rest.lstrip("."), seen) if rest else [Origin(module, "", ())]

    def _by_stars(self, module: Module, dotted: str, seen: Seen) -> Iterator[Origin]:
        """Return where a name comes from that imports of everything bring; who has it himself asks nobody else."""
        having: set[str] = set()
        for path, target, name, steps in self._starred(module):
            if having.isdisjoint(path):
                if target is None:
                    yield Origin(None, f"{name}.{dotted}", steps)
                elif found := self._own(target, dotted, seen):
                    having.add(target.path)
                    yield from (origin._replace(steps=(*steps, *origin.steps)) for origin in found)

    def _starred(self, module: Module) -> list[_Star]:
        """Return what a module imports everything from, directly or not, each once, the nearest first."""
        if module.path not in self._stars:
            met = {module.path}
            found: list[_Star] = []
            waiting: list[tuple[Module, tuple[str, ...], tuple[Step, ...]]] = [(module, (), ())]
            for here, path, steps in waiting:  # grows on the way
                for star in here.stars:
                    name = self.absolute(here, star.module, star.level)
                    target = self.find(name, here) if name else None
                    key = target.path if target else name
                    if name and key and key not in met:
                        met.add(key)
                        way = (*steps, Step(here.path, star.place.line, f"{name}.*"))
                        found.append(_Star((*path, here.path), target, name, way))
                        if target:
                            waiting.append((target, (*path, here.path), way))
            self._stars[module.path] = found
        return self._stars[module.path]

    def _beside(self, name: str, importer: Module) -> Module | None:
        """Return a script's neighbour: where no package is, the folder of the importer is searched, too."""
        if os.path.join(importer.folder, "__init__.py") in self.modules:
            return None
        path = os.path.join(importer.folder, *name.split("."))
        return self.modules.get(f"{path}.py") or self.modules.get(os.path.join(path, "__init__.py"))


def _split(dotted: str) -> tuple[str, str]:
    """Return the first name of a dotted one, and the rest with what it begins with."""
    for index, letter in enumerate(dotted):
        if letter in ".(":
            return dotted[:index], dotted[index:]
    return dotted, ""
