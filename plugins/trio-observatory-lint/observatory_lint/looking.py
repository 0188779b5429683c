"""What is found by looking closely at one file, without knowing any other."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from observatory_lint.dynamic import dynamic_imports
from observatory_lint.facts import Import, Registration
from observatory_lint.registrations import listed
from observatory_lint.rules import LOCAL_RULES
from observatory_lint.rules.rule import Rule
from observatory_lint.rules.shared_state import changes_elsewhere
from observatory_lint.source import Source
from observatory_lint.values import Place, Raw


class Look(NamedTuple):
    """What a close look at a file has shown."""

    findings: tuple[Raw, ...]
    """What is wrong in it."""
    dynamic: tuple[Import, ...]
    """What it imports by calls."""
    changes: tuple[tuple[str, Place], ...]
    """What it changes by methods of imported names."""
    listed: tuple[Registration, ...]
    """What it holds in lists, and constructs."""
    asked: tuple[tuple[str, str], ...]
    """What of other files it depends on: origins, and what they stood for."""


_BY_NODE: dict[type[ast.AST], list[Rule]] = defaultdict(list)
for _rule in LOCAL_RULES:
    for _node in _rule.nodes:
        _BY_NODE[_node].append(_rule)


def look(source: Source, asked: Mapping[str, str] = MappingProxyType({})) -> Look:
    """Look at a file: every rule sees the nodes that it asks for, in one walk.

    Args:
        source: the file.
        asked: what it asks of other files meanwhile, with the answers.
    """
    found: list[Raw] = []
    for node, scope in source.scopes.sites:
        for rule in _BY_NODE.get(type(node), ()):
            found.extend(rule.check(node, scope, source))
    imports: list[Import] = []
    for item in dynamic_imports(source):
        if isinstance(item, Import):
            imports.append(item)
        else:
            message = "imports what cannot be known before it runs: name the module, or import it plainly"
            found.append(Raw(item, "OBS104", message))
    return Look(
        tuple(dict.fromkeys(found)),
        tuple(dict.fromkeys(imports)),
        tuple(dict.fromkeys(changes_elsewhere(source))),
        tuple(dict.fromkeys(listed(source))),
        tuple(asked.items()),
    )


def dump(seen: Look) -> list[Any]:
    """Return it as JSON can hold it."""
    return list(seen)


def load(row: list[Any]) -> Look:
    """Return it from what JSON held."""
    findings, imports, changes, held, asked = row
    return Look(
        tuple(Raw(Place(*place), code, message) for place, code, message in findings),
        tuple(
            Import(module, level, name, bound, Place(*place), None if uses is None else tuple(uses), dynamic)
            for module, level, name, bound, place, uses, dynamic in imports
        ),
        tuple((origin, Place(*place)) for origin, place in changes),
        tuple(Registration(name, tuple(items), Place(*place)) for name, items, place in held),
        tuple((origin, answer) for origin, answer in asked),
    )
