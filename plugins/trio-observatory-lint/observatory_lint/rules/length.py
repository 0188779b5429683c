"""OBS201."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Scope
from observatory_lint.source import Source
from observatory_lint.values import Place, Raw

MOST = 300
"""Lines of an ephemeral module."""


class Length(Rule):
    """A module that is longer is split."""

    code: ClassVar[str] = "OBS201"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (ast.Module,)

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding, at the first line that is too many."""
        if source.lines > MOST:
            place = Place(MOST + 1, 0, MOST + 1, 0)
            yield Raw(
                place, self.code, f"has {source.lines} lines, and {MOST} are allowed: move a part to a file of its own"
            )
