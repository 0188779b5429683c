"""OBS205."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.project_rules.project_rule import ProjectRule, Told, View
from observatory_lint.values import Raw


class Construction(ProjectRule):
    """An ephemeral module makes a table when it is constructed, and serves it in `run`."""

    codes: ClassVar[tuple[str, ...]] = ("OBS205",)

    def check(self, view: View) -> Iterator[Told]:
        """Return one finding for each module that lacks either; of unknown bases nothing is told."""
        for kind in view.kinds:
            hierarchy = view.hierarchy
            if kind.about.abstract or hierarchy.is_parent(kind) or hierarchy.is_opaque(kind):
                continue
            lacks = [
                *(() if hierarchy.makes_table(kind) else ["creates no table when it is constructed"]),
                *(() if hierarchy.runs(kind) else ["has no run"]),
            ]
            if lacks:
                yield Told(kind.module, Raw(kind.about.place, "OBS205", f"{kind.about.name} {' and '.join(lacks)}"))
