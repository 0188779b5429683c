"""What a rule on one file is."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.scopes import Scope
from observatory_lint.source import Source
from observatory_lint.values import Raw


class Rule(ABC):
    """A rule that one ephemeral file is enough for."""

    code: ClassVar[str]
    """What it finds."""
    nodes: ClassVar[tuple[type[ast.AST], ...]]
    """What it looks at."""

    @abstractmethod
    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return what is wrong with a node of one of these types.

        Args:
            node: the node.
            scope: where it stands.
            source: the file.
        """
