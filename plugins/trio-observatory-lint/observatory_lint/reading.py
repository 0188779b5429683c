"""From bytes to facts."""

from __future__ import annotations

import ast
from collections.abc import Collection

from observatory_lint.comments import noqa_in
from observatory_lint.dynamic import may_import, plain_dynamic_imports
from observatory_lint.elsewhere import Elsewhere
from observatory_lint.extracting import Extract
from observatory_lint.facts import Facts, Registration
from observatory_lint.libraries import Libraries
from observatory_lint.parsing import UnreadableError, count_lines, parse
from observatory_lint.registrations import registered
from observatory_lint.source import Source

_TOO_DEEP = "it is nested too deeply"


def read(data: bytes, libraries: Libraries, tops: Collection[str]) -> tuple[Facts, ast.Module]:
    """Return what is known of a file, and its tree.

    Args:
        data: what stands in it.
        libraries: what means persistence.
        tops: names of packages of which it is worth knowing what is used of them when they are imported whole.

    Raises:
        UnreadableError: it is no Python that can be read.
    """
    tree = parse(data)
    try:
        return _facts(tree, data, libraries, tops), tree
    except RecursionError as error:
        raise UnreadableError(1, _TOO_DEEP) from error


def source_of(tree: ast.Module, data: bytes, libraries: Libraries, elsewhere: Elsewhere | None = None) -> Source:
    """Return a file as rules look at it.

    Raises:
        UnreadableError: it is nested too deeply.
    """
    try:
        return Source(tree, count_lines(data), libraries, elsewhere=elsewhere)
    except RecursionError as error:
        raise UnreadableError(1, _TOO_DEEP) from error


def _facts(tree: ast.Module, data: bytes, libraries: Libraries, tops: Collection[str]) -> Facts:
    found = Extract(tree, tops)
    imports = found.imports
    hooks: tuple[Registration, ...] = ()
    if found.hooks or may_import(data):
        source = Source(tree, 0, libraries)
        hooks = tuple(registered(found.hooks, source))
        if may_import(data):
            imports += plain_dynamic_imports(source)
    return Facts(
        tuple(imports),
        {name: tuple(kinds) for name, kinds in found.bindings.items()},
        found.inner,
        None if found.exports is None else tuple(found.exports),
        found.open_ended,
        tuple(found.classes),
        hooks,
        noqa_in(data),
    )
