"""Imports by calls: which names they may import, and which cannot be known."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import TypeGuard

from observatory_lint.computing import OWN, Texts, holes_filled
from observatory_lint.extracting import Extract
from observatory_lint.facts import Import
from observatory_lint.paths import ENTRY
from observatory_lint.scopes import Scope
from observatory_lint.source import Call, Source
from observatory_lint.values import Place, place_of

IMPORTERS = frozenset(
    {
        "importlib.import_module",
        "builtins.__import__",
        "pkgutil.resolve_name",
        "runpy.run_module",
        "importlib.util.find_spec",
        "pytest.importorskip",
    }
)
"""Functions that import by name. (`find_spec` imports what is above the name, and is there to load what it finds.)"""

_BY_PATH = frozenset(
    {
        "runpy.run_path",
        "importlib.util.spec_from_file_location",
        "importlib.machinery.SourceFileLoader",
        "imp.load_source",
        f"{ENTRY}().load",
    }
)
_RUNNERS = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
_LOOKUPS = frozenset({"sys.modules.get", "sys.modules.pop", "sys.modules.setdefault", "sys.modules.__getitem__"})
_WORTH_IT = re.compile(rb"import_module|__import__|resolve_name|\b(?:exec|run_module)\b(?! *=)")
_DEEPEST = 4  # texts in texts that are run
_IMPORTERS = (b"import_module", b"__import__", b"resolve_name", b"exec", b"run_module")
_NAMES = frozenset({"import_module", "__import__", "resolve_name", "run_module", "exec"})
_UNKNOWN = "_unknown_"  # stands in source for what is not known


def may_import(data: bytes) -> bool:
    """Return whether it is worth looking for dynamic imports in a file that is not ephemeral."""
    return any(name in data for name in _IMPORTERS) and _WORTH_IT.search(data) is not None


def plain_dynamic_imports(source: Source) -> Iterator[Import]:
    """Return the imports by calls in a file that is not ephemeral: by names that importers have, for speed."""
    names = _NAMES | {
        name for scope in (source.scopes.module, *source.scopes.bodies.values()) for name in _renamed(scope)
    }
    for node, scope in source.scopes.sites:
        if isinstance(node, ast.Call) and _name_of(node.func) in names:
            for call in source.calls(node, scope):
                yield from (found for found in _called(source, call, node) if isinstance(found, Import))


def _renamed(scope: Scope) -> Iterator[str]:
    """Return the names of a scope that an importer is given."""
    for name, bindings in scope.names.items():
        for binding in bindings:
            given = binding.origin.rpartition(".")[2] or _name_of(binding.node)
            if given in _NAMES:
                yield name


def _name_of(function: ast.AST) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def dynamic_imports(source: Source) -> Iterator[Import | Place]:
    """Return the imports by calls in a file, and the places of those whose name cannot be known."""
    for node, scope in source.scopes.sites:
        if isinstance(node, ast.Call):
            for call in source.calls(node, scope):
                yield from _called(source, call, node)
        elif _is_looked_up(node) and "sys.modules" in source.origins(node.value, scope):
            yield from _known(source, source.texts(node.slice, scope), place_of(node), sure=False)


def _is_looked_up(node: ast.AST) -> TypeGuard[ast.Subscript]:
    return isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)


def _called(source: Source, call: Call, node: ast.Call) -> Iterator[Import | Place]:
    place = place_of(node)
    if call.origin in _BY_PATH:
        yield place
    elif call.origin in IMPORTERS:
        yield from _imported(source, call, node, place)
    elif call.origin in _LOOKUPS and call.args:
        yield from _known(source, source.texts(call.args[0], call.scope), place, sure=False)
    elif call.origin in _RUNNERS and call.args:
        for text in sorted(source.texts(call.args[0], call.scope).values):
            yield from _in_text(source, text.replace("\0", _UNKNOWN), place)


def _imported(source: Source, call: Call, node: ast.Call, place: Place) -> Iterator[Import | Place]:
    name = call.argument(0, "mod_name" if call.origin == "runpy.run_module" else "name")
    if name is None:
        if call.origin != "importlib.util.find_spec" and "functools.partial" not in source.origins(
            node.func, call.scope
        ):
            yield place
        return
    texts = source.texts(name, call.scope)
    if call.handed and "builtins.map" in source.origins(node.func, call.scope):
        lists = source.elements(name, call.scope)
        every = [text for part in lists for text in part]
        texts = Texts(frozenset(v for t in every for v in t.values), all(t.complete for t in every))
    sure = call.origin != "importlib.util.find_spec"
    yield from _known(source, texts, place, sure=sure, package=_package(source, call), level=_level(call))


def _package(source: Source, call: Call) -> Texts | None:
    given = call.argument(1, "package") if call.origin == "importlib.import_module" else None
    return source.texts(given, call.scope) if given else None


def _level(call: Call) -> int:
    level = call.argument(4, "level") if call.origin == "builtins.__import__" else None
    return level.value if isinstance(level, ast.Constant) and isinstance(level.value, int) else 0


def _known(
    source: Source, texts: Texts, place: Place, *, sure: bool, package: Texts | None = None, level: int = 0
) -> Iterator[Import | Place]:
    """Return what texts import; a part that is known may be enough to tell the library."""
    unknown, found = not texts.complete, False
    for name, whole in holes_filled(texts):
        module = name.partition(":")[0]
        if not whole:
            module = module.rpartition(".")[0]
        if not whole and not source.libraries.match(module):
            unknown = True
        elif module != OWN:
            for absolute in _absolute(module, package):
                found = found or source.libraries.match(absolute) is not None
                yield _import(absolute, level, place)
    if unknown and sure and not found:
        yield place


def _absolute(module: str, package: Texts | None) -> list[str]:
    """Return a name that may be relative, without a package that is known: one that is the file's own stays a dot."""
    if not module.startswith(".") or package is None or not package.complete:
        return [module]
    dots = len(module) - len(module.lstrip("."))
    names = []
    for name in sorted(package.values):
        base = name.split(".")
        base = base[: len(base) - dots + 1]
        names.append(module if name == OWN else ".".join([*base, module[dots:]]))
    return names


def _import(module: str, level: int, place: Place) -> Import:
    if module.startswith(f"{OWN}."):
        level, module = 1, module[2:]
    elif module.startswith("."):
        dots = len(module) - len(module.lstrip("."))
        level, module = dots, module[dots:]
    return Import(module, level, "", "", place, (), True)


def _in_text(source: Source, text: str, place: Place) -> Iterator[Import | Place]:
    """Return what source code in a text imports."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for found in Extract(tree).imports:
        if _UNKNOWN in found.module.split("."):
            yield place
        else:
            yield found._replace(place=place, dynamic=True, bound="")
    inner = Source(tree, 1, source.libraries, depth=source.depth + 1)
    for node, scope in inner.scopes.sites if inner.depth < _DEEPEST else ():
        if isinstance(node, ast.Call):
            for call in inner.calls(node, scope):
                for found_in in _called(inner, call, node):
                    yield found_in._replace(place=place) if isinstance(found_in, Import) else place
