"""One project: its files are read, the ephemeral ones are looked at, and the rules are asked."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from observatory_lint.cache import Cache, Entry, digest_of
from observatory_lint.facts import Facts
from observatory_lint.files import Roots
from observatory_lint.graph import Graph
from observatory_lint.hierarchy import Hierarchy, Kind
from observatory_lint.libraries import Libraries
from observatory_lint.looking import Look, look
from observatory_lint.others import Others
from observatory_lint.parsing import UnreadableError, parse
from observatory_lint.project import Module, Project
from observatory_lint.project_rules import PROJECT_RULES
from observatory_lint.project_rules.project_rule import Told, View
from observatory_lint.reading import read, source_of
from observatory_lint.settings import Settings
from observatory_lint.source import Source
from observatory_lint.values import Place, Raw


class Checker:
    """The files of one project.

    Args:
        folder: the project's.
        settings: its settings.
        roots: where modules are imported from.
        tops: the outermost packages of the project.
        cache: what is known of files already, with these settings and packages.
        unsaved: what stands in files by path, instead of what is on disk.

    Attributes:
        facts: what is known of each file that is Python.
        contents: what stands in each file that could be opened.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        roots: Roots,
        tops: Collection[str],
        cache: Cache,
        unsaved: Mapping[str, bytes],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._roots = roots
        self._cache = cache
        self._unsaved = unsaved
        self._libraries = Libraries(settings.libraries, settings.allow)
        self._tops = frozenset(tops) | self._libraries.parents
        self._digests: dict[str, str] = {}
        self._trees: dict[str, ast.Module] = {}  # of those that will probably be looked at
        self._sources: dict[str, Source | None] = {}  # of those that others take values from
        self.facts: dict[str, Facts] = {}
        self.contents: dict[str, bytes] = {}

    def check(self, files: Iterable[str]) -> Iterator[tuple[str, Told]]:
        """Return what is wrong, by path.

        Args:
            files: the absolute paths of all files of the project.
        """
        for path in files:
            raw = self._read(path)
            if raw:
                yield path, Told(Module(path, _NOTHING, []), raw)
        project = Project(self.facts, self._roots)
        hierarchy = Hierarchy(project)
        kinds = tuple(hierarchy.modules())
        looks: dict[str, Look] = {}
        for path in sorted(self._ephemeral(project, hierarchy, kinds)):
            seen = self._look(path, project)
            if isinstance(seen, Raw):
                yield path, Told(project.modules[path], seen)
            else:
                looks[path] = seen
                for raw in seen.findings:
                    yield path, Told(project.modules[path], raw)
        applications = {
            p: s.listed for p in self._applications(project) if isinstance(s := self._look(p, project), Look)
        }
        graph = Graph(project, self._libraries)
        view = View(project, graph, hierarchy, self._libraries, kinds, looks, applications)
        for rule in PROJECT_RULES:
            for told in rule.check(view):
                yield told.module.path, told

    def _read(self, path: str) -> Raw | None:
        """Read a file; return a finding when that is not possible."""
        data = self._unsaved.get(path)
        try:
            if data is None:
                with open(path, "rb") as file:
                    data = file.read()
        except OSError as error:
            return _unreadable(1, error.strerror or type(error).__name__)
        self.contents[path] = data
        digest = self._digests[path] = digest_of(data)
        entry = self._cache.get(digest)
        if entry is None:
            entry = self._learn(path, digest, data)
        if entry.facts:
            self.facts[path] = entry.facts
        return _unreadable(*entry.fault) if entry.fault else None

    def _learn(self, path: str, digest: str, data: bytes) -> Entry:
        try:
            facts, tree = read(data, self._libraries, self._tops)
        except UnreadableError as error:
            entry = Entry(None, (error.line, error.message), None)
        else:
            entry = Entry(facts, None, None)
            derived = any(base.rpartition(".")[2] == "Module" for about in facts.classes for base in about.bases)
            if derived or self._is_named(self._roots.names(path)):
                self._trees[path] = tree
        self._cache.put(digest, entry)
        return entry

    def _look(self, path: str, project: Project) -> Look | Raw:
        """Look closely at a file, unless that was done before, and what it depends on is as it was."""
        digest = self._digests[path]
        others = Others(project, project.modules[path], self._alone, self._digests.__getitem__)
        entry = self._cache.get(digest)
        if entry and entry.look and all(others.stands_for(origin) == found for origin, found in entry.look.asked):
            return entry.look
        data = self.contents[path]
        try:
            tree = self._trees.pop(path) if path in self._trees else parse(data)
            seen = look(source_of(tree, data, self._libraries, others), others.asked)
        except (UnreadableError, RecursionError):
            return _unreadable(1, "it is nested too deeply")
        self._cache.put(digest, Entry(self.facts[path], None, seen))
        return seen

    def _alone(self, path: str) -> Source | None:
        """Return a file as it is seen without any other."""
        if path not in self._sources:
            data = self.contents[path]
            try:
                self._sources[path] = source_of(parse(data), data, self._libraries)
            except UnreadableError:
                self._sources[path] = None
        return self._sources[path]

    def _ephemeral(self, project: Project, hierarchy: Hierarchy, kinds: Iterable[Kind]) -> set[str]:
        """Return the files that define a module, that a hook registers, and that settings name."""
        found = {kind.module.path for kind in kinds}
        for module in project.modules.values():
            for hook in module.facts.hooks:
                for text in hook.items:
                    if not text.startswith(("#", "!")):
                        origins = project.origin(module, text)
                        found.update(origin.module.path for origin in origins if origin.module and origin.name)
            if self._is_named(module.names):
                found.add(module.path)
        return found

    def _is_named(self, names: Iterable[str]) -> bool:
        """Return whether settings name a file that has one of these names."""
        patterns = self._settings.ephemeral
        return bool(patterns) and any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    def _applications(self, project: Project) -> list[str]:
        if self._settings.application:
            path = os.path.join(self._folder, self._settings.application)
            return [path] if path in project.modules else []
        return [path for path in project.modules if os.path.basename(path) == "application.py"]


_NOTHING = Facts((), {}, {}, None, False, (), (), ())


def _unreadable(line: int, reason: str) -> Raw:
    return Raw(Place(line, 0, line, 0), "OBS900", f"cannot be read: {reason}")
